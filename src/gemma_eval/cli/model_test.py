"""`gemma-eval models test`: load a model, have it write a few tokens, and say how long that took."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click

from gemma_eval.cli import chosen, completing, screen

if TYPE_CHECKING:
    from gemma_eval.records import ModelSpec


_PROGRAM = (sys.executable, "-P", "-m", "gemma_eval.cli.model_try")
"""With `-P` no file of the folder that one works in is taken for a module."""


@click.command("test", short_help="Load a model and have it write ten tokens.")
@click.argument("name", shell_complete=completing.models)
@click.option(
    "--tokens", type=click.IntRange(1, 1000), default=10, show_default=True, help="Tokens it writes."
)
@screen.json_option
@click.pass_context
def test(ctx: click.Context, *, name: str, tokens: int, as_json: bool) -> None:
    """Load the model NAME, have it write some tokens, and say how long that took; an embedder embeds a text.

    It runs in a process of its own, which an engine may take down. The exit code is 1 if it does not work,
    with the reason. A single answer is no measurement: gemma-eval benchmark makes one.
    """
    spec = chosen.model(name)
    with _waiting(f"{name} is loaded and asked"):
        made = tried(spec, tokens=tokens)
    told = {"model": name, "backend": spec.backend, "location": spec.location, **made}
    if as_json:
        screen.print_json(told)
    elif "problem" in told:
        click.echo(f"{name}: {told['problem']}", err=True)
    else:
        screen.table(("", name), _rows(told))
    ctx.exit(int("problem" in told))


def tried(spec: ModelSpec, *, tokens: int, program: Sequence[str] = _PROGRAM) -> dict[str, object]:
    """Return what a model did in a process of its own, `problem` where it did not."""
    from gemma_eval import wire
    from gemma_eval.cli.model_try import MARK
    from gemma_eval.logs.redact import clear

    done = subprocess.run(  # noqa: S603 - no shell, fixed words
        [*program, str(tokens)],
        input=json.dumps(wire.dump(spec)),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode in (130, -signal.SIGINT):
        raise click.Abort
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(MARK):
            return cast("dict[str, object]", json.loads(line.removeprefix(MARK)))
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
    told = clear(last.strip()[:_LONGEST])
    return {"problem": f"the engine ended its process ({_ending(done.returncode)}): {told}"}


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Show on a terminal what is waited for."""
    if not sys.stderr.isatty():
        yield
        return
    click.echo(what, err=True, nl=False)
    try:
        yield
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)


_LONGEST = 300


def _ending(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"


def _rows(told: dict[str, object]) -> Iterable[tuple[str, str]]:
    """Yield what is known, named as reports name it."""
    from gemma_eval.report import numbers

    yield "backend", str(told["backend"])
    if "embedder" in told:
        yield "embedder", str(told["embedder"])
        yield "dimensions", str(told["dimensions"])
        yield "load", numbers.seconds(cast(float, told["load_s"]))
        yield "a text", numbers.seconds(cast(float, told["embed_s"]))
        return
    yield "engine", f"{told['engine']} {told['version']}"
    yield "threads", numbers.count(cast("int | None", told["threads"]))
    yield "context", numbers.count(cast("int | None", told["context_tokens"]))
    yield "load", numbers.seconds(cast("float | None", told["load_s"]))
    yield "TTFT", numbers.seconds(cast("float | None", told["ttft_s"]))
    yield "output tokens/s", numbers.rate(cast("float | None", told["output_tokens_per_s"]))
    if told["engine_output_tokens_per_s"] is not None:
        yield "by the engine", numbers.rate(cast(float, told["engine_output_tokens_per_s"]))
    yield "output tokens", numbers.count(cast("int | None", told["output_tokens"]))
    yield "finish", str(told["finish_reason"])
    yield "peak memory", numbers.bytes_(cast("float | None", told["peak_memory_bytes"]))
    yield "text", json.dumps(told["text"], ensure_ascii=False)
