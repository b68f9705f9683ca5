"""Says on the terminal whom a benchmark waits for: the machine is lent to one process at a time."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol, runtime_checkable

import psutil
import pytest

from gemma_eval.executors import device
from gemma_eval.pytest_plugin.problems import relative

PANEL = "gemma_eval_panel"
"""The name of the plugin that has the terminal for itself, where there is one."""


@runtime_checkable
class Panel(Protocol):
    """What of it is used here."""

    def say(self, what: str) -> None:
        """Write a line above it."""


class Waiting:
    """Says it once for each process that is waited for.

    A worker of pytest-xdist has a reporter that nobody sees, and writes to the standard error that it shares
    with the process which started it. It does not say that it waits for a worker of the same run, whose
    results are seen to come.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Speak for this session."""
        self._config = config
        self._is_worker = hasattr(config, "workerinput")
        self._said: set[int | None] = set()

    def __call__(self, pid: int | None) -> None:
        """Say it, though pytest captures what is written meanwhile."""
        if pid in self._said or (self._is_worker and _is_of_this_run(pid)):
            return
        self._said.add(pid)
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            self._say(f"gemma_eval: {device.in_words(pid)}")

    def _say(self, what: str) -> None:
        shown = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._is_worker:
            print(f"\n{what}", file=sys.stderr, flush=True)
        elif isinstance(panel := self._config.pluginmanager.get_plugin(PANEL), Panel):
            panel.say(what)
        elif isinstance(shown, pytest.TerminalReporter):
            self._report(what, shown)

    def _report(self, what: str, shown: pytest.TerminalReporter) -> None:
        """Break the line of progress, say it, and go on with that line."""
        line = shown.currentfspath
        shown.ensure_newline()
        shown.write_line(what)
        if isinstance(line, Path):  # of a file; one of an item is written again with its result
            shown.write(f"{relative(line, self._config.invocation_params.dir)} ")
            shown.currentfspath = line


def _is_of_this_run(pid: int | None) -> bool:
    """Whether the process that started this worker has started that one too."""
    try:
        return pid is not None and psutil.Process(pid).ppid() == os.getppid()
    except psutil.Error:
        return False
