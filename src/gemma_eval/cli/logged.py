"""`--log-json`: the log of a command, and of what it starts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from gemma_eval.cli.ending import INTERRUPTED
from gemma_eval.errors import GemmaEvalError, UsageError
from gemma_eval.logs.events import emit, is_on

VARIABLE = "GEMMA_EVAL_LOG_JSON"
"""The environment variable by which what a command starts finds the log as well."""

USAGE_ERROR = 2


def log_option() -> click.Option:
    """Return the option of the group."""
    return click.Option(
        ["--log-json"], metavar="FILE", help="Append a line of JSON for each event to a file."
    )


@contextmanager
def logged(ctx: click.Context) -> Iterator[None]:
    """Write the log of a command, if one is asked for. Raises UsageError where it cannot be written."""
    path = _path(ctx.params.get("log_json"))
    if path is None:
        yield
        return
    from gemma_eval.logs import json_file  # here, for most commands write no log

    os.environ[VARIABLE] = str(path)
    json_file.start(path)
    began = time.perf_counter()
    try:
        yield
    except BaseException as error:
        _finished(ctx, exit_code=_code(error), began=began, error=error)
        raise
    else:
        _finished(ctx, exit_code=0, began=began)
    finally:
        if (why := json_file.flaw()) is not None:
            click.echo(f"gemma-eval: {path}: the log is not whole: {why}", err=True)
        json_file.stop()


def command_started(name: str | None, arguments: Sequence[str]) -> None:
    """Tell which command begins."""
    if is_on():
        emit("command_started", command=name, arguments=list(arguments))


def _finished(
    ctx: click.Context, *, exit_code: int, began: float, error: BaseException | None = None
) -> None:
    if isinstance(error, GemmaEvalError):
        emit("error", failure_kind=error.kind, failure_message=str(error))
    elif isinstance(error, click.ClickException):
        emit("error", failure_kind="usage", failure_message=error.format_message())
    elif exit_code and not isinstance(error, SystemExit | click.exceptions.Exit | KeyboardInterrupt):
        emit("error", failure_kind=type(error).__name__, failure_message=str(error))
    took_s = time.perf_counter() - began
    emit("command_finished", command=ctx.invoked_subcommand, exit_code=exit_code, duration_s=took_s)


def _code(error: BaseException) -> int:
    if isinstance(error, GemmaEvalError):
        return USAGE_ERROR
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, click.ClickException | click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1


def _path(given: object) -> Path | None:
    """Return the file of the log; where the settings cannot be read the command itself says so."""
    if isinstance(given, str):
        return Path(given).absolute()
    from gemma_eval.cli import chosen
    from gemma_eval.config import settings

    try:
        found = settings.load(chosen.places(), environment=os.environ).log_json
    except UsageError:
        return None
    return None if found is None else found.absolute()
