"""The cells that are timed: which outcomes make one, in which order they stand, and what of them counts."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import Outcome, Slo
from gemma_eval.report.cells import TimedCell, timed_cells
from gemma_eval.report.groups import groups_of
from tests.examples import an_outcome
from tests.report.example import report_of
from tests.report.timed import CASES, Timed, answer, cell_of, outcome_of, timed_report, timed_run


def cells_of(outcomes: list[Outcome]) -> tuple[TimedCell, ...]:
    """Return the timed cells of a run of those outcomes."""
    report = timed_report(outcomes)
    return timed_cells(report, groups_of(report))


def test_the_models_of_a_case_stand_side_by_side() -> None:
    """Although a run makes all cases of one model before those of the next."""
    report = timed_run(Timed(loads=False, trouble=False, repeats=1))
    found = [(cell.name, cell.group.model) for cell in timed_cells(report, groups_of(report))]
    assert found == [(name, model) for name in CASES for model in ("small", "large")]


def test_quality_cases_are_not_timed_one_by_one() -> None:
    """Unless they promise something."""
    outcome = an_outcome()
    assert timed_cells(report_of([outcome]), groups_of(report_of([outcome]))) == ()
    case = replace(outcome.trial.cell.case, slo=Slo(limits={"ttft_s": 1.0}))
    promised = replace(outcome, trial=replace(outcome.trial, cell=replace(outcome.trial.cell, case=case)))
    assert len(timed_cells(report_of([promised]), groups_of(report_of([promised])))) == 1


def test_a_case_is_called_by_its_suite_where_two_suites_have_it() -> None:
    """And by its id alone where one has."""
    cell = cell_of("read")
    outcomes = [outcome_of(each, answer(10, 20)) for each in (cell, replace(cell, suite="other"))]
    assert [each.name for each in cells_of(outcomes)] == ["performance: read", "other: read"]
    assert cells_of(outcomes[:1])[0].name == "read"


def test_a_group_without_a_summary_keeps_its_cells() -> None:
    """A report may be made of outcomes alone."""
    report = replace(timed_report([outcome_of(cell_of("read"), answer(10, 20))]), summaries=())
    assert len(timed_cells(report, groups_of(report))) == 1


def test_warm_up_and_broken_answers_are_in_no_figure() -> None:
    """They are kept with the cell all the same."""
    cell = cell_of("read")
    broken = replace(answer(500, 600), finish_reason="error")
    failed = replace(outcome_of(cell, broken, repeat=1), failure=None)
    (found,) = cells_of(
        [
            outcome_of(cell, answer(900, 999), repeat=0, phase="warmup"),
            failed,
            outcome_of(cell, answer(10, 20), repeat=2),
        ]
    )
    assert len(found.outcomes) == 3
    assert len(found.measured) == 2
    assert len(found.answers) == 1
    assert found.summary("ttft_s").p50 == 0.01
