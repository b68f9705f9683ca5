"""What a row of a dataset came to, on its way to the process that records, while its item goes on.

It travels as a report of its item that pytest and its plugins take for one of a set-up that passed: nothing
is shown for it, and pytest-xdist carries it as soon as it is made.
"""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest

from gemma_eval.executors.in_process import CellResult
from gemma_eval.pytest_plugin import payload

_SILENT = ""
"""The category under which pytest keeps reports that it does not show."""


def send(item: pytest.Item, result: CellResult) -> None:
    """Have the outcomes of a row recorded now. Raises what ends the run when they cannot be."""
    now = time.time()
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="passed",
        longrepr=None,
        when="setup",
        start=now,
        stop=now,
    )
    payload.attach(report, result, mendable=False)
    item.ihook.pytest_runtest_logreport(report=report)


class RowReports:
    """Forgets the reports of rows when everybody has heard them: a dataset has very many."""

    def __init__(self, config: pytest.Config) -> None:
        """Forget them in this session."""
        self._config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take a report of a row from where pytest keeps what it has shown."""
        yield
        shown = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.when == "setup" and payload.is_ours(report) and isinstance(shown, pytest.TerminalReporter):
            kept = shown.stats.get(_SILENT, [])
            if kept and kept[-1] is report:
                kept.pop()
