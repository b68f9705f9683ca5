"""The hooks of every process that runs cells: order, transport, and closing the engine."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from gemma_eval.executors.arm import INSIDE
from gemma_eval.logs.redact import clear
from gemma_eval.pytest_plugin import payload
from gemma_eval.pytest_plugin.case_item import RESULT, CaseItem
from gemma_eval.pytest_plugin.demands import mendable
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.matrix import by_model
from gemma_eval.pytest_plugin.suite_file import collect


class EveryProcess:
    """Hooks around the items of one process."""

    def __init__(self, evaluation: Evaluation) -> None:
        """Work on this evaluation."""
        self._evaluation = evaluation

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Add the suites from elsewhere; then put the items of one model together, whatever was shuffled."""
        for asked in self._evaluation.elsewhere:
            found = session.genitems(collect(asked.path, session))
            items.extend(item for item in found if isinstance(item, CaseItem) and asked.selects(item.name))
        yield
        if INSIDE in os.environ:  # a block runs nothing else
            items[:] = [item for item in items if isinstance(item, CaseItem)]
        items[:] = by_model(items, lambda item: item.cell.model.name if isinstance(item, CaseItem) else None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the outcomes of a cell on the report of its call."""
        report = yield
        result = item.stash.get(RESULT, None)
        if call.when == "call" and result is not None:
            payload.attach(report, result, mendable=mendable(result.outcomes))
        if isinstance(item, CaseItem):
            _clear(report)
        return report

    def pytest_unconfigure(self) -> None:
        """Free the engines."""
        self._evaluation.close()


def _clear(report: pytest.TestReport) -> None:
    """Take secrets out of what is shown of a failure, and of what was printed meanwhile."""
    report.sections = [(heading, clear(text)) for heading, text in report.sections]
    shown = "" if report.longrepr is None else str(report.longrepr)
    if (cleared := clear(shown)) != shown:
        report.longrepr = cleared
