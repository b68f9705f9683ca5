"""Writes a run to the results database while it goes on, and its reports at the end."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from gemma_eval.cases.expand import trials
from gemma_eval.errors import GemmaEvalError, UsageError
from gemma_eval.executors.arm import Measured
from gemma_eval.logs.events import emit
from gemma_eval.plugins import Registry
from gemma_eval.pytest_plugin.payload import Payload
from gemma_eval.records import Cell, EngineInfo, Gating, Microbenchmark, Noise, Outcome, Report, Run, Trial
from gemma_eval.report.render import write
from gemma_eval.run import make_report
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import Store, open_store


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """A run that has ended, the files that were written of it, and what plugins broke meanwhile."""

    report: Report
    written: tuple[Path, ...]
    problems: tuple[str, ...]

    def named_files(self) -> tuple[tuple[str, Path], ...]:
        """Return each file with the name to show beside it."""
        return tuple(("report", path) for path in self.written)


class Recorder:
    """The one writer of a run; an outcome is acknowledged when `record` returns."""

    def __init__(
        self,
        run: Run,
        planned: Collection[Trial],
        *,
        database: Path,
        reports: Path,
        base: Run | None = None,
    ) -> None:
        """Open the database and plan the run, or go on with it. Raises StoreError, UsageError.

        `base` is the run of what is measured in turn with it, block by block; it is the one before.
        """
        _require_writable(reports)
        self.run = run
        self.base = base
        self.database = database
        self._reports = reports
        self._models: set[str] = set()
        self._judges: dict[str, EngineInfo] = {}
        self._store: Store = open_store(database)
        if base is not None:
            self._store.begin(base, ())
        self._store.begin(run, planned)

    def record(self, payload: Payload, registry: Registry) -> tuple[str, ...]:
        """Commit the outcomes of an item: one by one, those of a load all at once. Raises StoreError.

        Each is shown to the observers after its commit; what an observer breaks costs no outcome and is
        returned in words, and so is that a load is not kept, since more of it was answered before.
        """
        if not payload.outcomes:
            return ()
        self._note_engine(payload)
        committed = self._committed(payload.outcomes)
        if committed is None:
            return self._not_kept(payload.outcomes)
        problems: list[str] = []
        for outcome in committed:
            problems += _observed(partial(registry.hook.outcome_recorded, outcome=outcome))
        return tuple(problems)

    def record_block(self, run_id: str, measured: Measured, *, block: int) -> None:
        """Commit what the process of one side has measured, as that block of a run. Raises StoreError."""
        outcomes = [
            replace(outcome, trial=replace(outcome.trial, block=block)) for outcome in measured.outcomes
        ]
        self._store.extend(run_id, [outcome.trial for outcome in outcomes])
        for model, info in measured.run.engines.items():
            self._store.engine(run_id, model, info)
        for outcome in outcomes:
            self._store.record(run_id, outcome)
        failed = sum(outcome.failure is not None for outcome in outcomes)
        emit("block_recorded", recorded_in=run_id, block=block, trials=len(outcomes), failed=failed)

    def end(self, *, noise: Noise | None, ended_utc: str | None = None, is_whole: bool = True) -> None:
        """End the run, and that of its base, with the engines of judges. Raises StoreError.

        `noise` says how busy the machine was meanwhile, `ended_utc` what time it is. What was interrupted
        between two blocks is not whole, though all that was planned so far is recorded.
        """
        with closing(open_reader(self.database)) as reader:
            planned = reader.run(self.run.id).planned
        for model in self._judges.keys() - self._models:
            self._store.engine(self.run.id, model, self._judges[model])
        recorded = len(self._store.recorded(self.run.id))
        state: Literal["done", "interrupted"] = "done" if is_whole and recorded >= planned else "interrupted"
        self._store.finish(self.run.id, state, noise=noise, ended_utc=ended_utc)
        if self.base is not None:
            self._store.finish(self.base.id, state, noise=noise, ended_utc=ended_utc)

    def note_microbenchmarks(self, measured: Sequence[Microbenchmark]) -> None:
        """Write what pytest-benchmark measured in the same session. Raises StoreError."""
        self._store.note_microbenchmarks(self.run.id, measured)

    def gate(self, gating: Gating) -> None:
        """Write what became of the gates. Raises StoreError."""
        self._store.gate(gating)

    def close(self) -> None:
        """Let go of the database; a second call does nothing. Raises StoreError."""
        self._store.close()

    def report(self, registry: Registry) -> Closed:
        """Summarise the run, which has ended, and write its reports. Raises StoreError.

        A report that could not be written is named among the problems, and costs no other; what was measured
        is in the database.
        """
        with closing(open_reader(self.database)) as reader:
            run, outcomes = reader.run(self.run.id), reader.outcomes(self.run.id)
            report = make_report(run, outcomes, gating=reader.gating(run.id))
        problems = _observed(partial(registry.hook.run_finished, report=report))
        written: list[Path] = []
        for name in registry.reporters:
            try:
                written += write(report, reporters=[registry.reporters[name]()], folder=self._reports)
            except GemmaEvalError as error:
                problems += (str(error),)
            except Exception as error:  # noqa: BLE001 - any fault of a reporter, which may be a plugin's
                problems += (f'the report "{name}" could not be written: {type(error).__name__}: {error}',)
        return Closed(report=report, written=tuple(written), problems=problems)

    def _note_engine(self, payload: Payload) -> None:
        model = payload.outcomes[0].trial.cell.model.name
        if payload.engine is not None and model not in self._models:
            self._store.engine(self.run.id, model, payload.engine)
            self._models.add(model)
        self._judges |= payload.judges

    def _committed(self, outcomes: Sequence[Outcome]) -> Iterable[Outcome] | None:
        """Return each new outcome when it is committed; `None` when a load is not kept."""
        cell = outcomes[0].trial.cell
        if not cell.case.is_whole:
            return (each for each in outcomes if self._store.record(self.run.id, each))
        is_kept = self._store.record_load(self.run.id, outcomes, keys=_keys(cell))
        return outcomes if is_kept else None

    def _not_kept(self, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        """Return the line for a load that was sent again in vain; one that is recorded whole came twice."""
        cell = outcomes[0].trial.cell
        if self._store.recorded(self.run.id).issuperset(_keys(cell)):
            return ()
        answered = sum(outcome.failure is None for outcome in outcomes)
        again, parts = ("load was sent", "requests") if cell.case.load else ("case was asked", "repeats")
        what = f"{cell.label}: the {again} again and {answered} of its {parts} were answered"
        return (f"{what}, not more than before; what was recorded before is kept",)


def _keys(cell: Cell) -> frozenset[str]:
    return frozenset(trial.key for trial in trials(cell))


def _require_writable(folder: Path) -> None:
    """Refuse a folder that cannot take the reports before hours are spent on what goes into them.

    It is made only when there is a report, so that a run that is refused leaves nothing behind.
    """
    try:
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise UsageError(f"{folder}: the reports cannot be written there: {error.strerror}") from error
    if not nearest.is_dir():
        raise UsageError(f"{folder}: the reports cannot be written there: {nearest} is a file; give a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: the reports cannot be written there: {nearest} is read-only")


def _observed(call: partial[object]) -> tuple[str, ...]:
    """Call an observing hook; the fault of a plugin must not cost what was measured."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any fault of a plugin
        return (f"a plugin failed to observe the run: {type(error).__name__}: {error}",)
    return ()
