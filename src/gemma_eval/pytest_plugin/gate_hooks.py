"""The hooks of gating: blocks when all items were run, and each gate as a report when the run has ended."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from gemma_eval.errors import GemmaEvalError
from gemma_eval.pytest_plugin import gate_reports
from gemma_eval.pytest_plugin.gatekeeper import Gatekeeper
from gemma_eval.pytest_plugin.recording import Recording


class GateHooks:
    """What pytest calls; nothing is done where no run was begun."""

    def __init__(self, keeper: Gatekeeper, recording: Recording) -> None:
        """Gate what is recorded there."""
        self._keeper = keeper
        self._recording = recording

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Measure blocks when all items were run; an interrupt of the items leaves them out."""
        result = yield
        if (recorder := self._recording.recorder) is not None:
            try:
                self._keeper.measure(recorder)
            except GemmaEvalError as error:
                self._recording.say_problem(error)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the run, and report each gate as a test before anybody writes down what was reported."""
        recorder = self._recording.end(is_whole=self._keeper.is_whole)
        if recorder is None:
            return
        try:
            gating = self._keeper.judge(recorder)
        except GemmaEvalError as error:
            self._recording.say_problem(error)
            return
        if gating is None:
            return
        settings = self._keeper.settings
        session.testscollected += len(gating.gated)
        _begin_line(session.config)
        hook = session.config.hook
        for call, end in gate_reports.reports(gating, settings, rootdir=session.config.rootpath):
            where = {"nodeid": call.nodeid, "location": call.location}
            hook.pytest_runtest_logstart(**where)
            hook.pytest_runtest_logreport(report=call)
            hook.pytest_runtest_logreport(report=end)
            hook.pytest_runtest_logfinish(**where)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = gate_reports.exit_code(gating, settings)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show a verdict in its own word."""
        return gate_reports.status(report)


def _begin_line(config: pytest.Config) -> None:
    """With `-q` the letters of items end in 100 % on a line without a name; gates have one of their own."""
    shown = config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(shown, pytest.TerminalReporter) and shown.verbosity < 0:
        shown.write_line("")
