"""`gemma-eval chat`: talk to a model, which remembers what it was told where it has a memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen
from gemma_eval.cli import memory_given as given
from gemma_eval.errors import GemmaEvalError, UsageError, suggestion
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.cli.chat_session import Session, Turn
    from gemma_eval.records import MemoryTier, Retrieval

COMMANDS: Mapping[str, str] = {
    "/stats": "what the last answer took",
    "/help": "these commands",
    "/quit": "end, as Ctrl-D does; Ctrl-C stops an answer",
}
_LASTING: tuple[MemoryTier, ...] = ("short_term", "long_term", "episodic", "semantic")
"""Tiers that are searched: what is kept for minutes is the conversation itself."""


@click.command(short_help="Talk to a model, which may remember.")
@click.argument("model", default="pocket")
@click.option("--profile", default="greedy", show_default=True, help="How tokens are chosen.")
@click.option("--template", help="What becomes of a question.  [default: rag with a memory, else plain]")
@click.option("--memory", "location", help="Remember in this memory: a path, or a URL as redis://….")
@click.option(
    "--retrieval",
    type=click.Choice(["none", "bm25", "vector", "hybrid"]),
    default="bm25",
    show_default=True,
    help="How the memory is searched.",
)
@click.option("--embedder", default="minilm", show_default=True, help="The model that makes vectors.")
@click.option("--top-k", type=click.IntRange(1), default=4, show_default=True, help="Passages at most.")
@click.option(
    "--budget-tokens", type=click.IntRange(0), default=256, show_default=True, help="Tokens for them."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first answer.")
@click.pass_context
def chat(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    model: str,
    profile: str,
    template: str | None,
    location: str | None,
    retrieval: str,
    embedder: str,
    top_k: int,
    budget_tokens: int,
    seed: int,
) -> None:
    """Talk to MODEL of models.toml; /help says what else can be typed, Ctrl-D ends.

    With --memory what you tell it is kept and found again, also by a later chat. A text that is piped in is
    answered line by line.
    """
    from gemma_eval.records import Retrieval

    way = Retrieval(
        retriever=retrieval,
        embedder=embedder if retrieval in ("vector", "hybrid") else None,
        top_k=top_k,
        budget_tokens=budget_tokens,
        overflow="truncate",
        tiers=_LASTING,
    )
    named = {"model": model, "profile": profile, "template": template or ("rag" if location else "plain")}
    with ExitStack() as stack:
        session = _session(stack, named, way, location=location, seed=seed, registry=ctx.obj)
        if (n := session.resume()) and sys.stdin.isatty():
            click.echo(f"going on from {n} {'turn' if n == 1 else 'turns'}", err=True)
        _talk(session)


def _session(
    stack: ExitStack,
    named: Mapping[str, str],
    retrieval: Retrieval,
    *,
    location: str | None,
    seed: int,
    registry: Registry,
) -> Session:
    """Load what a conversation needs, and have the stack let go of it.

    Raises UnknownName, UsageError, BackendError, StoreError.
    """
    from gemma_eval.backends.refusals import clause, of_profile
    from gemma_eval.cli.chat_session import Session
    from gemma_eval.measure.clock import clock
    from gemma_eval.stages import load_backend

    known = chosen.catalog()
    model = chosen.find("model", named["model"], known.models)
    profile = chosen.find("profile", named["profile"], known.profiles)
    template = chosen.find("template", named["template"], known.templates)
    if reason := of_profile(registry.backends.find(model.backend), model, profile):
        raise UsageError(f'model "{model.name}" with profile "{profile.name}": {clause(model, reason)}')
    memory = None if location is None else given.opened(location, registry)
    if memory is not None:
        stack.callback(memory.close)
    vectors = memory is not None and retrieval.embedder is not None
    embedder = given.embedder(str(retrieval.embedder), registry) if vectors else None
    backend = load_backend(model, registry, clock=clock)
    stack.callback(backend.close)
    return Session(
        backend=backend,
        model=model,
        profile=profile,
        template=template,
        retrieval=retrieval,
        clock=clock,
        now_s=time.time,
        note=_note,
        memory=memory,
        embedder=embedder,
        seed=seed,
    )


def _talk(session: Session) -> None:
    """Answer line by line until there is none, or one says so."""
    last: Turn | None = None
    for line in _lines():
        text = line.strip()
        if text == "/quit":
            return
        if text.startswith("/"):
            _obey(text, last)
        elif text:
            last = _answered(session, text) or last


def _answered(session: Session, text: str) -> Turn | None:
    """Show an answer while it is written; what goes wrong with it ends no conversation."""
    try:
        turn = session.answer(text, tell=lambda piece: click.echo(piece, nl=False))
    except GemmaEvalError as error:
        _note(str(error))
        return None
    click.echo("" if turn.generation is not None else " (stopped)")
    return turn


def _obey(text: str, last: Turn | None) -> None:
    if text == "/stats":
        click.echo(_stats(last))
    elif text == "/help":
        for name, what in COMMANDS.items():
            click.echo(f"{name:<8}{what}")
    else:
        _note(f'no command "{text}"{suggestion(text, COMMANDS)}')


def _stats(last: Turn | None) -> str:
    """Return what the last answer took, in one line."""
    from gemma_eval.measure.latency import measure
    from gemma_eval.report import numbers

    if last is None:
        return "nothing was answered yet"
    n = len(last.prompt.passages)
    read = f"read {numbers.count(last.prompt.n_tokens)} tokens with {n} {'passage' if n == 1 else 'passages'}"
    if last.generation is None:
        return f"{read}, and was stopped"
    cost = measure(last.generation)
    wrote = f"wrote {numbers.count(cost.output_tokens)} at {numbers.rate(cost.output_tokens_per_s)} tokens/s"
    return f"{read}, {wrote}, TTFT {numbers.seconds(cost.ttft_s)}"


def _lines() -> Iterator[str]:
    """Yield what is typed, or the lines that are piped in. Ctrl-C at the prompt is not the end."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield input("> ")
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo("\n/quit or Ctrl-D ends", err=True)


def _note(what: str) -> None:
    click.echo(f"gemma-eval: {what}", err=True)
