"""A memory as lines of JSON, which any store can give and take: passages, rules of tiers, vectors if asked.

    {"gemma_eval_memory": 1, "tiers": {…}}
    {"id": "…", "text": "…", "document": "…", "tier": "semantic", "at_s": 1.7e9, …}
    {"passages": 2}

The last line says how many there are, so that a file that was cut off is known before any of it is used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import Problem, StoreError, UsageError
from gemma_eval.files.read import ReadError
from gemma_eval.memory.admission import refuse_flawed, refuse_unlike
from gemma_eval.memory.consolidate import rules_of
from gemma_eval.memory.reading import opened
from gemma_eval.memory.text_rows import EXPORTED
from gemma_eval.memory.tiers import KeepsRules, Rules, from_table, to_table
from gemma_eval.memory.writing import Existing, written
from gemma_eval.protocols import MemoryStore
from gemma_eval.records import Piece

T = TypeVar("T")
Vectors = NDArray[np.float32]
Progress = Callable[[int], None]
"""Is told how many passages are done."""

VERSION = 1
_AT_ONCE = 1_000
_LONGEST_LINE = 16 << 20
_FIELDS = tuple(each.name for each in fields(Piece))


@dataclass(frozen=True, kw_only=True, slots=True)
class Archived:
    """A passage of an archive, and its vectors by the ids of their embedders."""

    piece: Piece
    vectors: dict[str, Vectors]


def ignored(_: int) -> None:
    """Tell nobody how far it is."""


def existing(*, replace: bool) -> Existing:
    """Return what is to become of a file that is there."""
    return "replace" if replace else "refuse"


def export(
    store: MemoryStore,
    path: Path,
    *,
    vectors: bool,
    existing: Existing = "refuse",
    progress: Progress = ignored,
) -> int:
    """Write all passages to a file, oldest first, and return how many.

    The file is there whole or not at all. Raises StoreError, UsageError where there is one.
    """
    embedders = tuple(store.stats(now_s=0.0).vectors) if vectors else ()
    n = 0
    with written(path, existing=existing) as file:
        file.write(_line({EXPORTED: VERSION, "tiers": to_table(rules_of(store))}))
        for some in _groups(store.each()):
            of = [_vectors_of(store, some, embedder) for embedder in embedders]
            for number, piece in enumerate(some):
                row: dict[str, object] = dict(asdict(piece))
                kept = {e: each[number] for e, each in zip(embedders, of, strict=True) if each[number]}
                file.write(_line({**row, "vectors": kept} if kept else row))
            n += len(some)
            progress(n)
        file.write(_line({"passages": n}))
    return n


def restore(store: MemoryStore, path: Path, *, now_s: float, progress: Progress = ignored) -> int:
    """Keep the passages of an archive, and return how many were new; those of the same ids are replaced.

    An empty store takes the rules of the archive, too. The file is looked through before any is kept. Raises
    UsageError where it is no whole archive, StoreError.
    """
    rules, n = looked_through(path)
    is_empty = next(iter(store.each()), None) is None
    if is_empty and isinstance(store, KeepsRules):
        store.set_rules(rules)
    return _kept(store, path, n, now_s=now_s, progress=progress)


def put_back(store: MemoryStore, path: Path, *, now_s: float, progress: Progress = ignored) -> int:
    """Make a store what it was when an archive was made, and return how many passages that has.

    What is there goes last, and until then every tier has room: what comes is not crowded out by what goes,
    and whoever breaks it off has both. Raises as `restore` does.
    """
    rules, n = looked_through(path)
    if isinstance(store, KeepsRules):
        store.set_rules({tier: replace(rule, capacity=None) for tier, rule in rules.items()})
    _kept(store, path, n, now_s=now_s, progress=progress)
    kept = {each.piece.id for each in passages(path)}
    gone = tuple(piece.id for piece in store.each() if piece.id not in kept)
    for some in _groups(iter(gone)):
        store.forget(some)
    if isinstance(store, KeepsRules):
        store.set_rules(rules)
    return n


def _kept(store: MemoryStore, path: Path, n: int, *, now_s: float, progress: Progress) -> int:
    """Keep the `n` passages of an archive that was looked through, and return how many were new."""
    n_new = n_done = 0
    for some in _groups(passages(path)):
        n_new += store.add([each.piece for each in some], now_s=now_s)
        for embedder in dict.fromkeys(name for each in some for name in each.vectors):
            having = [each for each in some if embedder in each.vectors]
            rows = np.stack([each.vectors[embedder] for each in having])
            store.add_vectors([each.piece.id for each in having], rows, embedder=embedder)
        n_done += len(some)
        progress(n_done)
    _assert_whole(n_done, n, path)
    return n_new


def looked_through(path: Path) -> tuple[Rules, int]:
    """Return the rules of an archive and how many passages it has. Raises UsageError at what is wrong."""
    rules = _head(path)
    seen: dict[str, int] = {}
    for line, archived in _numbered(path):
        id_ = archived.piece.id
        if id_ in seen:
            raise _wrong(path, f'id "{id_}" is taken by line {seen[id_]}; each names one passage', line=line)
        seen[id_] = line
    return rules, len(seen)


def passages(path: Path) -> Iterator[Archived]:
    """Yield the passages of an archive. Raises UsageError."""
    return (archived for _, archived in _numbered(path))


def _assert_whole(n_read: int, n_said: int, path: Path) -> None:
    if n_read != n_said:
        raise _wrong(
            path, f"says that it has {n_said:,} passages and has {n_read:,}: it was cut off or changed"
        )


def _vectors_of(store: MemoryStore, pieces: Sequence[Piece], embedder: str) -> list[str | None]:
    """Return the vectors of passages as text, `None` for those that have none."""
    ids = [piece.id for piece in pieces]
    found = store.vectors(ids, embedder=embedder)
    if found is not None:
        return [_text(row) for row in found]
    singly = (store.vectors([id_], embedder=embedder) for id_ in ids)
    return [None if one is None else _text(one[0]) for one in singly]


def _head(path: Path) -> Rules:
    _, row = next(_rows(path), (1, {}))
    version = row.get(EXPORTED)
    if version is None:
        raise _wrong(path, "is no memory that was exported; files of texts are kept by gemma-eval memory add")
    if version != VERSION:
        raise _wrong(
            path,
            f"made by a newer gemma_eval (archive {version}, this one reads {VERSION}); update it",
            line=1,
        )
    tiers = row.get("tiers", {})
    try:
        return from_table(cast("dict[str, object]", tiers if isinstance(tiers, dict) else {}))
    except UsageError as error:
        raise _wrong(path, str(error), line=1) from error


def _numbered(path: Path) -> Iterator[tuple[int, Archived]]:
    n = 0
    said: int | None = None
    dims: dict[str, int] = {}
    for line, row in _rows(path):
        if line == 1:
            continue
        if said is not None:
            raise _wrong(path, "goes on after its last line", line=line)
        if "passages" in row:
            said = _count(path, line, row["passages"])
            continue
        n += 1
        yield line, _archived(path, line, row, dims)
    if said is None:
        raise _wrong(path, f"ends after {n:,} passages without its last line: it was cut off")
    _assert_whole(n, said, path)


def _archived(path: Path, line: int, row: dict[str, object], dims: dict[str, int]) -> Archived:
    """Return the passage of a row; `dims` are the lengths of the vectors before it, by embedder."""
    vectors = row.pop("vectors", {})
    try:
        tags = row.pop("tags", [])
        if not isinstance(tags, list):
            raise TypeError("tags are a list")
        piece = Piece(**row, tags=tuple(tags))  # type: ignore[arg-type]  # looked at below
        refuse_flawed((piece,))
        kept = {name: _vector(text) for name, text in cast("dict[str, str]", vectors).items()}
        for name, vector in kept.items():
            refuse_unlike((piece.id,), vector[np.newaxis], name, dim=dims.setdefault(name, len(vector)))
    except StoreError as error:
        raise _wrong(path, str(error).removesuffix("; nothing was kept"), line=line) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise _wrong(path, f"is no passage with {', '.join(_FIELDS)}", line=line) from error
    return Archived(piece=piece, vectors=kept)


def _count(path: Path, line: int, said: object) -> int:
    if not isinstance(said, int):
        raise _wrong(path, "does not say how many passages it has", line=line)
    return said


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    try:
        with opened(path) as file:
            yield from _lines(file)
    except ReadError as error:
        raise _wrong(path, error.what, line=error.line) from error


def _lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, object]]]:
    line = 0
    while data := file.readline(_LONGEST_LINE + 1):
        line += 1
        if len(data) > _LONGEST_LINE:
            raise ReadError(f"is a line of more than {_LONGEST_LINE >> 20} MB", line=line)
        try:
            row = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ReadError("is not a line of JSON", line=line) from error
        if not isinstance(row, dict):
            raise ReadError("is not a line of an archive", line=line)
        yield line, row


def _groups(items: Iterator[T]) -> Iterator[list[T]]:
    some: list[T] = []
    for item in items:
        some.append(item)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _line(row: dict[str, object]) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _text(vector: Vectors) -> str:
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def _vector(text: str) -> Vectors:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def _wrong(path: Path, what: str, *, line: int = 0) -> UsageError:
    return UsageError(str(Problem(path=path, line=line, what=what)))
