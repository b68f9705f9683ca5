"""`--gemma-plan`: shows the cells that would run and about how long that takes, and runs nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from statistics import fmean

import pytest

from gemma_eval.cases.gates import DEFAULT_GATES
from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors.refusals import in_words
from gemma_eval.gating.hold import read_earlier
from gemma_eval.pytest_plugin import gate_options
from gemma_eval.pytest_plugin.begin import describe_run
from gemma_eval.pytest_plugin.case_item import CaseItem
from gemma_eval.pytest_plugin.evaluation import Evaluation
from gemma_eval.pytest_plugin.gates_in_force import gates_of
from gemma_eval.pytest_plugin.matrix import check, left_out
from gemma_eval.pytest_plugin.plan_power import block_s, blocks_line, power_lines
from gemma_eval.pytest_plugin.problems import relative
from gemma_eval.records import Cell, Outcome, Skipped
from gemma_eval.report import numbers
from gemma_eval.store.read import open_reader
from gemma_eval.verdict.history import Earlier


class Plan:
    """Hooks that take the place of running."""

    def __init__(self, evaluation: Evaluation) -> None:
        """Plan this evaluation, in this process alone."""
        self._evaluation = evaluation
        option = evaluation.config.option
        if evaluation.config.pluginmanager.hasplugin("xdist"):
            option.dist, option.tx, option.numprocesses = "no", [], None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Show the plan. Returns `None` after a collection error, so that pytest reports it."""
        if session.testsfailed:
            return None
        evaluation = self._evaluation
        loaded = tuple(evaluation.suites.values())
        check(loaded, evaluation.settings)
        cells = [item.cell for item in session.items if isinstance(item, CaseItem) and item.refusal is None]
        shown = [*lines(cells, self._earlier(cells)), *map(_skipped, left_out(loaded)), *self._power(cells)]
        sys.stdout.write("\n".join(["", *evaluation.notices, *shown, ""]))
        return True

    def _power(self, cells: Sequence[Cell]) -> list[str]:
        """Return what a comparison would find, by the gates in force, or by the usual ones."""
        evaluation = self._evaluation
        gates = gates_of(evaluation, gate_options.read(evaluation.config)) or DEFAULT_GATES
        earlier = self._compared(cells)
        found = list(power_lines(cells, gates, earlier))
        blocks = blocks_line(cells, gates, each_s=block_s(earlier))
        return ["what a comparison would find:", *found, *([blocks] if blocks else [])] if found else []

    def _compared(self, cells: Sequence[Cell]) -> tuple[Earlier, ...]:
        """Return the comparisons of these suites that were made in turn on this machine."""
        database = self._evaluation.settings.database
        if not database.exists():
            return ()
        now = describe_run(
            "",
            started=datetime.now(UTC),
            suites=tuple({cell.suite for cell in cells}),
            planned=0,
            arguments=(),
            folder=self._evaluation.here,
        )
        try:
            return read_earlier(database, now, together=True)
        except GemmaEvalError:
            return ()

    def _earlier(self, cells: Sequence[Cell]) -> Known | None:
        """Return the newest run in which one of the models answered; one of the same suites goes first."""
        database = self._evaluation.settings.database
        models = {cell.model.name for cell in cells}
        suites = {cell.suite for cell in cells}
        if not database.exists():
            return None
        try:
            with closing(open_reader(database)) as reader:
                for run in sorted(reader.runs(), key=lambda run: suites.isdisjoint(run.suites)):
                    outcomes = reader.outcomes(run.id) if models & set(run.engines) else ()
                    if any(_answered(outcome, models) for outcome in outcomes):
                        where = f"run {run.id} in {relative(database, self._evaluation.here)}"
                        return Known(where=where, outcomes=outcomes)
        except GemmaEvalError:
            return None
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Outcomes from which a duration is estimated, and where they are from."""

    where: str
    outcomes: tuple[Outcome, ...]


def lines(cells: Sequence[Cell], earlier: Known | None) -> list[str]:
    """Return the plan: every cell with its generations, the totals, and the estimated time."""
    shown: list[str] = []
    for suite, members in groupby(cells, key=lambda cell: cell.suite):
        shown.append(f"suite {suite}")
        shown.extend(f"  {cell.label}  {cell.case.kind}, {_generations(cell)}" for cell in members)
    measured = sum(cell.case.n_trials for cell in cells if cell.case.kind != "retrieval")
    searches = sum(cell.case.n_trials for cell in cells) - measured
    warmup = sum(cell.case.warmup for cell in cells)
    searched = f" and {_many(searches, 'search')}" if searches else ""
    recorded = f"{_many(measured, 'generation')}{searched} to be recorded"
    shown.append(f"{_many(len(cells), 'cell')}, {recorded}, {warmup} to warm up")
    shown.append(_estimate(cells, earlier))
    return shown


def estimate_s(cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> tuple[float, int]:
    """Return the estimated seconds of generating and the number of cells that could not be estimated.

    A cell takes the mean of what its group took before, else of what its model took.
    """
    times: dict[tuple[str, ...], list[float]] = {}
    for outcome in outcomes:
        if (took_s := _took_s(outcome)) is not None:
            for key in _keys(outcome.trial.cell):
                times.setdefault(key, []).append(took_s)
    per_cell = [_seconds(cell, times) for cell in cells]
    return sum(time for time in per_cell if time is not None), per_cell.count(None)


def _took_s(outcome: Outcome) -> float | None:
    """Return what an answer took; one of a batch or a reading is not timed, and took its share of it."""
    if outcome.measurement is None or outcome.generation is None:
        return None
    if outcome.measurement.e2e_s is not None:
        return outcome.measurement.e2e_s
    generation = outcome.generation
    return (generation.ended_ns - generation.requested_ns) / 1e9 / generation.batch_size


def _answered(outcome: Outcome, models: Set[str]) -> bool:
    return outcome.measurement is not None and outcome.trial.cell.model.name in models


def _seconds(cell: Cell, times: Mapping[tuple[str, ...], Sequence[float]]) -> float | None:
    if cell.case.kind == "retrieval":
        return 0.0  # nobody writes anything
    known = next((times[key] for key in _keys(cell) if key in times), None)
    return None if known is None else fmean(known) * (cell.case.n_trials + cell.case.warmup)


def _keys(cell: Cell) -> tuple[tuple[str, ...], ...]:
    return cell.group.names, (cell.model.name,)


def _estimate(cells: Sequence[Cell], earlier: Known | None) -> str:
    if earlier is None:
        return "estimated time: unknown, no earlier run of these models is in the database"
    seconds, unknown = estimate_s(cells, earlier.outcomes)
    were = "was" if unknown == 1 else "were"
    more = f", and {_many(unknown, 'cell')} that {were} not measured before" if unknown else ""
    return f"estimated time: {numbers.seconds(seconds)} of generating{more} (from {earlier.where})"


def _generations(cell: Cell) -> str:
    many = _many(cell.case.n_trials, "search" if cell.case.kind == "retrieval" else "generation")
    if cell.case.dataset is not None:
        many = f"{_many(cell.case.dataset.rows, 'row')}, {many}"
    return f"{many} after {cell.case.warmup} to warm up" if cell.case.warmup else many


def _skipped(each: Skipped) -> str:
    return f"skipped, {_many(each.cells, 'cell')}: {in_words(each)}"


def _many(count: int, noun: str) -> str:
    plural = "es" if noun.endswith("ch") else "s"
    return f"1 {noun}" if count == 1 else f"{count} {noun}{plural}"
