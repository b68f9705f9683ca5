"""Errors of gemma_eval in pytest's words: one line per problem, paths as a person would type them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import ConfigError, GemmaEvalError, Problem, SuiteError
from gemma_eval.logs.events import emit
from gemma_eval.logs.redact import clear
from gemma_eval.report.visible import visible


def lines_of(error: GemmaEvalError, *, here: Path) -> tuple[str, ...]:
    """Return the problems that an error carries, one line each."""
    if isinstance(error, SuiteError | ConfigError):
        return tuple(visible(clear(str(_nearer(problem, here)))) for problem in error.problems)
    return tuple(visible(line.replace(f"{here}/", "")) for line in clear(str(error)).splitlines())


def usage_error(error: GemmaEvalError, *, here: Path) -> pytest.UsageError:
    """Return the error that ends pytest with the exit code of a usage error (4), which the log is told."""
    emit("error", failure_kind=error.kind, failure_message=str(error))
    return pytest.UsageError(*lines_of(error, here=here))


def relative(path: Path, here: Path) -> Path:
    """Return `path` as seen from `here` when it lies below, else unchanged."""
    return path.relative_to(here) if path.is_relative_to(here) else path


def _nearer(problem: Problem, here: Path) -> Problem:
    return replace(problem, path=relative(problem.path, here))
