"""The page as rows and words."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs

from gemma_eval.records import Failure
from gemma_eval.report.matrix import HEAT_STEPS
from gemma_eval.report.view import page
from tests.report.example import Shape, example, report_of
from tests.report.timed import Timed, timed_run

REPORT = example()
PAGE = page(REPORT)


def test_the_summary_has_a_row_for_each_group() -> None:
    """Numbered from 1 in the order of the run."""
    assert [(row.number, row.profile, row.template) for row in PAGE.summaries][:3] == [
        (1, "greedy", "plain"),
        (2, "greedy", "rag"),
        (3, "greedy", "rag-cited"),
    ]
    assert all(row.interval.startswith("[") for row in PAGE.summaries)


def test_the_matrix_marks_one_best_and_what_cannot_be_told_from_it() -> None:
    """Plain prompts lie below; the shade follows the score."""
    (matrix,) = PAGE.matrices
    cells = {
        (row.profile, name): cell
        for row in matrix.rows
        for name, cell in zip(matrix.columns, row.cells, strict=True)
    }
    standings = [cell.standing for cell in cells.values() if cell is not None]
    assert standings.count("best") == 1
    low, high = cells["hot", "plain"], cells["greedy", "rag"]
    assert low is not None
    assert high is not None
    assert low.standing == "below"
    assert 0 <= low.shade < high.shade <= HEAT_STEPS


def test_the_only_cell_of_a_matrix_is_best_of_nothing() -> None:
    """Two models with one profile and one template each: each has a table of one cell."""
    whole = example(Shape(models=("small", "large")))
    one_each = [
        outcome
        for outcome in whole.outcomes
        if (outcome.trial.cell.profile.name, outcome.trial.cell.template.name) == ("greedy", "plain")
    ]
    cells = [
        cell for matrix in page(report_of(one_each)).matrices for row in matrix.rows for cell in row.cells
    ]
    assert [cell.standing for cell in cells if cell is not None] == ["alone", "alone"]


def test_a_pair_that_did_not_run_is_an_empty_cell() -> None:
    """Neither zero nor missing from the grid."""
    outcomes = [
        outcome
        for outcome in REPORT.outcomes
        if (outcome.trial.cell.profile.name, outcome.trial.cell.template.name) != ("hot", "plain")
    ]
    (matrix,) = page(report_of(outcomes)).matrices
    assert matrix.rows[2].cells[0] is None


def test_a_group_links_to_its_cases() -> None:
    """The model is in the link only when there are two."""
    assert parse_qs(PAGE.summaries[1].link[1:]) == {"profile": ["greedy"], "template": ["rag"]}
    two = page(example(Shape(models=("a b", "c&d"), cases=1)))
    assert parse_qs(two.summaries[-1].link[1:])["model"] == ["c&d"]


def test_failures_are_grouped_by_kind_the_most_common_first() -> None:
    """With the first message and some of the cases."""
    timeout = Failure(kind="timeout", message="slow")
    overflow = Failure(kind="context_overflow", message="long")
    outcomes = [
        replace(outcome, generation=None, failure=timeout if index == 0 else overflow)
        for index, outcome in enumerate(example(Shape(cases=8)).outcomes)
    ]
    first, second = page(report_of(outcomes)).failures
    assert (first.kind, first.n, first.message) == ("context_overflow", "71", "long")
    assert first.cases.endswith(" and 3 more")
    assert second.cases == "where-finn-000"


def test_provenance_names_run_host_and_each_model() -> None:
    """What one needs to run it again."""
    run, host, _, _, model = PAGE.provenance
    titles = [facts.title for facts in PAGE.provenance]
    assert titles == ["Run", "Host", "Noise", "Cost of measuring", "Model pocket"]
    assert "pytest --gemma-suite standard" in [fact.value for fact in run.facts]
    assert "numpy" in [fact.name for fact in host.facts]
    assert len({fact.name: fact.value for fact in model.facts}["weights sha256"]) == 64


def test_a_run_without_outcomes_is_still_a_page() -> None:
    """Interrupted before the first trial."""
    empty = page(report_of([], unfinished=4))
    assert empty.headline == "No score was measured."
    assert empty.wholeness == "Of 4 planned trials 4 never ran."
    assert empty.matrices == ()
    assert empty.scatter is None


def test_a_run_of_benchmarks_leaves_out_what_only_scores_have() -> None:
    """No matrix of dashes; its tables, pictures, noise and cost of measuring instead."""
    timed = page(timed_run())
    assert timed.matrices == ()
    assert not timed.scored
    assert timed.noisy is not None
    assert timed.harness is not None
    assert timed.benchmarks is not None
    assert timed.loads is not None
    assert len(timed.dots) == 2


def test_a_quality_run_has_no_loads_and_a_fair_one_no_band() -> None:
    """Nothing is shown that is not there."""
    assert PAGE.scored
    assert PAGE.loads is None
    assert PAGE.dots == ()
    assert PAGE.noisy is None
    assert page(timed_run(Timed(noisy=False, repeats=1, loads=False))).noisy is None
