"""Rows of a dataset run with one engine, some at once where it serves them, and none is lost or run twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gemma_eval.cases.expand import trials
from gemma_eval.errors import ModelNotFound
from gemma_eval.executors.in_process import CellResult, Engines
from gemma_eval.executors.rows import RowCell, row_cells, run_rows
from gemma_eval.protocols import Backend
from gemma_eval.records import (
    Case,
    Check,
    Dataset,
    EngineInfo,
    Generation,
    ModelSpec,
    Outcome,
    Prompt,
    Retrieved,
    RowCase,
    Trial,
)
from gemma_eval.stages import Stages
from tests.examples import a_cell, a_generation, a_run

CELL = replace(
    a_cell(), case=replace(a_cell().case, id="qa", dataset=Dataset(path="qa.jsonl", rows=4, clusters=4))
)


class Engine:
    """An engine of which nothing but its name is asked."""

    def info(self) -> EngineInfo:
        """Return what a test run says of its engine."""
        return a_run().engines["scripted"]


def a_row(number: int, **changes: object) -> RowCase:
    """Return the case of a row."""
    case = replace(a_cell().case, id=f"qa-{number}", **changes)  # type: ignore[arg-type]
    return RowCase(case=case)


@dataclass
class Line:
    """Stages that note which rows were asked, and how many of them at once."""

    most: int | None = None
    meet: int = 1
    act: Callable[[Trial], None] = lambda trial: None
    asked: list[str] = field(default_factory=list)
    shared: list[bool] = field(default_factory=list)
    brought: list[CellResult] = field(default_factory=list)
    joined: int = 0
    _barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        """Have so many rows meet before any of them is answered."""
        self._barrier = threading.Barrier(self.meet, timeout=20)

    def stages(self, backend: Backend) -> Stages:
        """Return the stages, and count how often they are asked for."""
        del backend
        self.joined += 1
        return Stages(
            retrieve=lambda trial: Retrieved(),
            build_prompt=lambda trial, retrieved: Prompt(
                messages=trial.cell.case.messages, text=None, n_tokens=None
            ),
            generate=self.generate,
            score=lambda case, given: (),
            max_in_flight=self.most,
        )

    def generate(self, prompt: Prompt, trial: Trial) -> Generation:
        """Answer when enough rows are asked; the first is asked alone."""
        del prompt
        self.asked.append(trial.cell.case.id)
        if trial.cell.case.id != "qa-0":
            self._barrier.wait()
        self.act(trial)
        return a_generation()

    def run(
        self,
        rows: Sequence[RowCase],
        *,
        concurrency: int = 1,
        recorded: Sequence[Outcome] = (),
        load: Callable[[ModelSpec], Backend] = lambda spec: cast(Backend, Engine()),
    ) -> list[CellResult]:
        """Run the rows and return what was brought."""
        run_rows(
            row_cells(CELL, rows),
            engines=Engines(load=load),
            join=self.stages,
            recorded={outcome.trial.key: outcome for outcome in recorded},
            concurrency=concurrency,
            bring=self.brought.append,
        )
        return self.brought


def ids(results: Sequence[CellResult]) -> list[str]:
    """Return the cases of results."""
    return [result.outcomes[0].trial.cell.case.id for result in results]


ROWS = tuple(a_row(number) for number in range(7))
NAMES = [row.case.id for row in ROWS]


def test_rows_run_one_after_another_with_one_engine() -> None:
    """The stages are joined once, and each row is brought when it is done."""
    line = Line()
    results = line.run(ROWS)
    assert line.asked == ids(results) == NAMES
    assert line.joined == 1
    assert all(result.engine is not None and result.fresh == result.outcomes for result in results)


def test_as_many_rows_run_at_once_as_the_engine_serves() -> None:
    """Three meet before one of them is answered; the first row was run alone."""
    line = Line(most=3, meet=3)
    results = line.run(ROWS, concurrency=8)
    assert line.asked[0] == "qa-0"
    assert sorted(ids(results)) == NAMES


def test_no_more_rows_run_at_once_than_was_asked_for() -> None:
    """With two that wait for a third nothing would come."""
    line = Line(meet=3)
    line._barrier = threading.Barrier(3, timeout=0.2)
    with pytest.raises(threading.BrokenBarrierError):
        line.run(ROWS, concurrency=2)
    assert line.asked[:1] == ["qa-0"]


def test_what_one_row_of_several_takes_is_not_known() -> None:
    """The first row was alone, and what it took is its own."""
    results = Line(meet=2).run(ROWS[:5], concurrency=2)
    reasons = {
        result.outcomes[0].trial.cell.case.id: result.outcomes[0].measurement.missing.get("cpu_s")
        for result in results
        if result.outcomes[0].measurement is not None
    }
    assert {name for name, reason in reasons.items() if reason == "shared"} == set(NAMES[1:5])


def test_recorded_rows_are_brought_and_not_run() -> None:
    """Without an engine, when there is nothing else to do."""
    before = [outcome for result in Line().run(ROWS) for outcome in result.outcomes]
    line = Line()
    results = line.run(ROWS, recorded=before[:3])
    assert line.asked == NAMES[3:]
    assert [bool(result.fresh) for result in results] == [False] * 3 + [True] * 4
    idle = Line()
    assert ids(idle.run(ROWS, recorded=before)) == NAMES
    assert idle.joined == 0


def test_a_row_with_a_flaw_fails_alone() -> None:
    """The others are run."""
    broken = replace(ROWS[1], flaw="qa.jsonl:2: prompt is empty")
    line = Line()
    results = line.run((ROWS[0], broken, ROWS[2]))
    assert line.asked == ["qa-0", "qa-2"]
    failure = results[1].outcomes[0].failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("usage", "qa.jsonl:2: prompt is empty")
    again = Line().run((broken,), recorded=results[1].outcomes)
    assert again[0].fresh == ()


def test_a_model_that_does_not_load_fails_every_row() -> None:
    """One by one, as it fails every cell."""

    def load(spec: ModelSpec) -> Backend:
        raise ModelNotFound("no such model")

    results = Line().run(ROWS, concurrency=4, load=load)
    assert ids(results) == NAMES
    assert {result.outcomes[0].failure is not None for result in results} == {True}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_interrupt_costs_no_row_that_was_answered(concurrency: int) -> None:
    """Rows in flight end and are brought; then it is raised."""

    def interrupt(trial: Trial) -> None:
        if trial.cell.case.id == "qa-2":
            raise KeyboardInterrupt

    line = Line(act=interrupt)
    with pytest.raises(KeyboardInterrupt):
        line.run(ROWS, concurrency=concurrency)
    answered = {outcome.trial.cell.case.id for result in line.brought for outcome in result.fresh}
    assert answered == set(line.asked) - {"qa-2"}


def test_what_is_brought_in_vain_ends_the_rows() -> None:
    """As a store that is full does: no row is run behind it."""
    line = Line()

    def refuse(result: CellResult) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_rows(
            row_cells(CELL, ROWS),
            engines=Engines(load=lambda spec: cast(Backend, Engine())),
            join=line.stages,
            recorded={},
            concurrency=1,
            bring=refuse,
        )
    assert line.asked == ["qa-0"]


def test_a_dataset_is_warmed_up_once() -> None:
    """And not again for each row of a benchmark."""
    rows = [a_row(number, warmup=2) for number in range(3)]
    line = Line()
    line.run(rows)
    assert line.asked == ["qa-0"] * 3 + ["qa-1", "qa-2"]


def test_a_row_is_asked_as_often_as_the_whole() -> None:
    """`--gemma-repeats` changes the case that stands for all rows."""
    whole = replace(CELL, case=replace(CELL.case, repeats=3))
    cells = [each.cell for each in row_cells(whole, ROWS[:2])]
    assert [len(trials(cell)) for cell in cells] == [3, 3]
    assert [cell.label for cell in cells] == [f"{name}[scripted/greedy/rag]" for name in NAMES[:2]]


def test_a_judge_that_only_some_rows_ask_is_a_flaw() -> None:
    """What is not loaded cannot be asked."""
    check = Check(scorer="judge", judges=("big",))
    (row,) = row_cells(CELL, [a_row(1, checks=(check,))])
    assert row.flaw is not None
    assert "asks the judge big" in row.flaw


def test_a_row_run_twice_would_be_noticed() -> None:
    """The comparisons above can fail."""
    line = Line()
    line.run((*ROWS, ROWS[0]))
    assert line.asked != NAMES
    assert isinstance(RowCell(cell=CELL).cell.case, Case)
