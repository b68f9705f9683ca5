"""`gemma-eval chat`: talk to a model, which remembers what it was told where it has a memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing
from gemma_eval.cli import memory_given as given
from gemma_eval.cli.progress import say
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.cli.chat_chosen import Kind
    from gemma_eval.cli.chat_memory import ChatMemory
    from gemma_eval.cli.chat_shown import Screen
    from gemma_eval.cli.chat_talk import Talk
    from gemma_eval.config.live import Live
    from gemma_eval.config.live_choices import Choices
    from gemma_eval.protocols import Backend
    from gemma_eval.records import MemoryTier, ModelSpec, Retrieval

_LASTING: tuple[MemoryTier, ...] = ("short_term", "long_term", "episodic", "semantic")
"""Tiers that are searched: what is kept for minutes is the conversation itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What the command line says, `None` where the settings decide."""

    model: str | None
    profile: str | None
    template: str | None
    location: str | None
    retrieval: Retrieval
    seed: int

    @property
    def names(self) -> dict[Kind, str]:
        """The names that are given."""
        given: dict[Kind, str | None] = {
            "model": self.model,
            "profile": self.profile,
            "template": self.template,
        }
        return {kind: name for kind, name in given.items() if name}


@click.command(short_help="Talk to a model, which may remember.")
@click.argument("model", required=False, shell_complete=completing.models)
@click.option(
    "--profile",
    help="How tokens are chosen.  [default: chat.profile of the settings, greedy]",
    shell_complete=completing.profiles,
)
@click.option(
    "--template",
    help="What becomes of a question.  [default: rag with a memory, else plain]",
    shell_complete=completing.templates,
)
@click.option(
    "--memory", "location", help="Remember in this memory: a path, or a URL as redis://…; '' for none."
)
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
@click.option("--ask", help="Ask this one question, print the answer, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print each answer as a line of JSON.")
@click.pass_context
def chat(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    model: str | None,
    profile: str | None,
    template: str | None,
    location: str | None,
    retrieval: str,
    embedder: str,
    top_k: int,
    budget_tokens: int,
    seed: int,
    ask: str | None,
    as_json: bool,
) -> None:
    """Talk to MODEL of models.toml; /help says what else can be typed, Ctrl-D ends.

    With --memory what you tell it is kept and found again, also by a later chat. A text that is piped in is
    answered line by line. What is not given is chosen by the settings.
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
    asked = _Asked(
        model=model, profile=profile, template=template, location=location, retrieval=way, seed=seed
    )
    with _ending_in_order(), ExitStack() as stack:
        talk = _talk(stack, asked, screen=_screen(as_json=as_json), registry=ctx.obj)
        if ask is not None:
            talk.answer(ask)
        else:
            _converse(talk)
    if talk.n_failed and not (ask is None and _is_typed()):
        ctx.exit(1)


def _talk(stack: ExitStack, asked: _Asked, *, screen: Screen, registry: Registry) -> Talk:
    """Load what a conversation needs, and have the stack let go of it.

    Raises UnknownName, UsageError, ConfigError, BackendError, StoreError, TemplateError.
    """
    from gemma_eval.cli.chat_chosen import Chosen
    from gemma_eval.cli.chat_session import Session
    from gemma_eval.cli.chat_talk import Talk

    files = _files(screen, registry)
    settings = files.value.settings
    location = settings.chat_memory if asked.location is None else asked.location
    chosen_ = Chosen(
        catalog=files.value.catalog,
        settings=settings,
        template_of_all="rag" if location else "plain",
        named=asked.names,
    )
    chosen_.check(registry)
    memory = _memory(stack, location, asked.retrieval, screen=screen, registry=registry) if location else None
    session = Session(
        backend=_loaded(chosen_.model, registry),
        model=chosen_.model,
        profile=chosen_.profile,
        template=chosen_.template,
        retrieval=asked.retrieval,
        now_s=time.time,
        note=screen.note,
        memory=memory,
        seed=asked.seed,
    )
    talk = Talk(
        session=session,
        chosen=chosen_,
        files=files,
        registry=registry,
        screen=screen,
        load=lambda model: _loaded(model, registry),
    )
    stack.callback(talk.close)
    return talk


def _loaded(model: ModelSpec, registry: Registry) -> Backend:
    """Load the engine of a model, and let who waits for it know. Raises BackendError, UnknownName."""
    from gemma_eval.measure.clock import clock
    from gemma_eval.stages import load_backend

    is_waited_for = _is_typed() and sys.stderr.isatty()
    if is_waited_for:
        say(f"loading {model.name} …")
    try:
        return load_backend(model, registry, clock=clock)
    finally:
        if is_waited_for:
            say("")


def _files(screen: Screen, registry: Registry) -> Live[Choices]:
    """Return what can be chosen as the files say it, now and later. Raises ConfigError."""
    from gemma_eval.config.live_choices import live_choices

    return live_choices(
        chosen.places(),
        folders=[Path.cwd()],
        environment=os.environ,
        on_reload=[lambda reloaded: registry.hook.config_reloaded(reloaded=reloaded)],
        say=screen.note,
    )


def _memory(
    stack: ExitStack, location: str, retrieval: Retrieval, *, screen: Screen, registry: Registry
) -> ChatMemory:
    """Open a memory, or make it. Raises StoreError, UnknownName, BackendError."""
    from gemma_eval.cli.chat_memory import ChatMemory
    from gemma_eval.measure.clock import clock

    store = given.opened(location, registry)
    stack.callback(store.close)
    name = retrieval.embedder
    return ChatMemory(
        store=store,
        retrieval=retrieval,
        clock=clock,
        now_s=time.time,
        note=screen.note,
        embedder=None if name is None else given.embedder(name, registry),
    )


def _converse(talk: Talk) -> None:
    """Answer what is typed, with a greeting, or what is piped in."""
    from gemma_eval.cli import chat_typing as typing

    n = talk.session.resume()
    if not _is_typed():
        talk.run(typing.messages(typing.piped(sys.stdin), lambda: ""))
        return
    from gemma_eval.cli.chat_commands import completions

    going_on = f", going on from {n} {'exchange' if n == 1 else 'exchanges'}" if n else ""
    session = talk.session
    names = f"model {session.model.name}, profile {session.profile.name}, template {session.template.name}"
    click.echo(
        talk.screen.faint(f"gemma_eval chat: {names}{going_on}. /help for commands, Ctrl-D ends."), err=True
    )
    terminal = typing.Terminal(
        history=_history_file() if talk.chosen.settings.chat_history else None,
        complete=lambda line: completions(talk, line),
        has_colours=talk.screen.has_colours,
    )
    talk.run(typing.messages(terminal.read, talk.prompt, keep=terminal.keep))


def _history_file() -> Path:
    """Return where what is typed is kept for the arrow keys of a later chat."""
    from platformdirs import user_state_path

    return user_state_path("gemma_eval", appauthor=False) / "chat_history"


def _is_typed() -> bool:
    """Whether a person types, and sees what is answered."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _screen(*, as_json: bool) -> Screen:
    from gemma_eval.cli.chat_shown import Screen

    is_terminal = sys.stdout.isatty()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "") in ("", "dumb")
    return Screen(is_terminal=is_terminal, has_colours=is_terminal and not plain, as_json=as_json)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a chat that is asked to end, or whose terminal is closed, let go of what it holds before."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGHUP) if is_main else ()
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
