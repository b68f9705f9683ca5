"""What the commands of a memory are given: which one, which of its passages, and what is made of files."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from gemma_eval.cli import chosen
from gemma_eval.cli import memory_shown as shown
from gemma_eval.cli.progress import say
from gemma_eval.errors import StoreError, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Embedder, MemoryStore
from gemma_eval.records import Among, MemoryTier, Piece

if TYPE_CHECKING:
    from gemma_eval.memory.passages import Splitting

TIER = click.Choice(get_args(MemoryTier))
_LOOKED_AT = 10_000
"""Ids among which one that is near is looked for."""

store = click.option(
    "--memory",
    "location",
    default="reports/memory.db",
    show_default=True,
    help="Which one: a path, or a URL as redis://….",
)


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose passages, as one `among`."""

    @wraps(command)
    def run(*args: object, **all_: object) -> None:
        chosen = {key: all_.pop(key) for key in ("tiers", "tags", "documents")}
        command(*args, among=Among(**chosen), **all_)  # type: ignore[arg-type]  # as click made them

    decorated: Callable[..., None] = run
    for decorate in (
        click.option("--document", "documents", multiple=True, help="Those of this document."),
        click.option("--tag", "tags", multiple=True, help="Those with this tag; may be given again."),
        click.option("--tier", "tiers", multiple=True, type=TIER, help="Those of this tier."),
    ):
        decorated = decorate(decorated)
    return decorated


def opened(location: str, registry: Registry) -> MemoryStore:
    """Open a memory, or make it. Raises StoreError, UnknownName."""
    from gemma_eval.memory.stores import open_store

    return open_store(location, registry.stores)


def known(location: str, registry: Registry) -> MemoryStore:
    """Open a memory that is there: what only reads makes none. Raises StoreError, UnknownName."""
    path = file_of(location)
    if path is not None and not path.exists():
        raise StoreError(
            f"{shown.place(location)}: there is no memory; gemma-eval memory add makes one, --memory names it"
        )
    return opened(location, registry)


def file_of(location: str) -> Path | None:
    """Return the SQLite file of a location, `None` where it is no file."""
    from gemma_eval.memory.sqlite.store import path_of
    from gemma_eval.memory.stores import PATH, scheme_of

    return path_of(location) if scheme_of(location) == PATH else None


@contextmanager
def splitting(max_tokens: int | None, model: str, registry: Registry) -> Iterator[Splitting]:
    """Give how passages are split: by the tokens of a model where a number of them is given."""
    from gemma_eval.memory.passages import WHOLE, Splitting

    if max_tokens is None:
        yield WHOLE
        return
    from gemma_eval.measure.clock import clock
    from gemma_eval.stages import load_backend

    with closing(load_backend(chosen.model(model), registry, clock=clock)) as backend:
        if backend.count_tokens("a") is None:
            raise UsageError(f"--max-tokens: model {model} does not count tokens; choose another --model")
        yield Splitting(count_tokens=lambda text: backend.count_tokens(text) or 0, max_tokens=max_tokens)


def embedder(name: str, registry: Registry) -> Embedder:
    """Load an embedder by the name of its model. Raises UnknownName, BackendError."""
    spec = chosen.model(name)
    return registry.embedders.find(spec.backend)(spec)


def piece_of(text: str) -> Piece:
    """Return a text of the command line as a passage. Raises UsageError where it has no words."""
    from gemma_eval.memory.passages import id_of

    if not text.strip():
        raise UsageError("--text is empty; give a text to keep")
    return Piece(id=id_of("note", text), text=text, document="note")


def changed(
    piece: Piece, *, tier: MemoryTier | None, importance: float | None, tags: tuple[str, ...]
) -> Piece:
    """Return a passage with what the command line says of all."""
    return replace(
        piece,
        tier=piece.tier if tier is None else tier,
        importance=piece.importance if importance is None else importance,
        tags=tuple(dict.fromkeys((*piece.tags, *tags))),
    )


def counted(pieces: Iterator[Piece]) -> int:
    """Return how many passages there are. Raises StoreError for one that no store keeps."""
    from gemma_eval.memory.admission import refuse_flawed

    n = 0
    for piece in pieces:
        refuse_flawed((piece,))
        n += 1
    return n


def refuse_unknown(memory: MemoryStore, ids: Sequence[str], location: str) -> None:
    """Raise UsageError for the first id that no passage has, with one that is near."""
    there = {piece.id for piece in memory.pieces(ids)}
    for id_ in ids:
        if id_ not in there:
            some = [piece.id for piece in islice(memory.each(), _LOOKED_AT)]
            near = get_close_matches(id_, some, n=1, cutoff=0.6)
            hint = f'did you mean "{near[0]}"?' if near else "gemma-eval memory list shows them"
            raise UsageError(f'{shown.place(location)}: no passage has the id "{id_}"; {hint}')


def last_of(pieces: Iterator[Piece], *, n: int) -> tuple[list[Piece], int]:
    """Return the last `n` passages, and how many there are."""
    last: deque[Piece] = deque(maxlen=min(n, sys.maxsize))
    total = 0
    for piece in pieces:
        last.append(piece)
        total += 1
    return list(last), total


def progress(n: int) -> None:
    """Show on a terminal how many passages are done; 0 takes it away."""
    if sys.stderr.isatty():
        say(f"{n:,} passages" if n else "")
