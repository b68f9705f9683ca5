"""Says on the terminal whom a benchmark waits for: the machine is lent to one process at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.executors import device
from gemma_eval.pytest_plugin.problems import relative


class Waiting:
    """Says it once for each process that is waited for; workers of pytest-xdist have no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        """Speak through the reporter of this session."""
        self._config = config
        self._said: set[int | None] = set()

    def __call__(self, pid: int | None) -> None:
        """Break the line of progress, say it, and go on with that line."""
        manager = self._config.pluginmanager
        shown, capture = manager.get_plugin("terminalreporter"), manager.get_plugin("capturemanager")
        if pid in self._said or not isinstance(shown, pytest.TerminalReporter):
            return
        self._said.add(pid)
        if capture is None:
            self._say(shown, pid)
            return
        with capture.global_and_fixture_disabled():
            self._say(shown, pid)

    def _say(self, shown: pytest.TerminalReporter, pid: int | None) -> None:
        line = shown.currentfspath
        shown.ensure_newline()
        shown.write_line(f"gemma_eval: {device.in_words(pid)}")
        if isinstance(line, Path):  # of a file; one of an item is written again with its result
            shown.write(f"{relative(line, self._config.invocation_params.dir)} ")
            shown.currentfspath = line
