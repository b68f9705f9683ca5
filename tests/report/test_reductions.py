"""Reports say how repeats became a score, and what repeats add to an error is told of means alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gemma_eval.records import Outcome, Reduction, Report
from gemma_eval.report.effect_rows import effect_tables
from gemma_eval.report.grid import grids
from gemma_eval.report.groups import groups_of
from gemma_eval.report.html import Html
from gemma_eval.report.ledger import accounts
from gemma_eval.report.markdown import Markdown
from gemma_eval.report.reductions import score_name, told
from gemma_eval.report.view import page
from gemma_eval.run import make_report
from gemma_eval.stats.reduction import case_score
from gemma_eval.verdict.quality import compare_scores
from gemma_eval.verdict.sides import pairs
from tests.examples import a_run, an_outcome

VALUES = {"greedy": ("110", "100", "000", "111"), "warm": ("100", "100", "100", "110")}
"""What each repeat of four cases scored."""


def answers(by: Reduction, k: int | None = None, *, profiles: tuple[str, ...] = ("greedy",)) -> list[Outcome]:
    """Return the outcomes of four cases of three repeats, reduced so."""
    return [
        reducing(an_outcome(f"case-{number}", profile=profile, repeat=repeat, value=float(value)), by, k)
        for profile in profiles
        for number, values in enumerate(VALUES[profile])
        for repeat, value in enumerate(values)
    ]


def reducing(outcome: Outcome, by: Reduction, k: int | None = None) -> Outcome:
    """Return the outcome as one of a case that reduces its repeats so."""
    cell = outcome.trial.cell
    case = replace(cell.case, reduce=by, k=k, repeats=3, profiles=("greedy", "warm"))
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))


def a_report(outcomes: list[Outcome]) -> Report:
    """Return the report of a whole run."""
    return make_report(a_run(planned=len(outcomes)), outcomes)


EXPECTED: tuple[tuple[Reduction, int | None, tuple[float, ...]], ...] = (
    ("mean", None, (2 / 3, 1 / 3, 0.0, 1.0)),
    ("median", None, (1.0, 0.0, 0.0, 1.0)),
    ("max", None, (1.0, 1.0, 0.0, 1.0)),
    ("all", None, (0.0, 0.0, 0.0, 1.0)),
    ("pass_at_k", 2, (1.0, 2 / 3, 0.0, 1.0)),
    ("pass_hat_k", 2, (1 / 3, 0.0, 0.0, 1.0)),
)


@pytest.mark.parametrize(("by", "k", "expected"), EXPECTED)
def test_every_part_of_a_report_has_the_same_score_of_a_case(
    by: Reduction, k: int | None, expected: tuple[float, ...]
) -> None:
    """The summary, the groups, the grid and a comparison with a run that answered nothing right."""
    outcomes = answers(by, k, profiles=("greedy", "warm"))
    report = a_report(outcomes)
    greedy = [each for each in outcomes if each.trial.cell.profile.name == "greedy"]
    mean = sum(expected) / 4
    summary = next(each for each in report.summaries if each.metric == "score")
    assert summary.mean == pytest.approx(mean)
    (grid,) = grids(report)
    assert grid.means(("greedy", "rag")) == pytest.approx(expected)
    group = groups_of(report)
    assert list(group._cases[group.order[0]].values()) == pytest.approx(expected)
    wrong = [replace(each, scores=(replace(each.scores[0], value=0.0),)) for each in greedy]
    found = compare_scores(pairs(greedy, wrong)[0])
    assert found is not None
    assert found.difference == pytest.approx(mean)


def test_the_check_sees_a_mean_where_another_reduction_is_asked() -> None:
    """Planted: repeats averaged whatever the case says."""
    outcomes = answers("pass_at_k", 2)[:3]
    averaged = sum(each.score or 0.0 for each in outcomes) / 3
    assert case_score(outcomes) != pytest.approx(averaged)


def test_the_score_of_a_table_says_what_it_is() -> None:
    """As the heading, and as the first thing that is read."""
    report = a_report(answers("pass_at_k", 2))
    text = Markdown().render(report).replace("\u2060", "")  # what keeps @ from being a mention
    assert "| score (pass@2) [95 % interval] |" in text
    assert "- **Repeats:** the repeats of each case are reduced by pass@2." in text
    assert "0.67 (pass@2)" in text
    assert page(report).score_name == "score (pass@2)"


def test_every_table_of_scores_has_that_heading() -> None:
    """Of groups and of effects, in Markdown and in HTML, and the matrix says it in its lead."""
    report = a_report(answers("pass_at_k", 2, profiles=("greedy", "warm")))
    text = Markdown().render(report).replace("\u2060", "")
    assert "| score [95 % interval] |" not in text
    assert text.count("| score (pass@2) [95 % interval] |") >= 3
    html = Html().render(report)
    assert re.search(r"<th[^>]*>score</th>", html.partition('id="cases"')[0]) is None
    assert html.count(">score (pass@2)</th>") >= 3
    assert "Mean score (pass@2) and its 95 % interval" in html


def test_nothing_is_said_of_means() -> None:
    """They are what a reader expects."""
    outcomes = answers("mean")
    assert score_name(outcomes) == "score"
    assert told(outcomes) is None
    assert "reduced" not in Markdown().render(a_report(outcomes))


def test_cases_that_are_reduced_otherwise_are_counted() -> None:
    """Then the name alone would say too little."""
    outcomes = [*answers("mean")[:9], *answers("pass_hat_k", 3)[9:]]
    assert score_name(outcomes) == "score"
    assert told(outcomes) == "the repeats of a case are reduced by mean in 3 cases and by pass^3 in 1 case."


def test_what_repeats_add_to_an_error_is_left_out_where_they_are_not_averaged() -> None:
    """The error itself is that of the reduced scores; their split into cases and repeats would be wrong."""
    both = ("greedy", "warm")
    (averaged,) = grids(a_report(answers("mean", profiles=both)))
    (chosen,) = grids(a_report(answers("pass_at_k", 2, profiles=both)))
    assert all(each.of_cases is not None and each.twice_repeats is not None for each in accounts(averaged))
    found = accounts(chosen)
    assert [(each.of_cases, each.twice_repeats, each.repeats) for each in found] == [(None, None, 3.0)] * 2
    tables = effect_tables(a_report(answers("pass_at_k", 2, profiles=("greedy", "warm"))))
    said = [each.text for each in tables[0].findings if each.topic == "What to buy"]
    assert said[0].endswith("Repeats are reduced by pass@2, not averaged.")


def test_the_largest_of_more_repeats_is_another_question() -> None:
    """Means and pass@k of five and of ten repeats may be compared, their largest values may not."""
    cases: tuple[tuple[Reduction, str], ...]
    cases = ("mean", "PASS"), ("pass_at_k", "PASS"), ("max", "INCOMPARABLE")
    for by, verdict in cases:
        base = answers(by, 2 if by == "pass_at_k" else None)
        longer = [
            replace(each, trial=replace(each.trial, cell=replace(cell, case=replace(cell.case, repeats=6))))
            for each in base
            for cell in (each.trial.cell,)
        ]
        found = compare_scores(pairs(base, longer)[0])
        assert found is not None
        assert found.verdict == verdict
