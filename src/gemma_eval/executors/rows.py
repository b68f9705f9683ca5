"""Runs the rows of a dataset with one engine: one after another, or several at once where it serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field, replace

from gemma_eval.cases.expand import trials
from gemma_eval.errors import UsageError
from gemma_eval.executors.in_process import CellResult, Engines, run_cell
from gemma_eval.protocols import Backend
from gemma_eval.records import Cell, Failure, Outcome, RowCase
from gemma_eval.stages import Stages

Bring = Callable[[CellResult], None]
"""Is given what came of each row as soon as that is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCell:
    """The cell of a row; `flaw` is what keeps it from being run."""

    cell: Cell
    flaw: str | None = None


def row_cells(cell: Cell, rows: Sequence[RowCase]) -> Iterator[RowCell]:
    """Yield the cell of each row of a dataset, which is that of the whole but for the case."""
    judges = {spec.name for spec in cell.judges}
    for row in rows:
        asked = {name for check in row.case.checks for name in check.judges} - judges
        flaw = row.flaw
        if asked and flaw is None:
            flaw = f"asks the judge {min(asked)}, and the first row does not; name the same in each row"
        case, repeats = row.case, cell.case.repeats
        if case.repeats != repeats:  # as --gemma-repeats asks
            case = replace(case, repeats=repeats)
        yield RowCell(cell=replace(cell, case=case), flaw=flaw)


def run_rows(
    rows: Iterable[RowCell],
    *,
    engines: Engines,
    join: Callable[[Backend], Stages],
    recorded: Mapping[str, Outcome],
    concurrency: int,
    bring: Bring,
) -> None:
    """Run rows of one cell, at most `concurrency` at once and no more than the engine serves.

    What is recorded is not run again. The first row is run alone: it finds the engine cold. After an
    interrupt, or what else one row raises, the rows in flight end, what came of them is brought, and then it
    is raised.
    """
    line = _Line(engines=engines, join=join, recorded=recorded, bring=bring)
    remaining = iter(rows)
    for row in remaining:
        line.take(line.run(row))
        threads = line.threads(concurrency)
        if threads > 1:
            line.run_together(remaining, threads)


@dataclass(kw_only=True)
class _Line:
    """The rows that are run, and the stages that they share."""

    engines: Engines
    join: Callable[[Backend], Stages]
    recorded: Mapping[str, Outcome]
    bring: Bring
    joined: Stages | None = field(default=None, init=False)

    def threads(self, concurrency: int) -> int:
        """Return how many rows may be run at once: one until the engine is known."""
        if self.joined is None:
            return 1
        most = self.joined.max_in_flight
        return concurrency if most is None else min(concurrency, most)

    def run(self, row: RowCell) -> CellResult:
        """Run one row, unless something keeps it from being run."""
        if row.flaw is not None:
            return self._not_run(row.cell, row.flaw)
        return run_cell(
            row.cell,
            engines=self.engines,
            join=self._stages,
            recorded=self.recorded,
            is_warm=self.joined is not None,
        )

    def take(self, result: CellResult) -> None:
        """Hand over what came of a row. Raises what ended it."""
        self.bring(result)
        if result.raised is not None:
            raise result.raised

    def run_together(self, rows: Iterator[RowCell], threads: int) -> None:
        """Run rows in threads; the next is begun when one has ended."""
        if self.joined is not None:
            self.joined = replace(self.joined, is_shared=True)
        running: set[Future[CellResult]] = set()
        with ThreadPoolExecutor(threads, thread_name_prefix="row") as pool:
            try:
                for row in rows:
                    running.add(pool.submit(self.run, row))
                    if len(running) == threads:
                        ended, _ = wait(running, return_when=FIRST_COMPLETED)
                        self._take_all(ended, running)
                while running:
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    self._take_all(ended, running)
            except BaseException:
                for future in as_completed(set(running)):
                    if future.exception() is None:
                        self.bring(future.result())
                raise

    def _take_all(self, ended: Iterable[Future[CellResult]], running: set[Future[CellResult]]) -> None:
        """Hand over what came of rows that are no longer running, and then raise what ended one."""
        raised: list[BaseException] = []
        for future in ended:
            error = future.exception()
            if error is None:
                self.bring(future.result())
                error = future.result().raised
            running.discard(future)
            raised += [] if error is None else [error]
        if raised:
            raise raised[0]

    def _stages(self, backend: Backend) -> Stages:
        if self.joined is None:
            self.joined = self.join(backend)
        return self.joined

    def _not_run(self, cell: Cell, flaw: str) -> CellResult:
        """Return what a row comes to that cannot be run: the same failure for each of its trials."""
        failure = Failure(kind=UsageError.kind, message=flaw)
        planned = trials(cell)
        kept = [self.recorded[trial.key] for trial in planned if self.recorded and trial.key in self.recorded]
        if kept:
            return CellResult(outcomes=tuple(kept), fresh=(), engine=None)
        fresh = tuple(
            Outcome(trial=trial, prompt=None, generation=None, measurement=None, failure=failure)
            for trial in planned
        )
        return CellResult(outcomes=fresh, fresh=fresh, engine=None)
