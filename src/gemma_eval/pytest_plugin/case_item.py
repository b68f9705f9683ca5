"""A cell as an item of pytest: a case with one model, profile, template and retrieval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors.in_process import CellResult
from gemma_eval.pytest_plugin.demands import explain, missed
from gemma_eval.pytest_plugin.evaluation import EVALUATION
from gemma_eval.pytest_plugin.pins import refuse_changed
from gemma_eval.records import Cell

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackStyle

RESULT = pytest.StashKey[CellResult]()


class CellFailure(Exception):
    """A cell missed a demand; the message is what a person reads instead of a traceback."""


class CaseItem(pytest.Item):
    """A case with one model, profile, template and retrieval; `refusal` is why its engine cannot run it."""

    refusal: str | None = None

    def __init__(self, *, cell: Cell, **node: object) -> None:
        """Take the cell, its names as keywords for `-k`, and its markers for `-m`."""
        super().__init__(**node)  # type: ignore[arg-type]
        self.cell = cell
        self.extra_keyword_matches.update(cell.group.names)
        self.extra_keyword_matches.update(cell.case.tags)
        self.add_marker("gemma")
        self.add_marker(f"gemma_{cell.case.kind}")

    def runtest(self) -> None:
        """Run the trials of the cell. Raises CellFailure when a demand is missed."""
        evaluation = self.config.stash[EVALUATION]
        refuse_changed(self.cell, evaluation)
        result = evaluation.run(self.cell)
        self.stash[RESULT] = result
        if result.raised is not None:
            raise result.raised
        lines = missed(result.outcomes)
        if lines:
            raise CellFailure(explain(result.outcomes, lines))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """Return the missed demands in plain words; a traceback is kept for faults of code."""
        if isinstance(excinfo.value, CellFailure | GemmaEvalError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line (from 0) and name of the case."""
        return self.path, max(self.cell.case.source.line - 1, 0), self.name
