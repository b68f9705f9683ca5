"""`--gemma-log-json`: every process of a session tells what happens to one log, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.executors.arm import INSIDE
from gemma_eval.logs import context
from gemma_eval.logs.events import emit
from gemma_eval.pytest_plugin import options
from gemma_eval.records import Run

WORKER_RUN = "gemma_eval_run"
"""What a worker is told: the id of the run that its lines are about, or `None`."""


def path_of(config: pytest.Config) -> Path | None:
    """Return the file of the log, `None` where none is asked for. A block of a comparison has none."""
    if INSIDE in os.environ:
        return None
    given = cast(str | None, config.getoption("gemma_log_json"))
    chosen = Path(given) if given else options.settings(config).log_json
    return None if chosen is None else config.invocation_params.dir / chosen


def start(config: pytest.Config, *, run: str | None, worker: str | None) -> None:
    """Begin to write the log of this process. Raises pytest.UsageError where it cannot be written."""
    path = path_of(config)
    if path is None:
        return
    from gemma_eval.logs import json_file  # here, for it costs an import that most runs do not need

    try:
        json_file.start(path, run=run, worker=worker)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(json_file.stop)
    if worker is None:
        config.pluginmanager.register(_Flaw(path), "gemma_eval_log")


def told_run() -> str | None:
    """Return the run that the lines of this session are about, for its workers."""
    return context.process.run


def run_started(run: Run, *, database: Path, resumed: str | None) -> None:
    """Tell that a run begins."""
    emit(
        "run_started",
        suites=list(run.suites),
        planned=run.planned,
        database=str(database),
        resumed=resumed is not None,
        commit=run.commit,
    )


class _Flaw:
    """Says at the end that the log is not whole, which fails nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from gemma_eval.logs import json_file

        if (why := json_file.flaw()) is not None:
            terminalreporter.write_line(f"{self._path}: the log is not whole: {why}", yellow=True)
