"""The exit code when all that failed can be mended by a person: that of a usage error."""

from __future__ import annotations

import pytest

from gemma_eval.pytest_plugin import payload
from gemma_eval.pytest_plugin.evaluation import Evaluation

_OF_FAILURES = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


class ExitCode:
    """Counts what failed, and what of it was a suite, model or template that needs mending."""

    def __init__(self, evaluation: Evaluation) -> None:
        """Look at the reports of this evaluation."""
        self._evaluation = evaluation
        self._failed = 0
        self._mendable = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an item."""
        if report.failed:
            self._failed += 1
            self._mendable += payload.is_mendable(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that could not be read."""
        if report.failed:
            self._failed += 1
            self._mendable += self._evaluation.suite_path(report.nodeid) is not None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Exit as for a usage error when nothing failed for another reason."""
        if self._failed and self._failed == self._mendable and session.exitstatus in _OF_FAILURES:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
