"""`--gemma-panel`: shows on a terminal how far a run is, in the place of pytest's dots.

It is drawn between items, never by a thread of its own, and not while a benchmark runs: what is drawn between
two tokens would be measured with them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from gemma_eval.executors.arm import INSIDE
from gemma_eval.pytest_plugin import payload
from gemma_eval.pytest_plugin.progress import Progress
from gemma_eval.pytest_plugin.waiting import PANEL
from gemma_eval.records import Cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

NAME = PANEL
EVERY_S = 0.2
"""It is drawn no more often before items that take less: what is read by eye need not be newer."""
LONG_S = 0.5
"""Before an item that may take longer it is drawn at once, as it then stands for a while."""

_IN_LINES = ("usepdb", "setupshow", "setuponly", "collectonly")


class Panel:
    """The hooks that draw it; the one process of a session that records has one."""

    def __init__(
        self,
        cell_of: Callable[[str], Cell | None],
        *,
        has_workers: Callable[[], bool],
        console: Callable[[], Console] | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show on a terminal the progress of items, whose cells are asked for by their node ids."""
        self._cell_of = cell_of
        self._has_workers = has_workers
        self._console = console or _terminal
        self._clock_s = clock_s
        self._began_s = self._drawn_s = clock_s()
        self._live: Live | None = None
        self._is_shown = False
        self._progress = Progress((), {})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take in the items of a session without workers."""
        self._plan([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Take in the items that workers have collected."""
        if not self._progress.planned:
            self._plan(ids)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Have the terminal to itself while items run, and leave nothing on it."""
        shown = session.config.pluginmanager.get_plugin("terminalreporter")
        if isinstance(shown, pytest.TerminalReporter):
            shown.showfspath = False
        self._is_shown = True
        try:
            return (yield)
        finally:
            self._is_shown = False
            self.end()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, str, object] | None, tuple[str, str, object] | None]:
        """Have pytest count what became of an item, and write no letter for it; its summary says it later."""
        found = yield
        is_told = self._is_shown and isinstance(report, pytest.TestReport)
        return (found[0], "", "") if found is not None and is_told else found

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show which item runs next, before it does; that of a worker may run already."""
        self._progress.begin(nodeid, now_s=self._clock_s())
        expected_s = self._progress.expected_s(nodeid)
        if not (self._has_workers() and self._measures()):
            self._draw(at_once=expected_s is None or expected_s > LONG_S)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what an item has measured, once it is recorded."""
        brought = payload.of(report)
        if brought is not None:
            self._progress.learn(report.nodeid, brought.outcomes)
        if report.failed:
            self._progress.fail(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note what an item came to; where there is one process, that is shown when the next begins."""
        self._progress.end(nodeid, now_s=self._clock_s())
        is_last = self._progress.done == self._progress.planned
        if is_last or (self._has_workers() and not self._measures()):
            self._draw(at_once=is_last)

    def pytest_enter_pdb(self) -> None:
        """Leave the terminal to the debugger."""
        self.end()

    def say(self, what: str) -> None:
        """Write a line above the panel."""
        from rich.text import Text

        self._live_now().console.print(Text(what))

    def end(self) -> None:
        """Take the panel away; a second call does nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _measures(self) -> bool:
        """Whether a benchmark is among what runs."""
        return any(self._progress.kind(nodeid) == "benchmark" for nodeid in self._progress.running)

    def _plan(self, ids: Sequence[str]) -> None:
        found = ((nodeid, self._cell_of(nodeid)) for nodeid in ids)
        self._progress = Progress(ids, {nodeid: cell for nodeid, cell in found if cell is not None})

    def _draw(self, *, at_once: bool) -> None:
        from gemma_eval.pytest_plugin.panel_lines import panel

        now_s = self._clock_s()
        if not at_once and now_s - self._drawn_s < EVERY_S:
            return
        live = self._live_now()
        size = live.console.size
        live.update(panel(self._progress, gone_s=now_s - self._began_s, height=size.height), refresh=True)
        self._drawn_s = self._clock_s()

    def _live_now(self) -> Live:
        """Return what draws, begun when it is first needed: pytest has said then what it says before."""
        from rich.live import Live

        if self._live is None:
            self._began_s = self._began_s if self._progress.done else self._clock_s()
            self._live = Live(
                console=self._console(),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            self._live.console.show_cursor()  # Ctrl-Z gives the terminal to a shell, which hides none
        return self._live


def can_be_shown(config: pytest.Config) -> bool:
    """Whether somebody looks at a terminal that can move its cursor, and has asked for nothing in lines."""
    in_lines = (
        config.getoption("verbose", 0) > 0,
        config.getoption("capture", "no") == "no",
        *(config.getoption(name, default=False) for name in _IN_LINES),
        config.getini("log_cli"),
        INSIDE in os.environ,
    )
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not any(in_lines)


def _terminal() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)
