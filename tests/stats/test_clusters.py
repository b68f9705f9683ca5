"""Cases of one cluster are one datum of every interval of a score, and the check sees where they are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Outcome, Score
from gemma_eval.report.by_scorer import by_scorer
from gemma_eval.report.exports.parts import cases_of, quality
from gemma_eval.report.groups import groups_of
from gemma_eval.run import make_report
from gemma_eval.stats.clusters import cluster_of, of_case_scores
from gemma_eval.stats.intervals import of_clustered_scores, of_scores
from gemma_eval.stats.summary import summarise
from tests.examples import a_cell, a_run, an_outcome

VALUES = ((1.0, 1.0, 0.9, 1.0), (0.0, 0.1, 0.0, 0.0), (0.6, 0.7, 0.5, 0.6), (0.2, 0.2, 0.3, 0.1))
"""Scores of four cases about each of four documents, which are alike."""


def outcomes(*, clustered: bool) -> list[Outcome]:
    """Return an answer to each case, with two scores of that value."""
    found = []
    for document, values in enumerate(VALUES):
        for number, value in enumerate(values):
            outcome = an_outcome(f"case-{document}-{number}", value=value)
            cell = outcome.trial.cell
            case = replace(cell.case, cluster=f"document-{document}" if clustered else None)
            scores = tuple(Score(scorer=name, value=value, passed=None) for name in ("contains", "other"))
            trial = replace(outcome.trial, cell=replace(cell, case=case))
            found.append(replace(outcome, trial=trial, scores=scores))
    return found


def of_summary(*, clustered: bool) -> tuple[float | None, float | None]:
    """Return the ends of the interval of the score."""
    (summary,) = (each for each in summarise(outcomes(clustered=clustered)) if each.metric == "score")
    assert summary.n == 16
    return summary.ci_low, summary.ci_high


def test_the_interval_of_a_summary_is_over_clusters() -> None:
    """As the ratio estimator has it; over the cases, which are alike, it would be much too narrow."""
    scores = [score for values in VALUES for score in values]
    wide, narrow = of_clustered_scores(VALUES), of_scores(scores)
    assert of_summary(clustered=True) == pytest.approx((wide.low, wide.high))
    assert of_summary(clustered=False) == pytest.approx((narrow.low, narrow.high))
    assert (wide.low or 0) < (narrow.low or 0)


def test_the_table_of_scorers_has_the_interval_of_the_summary() -> None:
    """Where every check has the value of the case."""
    found = []
    for clustered in (True, False):
        report = make_report(a_run(), outcomes(clustered=clustered))
        table = by_scorer(report, groups_of(report))
        assert table is not None
        found.append([row.cells[0].interval if row.cells[0] else "" for row in table.rows])
    assert found == [["[0.00, 1.00]"] * 2, ["[0.25, 0.65]"] * 2]


def test_exports_have_the_standard_error_over_clusters() -> None:
    """By the sums of what each cluster differs from the mean: Miller 2024, section 2.2, with m / (m - 1)."""
    mean = sum(map(sum, VALUES)) / 16
    sums = [sum(values) - 4 * mean for values in VALUES]
    expected = (4 / 3 * sum(each**2 for each in sums)) ** 0.5 / 16
    (score,) = (
        each for each in quality(cases_of(outcomes(clustered=True))) if each.summary.metric == "score"
    )
    assert score.standard_error == pytest.approx(expected)
    (plain,) = (
        each for each in quality(cases_of(outcomes(clustered=False))) if each.summary.metric == "score"
    )
    assert plain.standard_error == pytest.approx((plain.summary.sd or 0) / 4)
    assert expected > 1.5 * (plain.standard_error or 0)


def test_a_case_without_a_cluster_is_a_cluster_of_its_own() -> None:
    """In each suite: two suites may have a case of one id."""
    cell = a_cell()
    assert cluster_of(cell) != cluster_of(replace(cell, suite="another"))
    assert of_case_scores([0.2, 0.4, 0.9], ["a", "b", "c"]) == of_scores([0.2, 0.4, 0.9])
