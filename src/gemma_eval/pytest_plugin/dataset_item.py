"""A dataset as one item of pytest: its rows with one model, profile, template and retrieval."""

from __future__ import annotations

from dataclasses import dataclass, field

from gemma_eval.executors.in_process import CellResult
from gemma_eval.pytest_plugin import row_reports
from gemma_eval.pytest_plugin.case_item import RESULT, CaseItem, CellFailure
from gemma_eval.pytest_plugin.counter import counter
from gemma_eval.pytest_plugin.demands import missed
from gemma_eval.pytest_plugin.evaluation import EVALUATION
from gemma_eval.pytest_plugin.pins import refuse_changed
from gemma_eval.records import EngineInfo, Outcome

MOST_SHOWN = 10
"""So many rows that miss a demand are shown, and how many there are."""


class DatasetItem(CaseItem):
    """The rows of a dataset: each is recorded when it is done; the item fails when one misses a demand."""

    def runtest(self) -> None:
        """Run the rows that are not recorded. Raises CellFailure when a demand is missed."""
        refuse_changed(self.cell, self.config.stash[EVALUATION])
        dataset = self.cell.case.dataset
        rows = 0 if dataset is None else dataset.rows
        tally, count = _Tally(), counter(self.config, of=rows)

        def bring(result: CellResult) -> None:
            self.stash[RESULT] = result  # what an interrupt finds is recorded again, which does nothing twice
            if result.fresh:
                row_reports.send(self, result)
            tally.add(result)
            count.show(tally.rows)

        try:
            self.config.stash[EVALUATION].run_rows(self.cell, bring)
        finally:
            count.clear()
        self.stash[RESULT] = tally.result()
        if tally.missed:
            raise CellFailure(tally.explanation(rows))


@dataclass(kw_only=True, slots=True)
class _Tally:
    """What is kept of rows that are done: how many, the first that missed a demand, and why some failed."""

    rows: int = 0
    missed: int = 0
    shown: list[str] = field(default_factory=list)
    failed: dict[str, Outcome] = field(default_factory=dict)
    engine: EngineInfo | None = None

    def add(self, result: CellResult) -> None:
        """Take in one row."""
        self.rows += 1
        self.engine = self.engine or result.engine
        for outcome in result.outcomes:
            if outcome.failure is not None:
                self.failed.setdefault(outcome.failure.kind, outcome)
        lines = missed(result.outcomes) if result.outcomes else ()
        if lines:
            self.missed += 1
            if self.missed <= MOST_SHOWN:
                name = result.outcomes[0].trial.cell.case.id
                self.shown += [f"  {name}: {line}" for line in lines]

    def result(self) -> CellResult:
        """Return what is to be known of the item: an answer that failed for each kind of failure."""
        return CellResult(outcomes=tuple(self.failed.values()), fresh=(), engine=self.engine)

    def explanation(self, rows: int) -> str:
        """Say how many rows miss a demand, and what the first of them miss."""
        first = f"; the first {MOST_SHOWN}" if self.missed > MOST_SHOWN else ""
        verb = "misses" if self.missed == 1 else "miss"
        return "\n".join([f"{self.missed:,} of {rows:,} rows {verb} a demand{first}:", *self.shown])
