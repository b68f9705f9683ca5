"""How often comparisons of answers err and how often they find what is there, where the truth is known.

REGRESSED is proved where the low bound is above the margin, PASS where the high one is below it. A short form
always runs; the long one has 2,000 comparisons of each kind, so that an error of 5 % is seen as 5 ± 1.5 %.
What is drawn depends on a seed alone.
"""

from __future__ import annotations

import pytest

from gemma_eval.stats.binary import tango_not_worse, tango_worse
from tests.statistics.simulated import answers, jittered, scores

RUNS = 2000
CHANCE = 0.015
"""Three standard errors of a rate of 5 % in 2,000 comparisons."""

CASES = (100, 300, 1000)


# --- always ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cases", [100, 300])
def test_equal_answers_are_not_called_worse(cases: int) -> None:
    """Of right and wrong answers; few cases leave the question open."""
    same = answers(change=0.0, cases=cases, runs=RUNS)
    assert same.regressed <= 0.01
    assert same.undecided > 0.4


@pytest.mark.parametrize("cases", [50, 100, 200])
def test_jitter_does_not_hide_that_few_scores_drop(cases: int) -> None:
    """Three of a hundred do, and all others move by a hundredth or less; the margin is what is lost."""
    at_margin = jittered(cases=cases, runs=1000)
    assert max(at_margin.regressed, at_margin.passed) <= 0.05


def test_t_bounds_let_jitter_hide_that_few_scores_drop() -> None:
    """The planted error: the spread that was seen is all there is."""
    assert jittered(cases=100, runs=1000, span=None).passed > 0.15


# --- long --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("cases", CASES)
def test_answers_err_in_at_most_5_percent(cases: int) -> None:
    """Right and wrong ones: 20,000 comparisons, for a table is judged once; the sum over tables is ≤ 5 %."""
    assert answers(change=0.0, cases=cases, runs=10 * RUNS).regressed <= 0.005
    at_margin = answers(change=0.03, cases=cases, runs=10 * RUNS)
    assert max(at_margin.regressed, at_margin.passed) <= 0.05 + CHANCE / 3


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "least"), [(100, 0.55), (300, 0.9), (1000, 0.99)])
def test_answers_that_are_ten_points_worse_are_found(cases: int, least: float) -> None:
    """With a margin of 3 points."""
    worse = answers(change=0.1, cases=cases, runs=RUNS)
    assert worse.regressed >= least
    assert worse.passed <= 0.002


@pytest.mark.slow
def test_normal_bounds_of_few_answers_err_more_often() -> None:
    """The planted error: Tango's, of a hundred cases."""

    def normally(worse: int, better: int, n: int) -> str:
        if tango_worse(worse, better, n=n, margin=0.03) < 0.05:
            return "regressed"
        return "passed" if tango_not_worse(worse, better, n=n, margin=0.03) < 0.05 else "open"

    assert answers(change=0.03, cases=100, runs=10 * RUNS, of=normally).regressed > 0.05 + CHANCE / 3


@pytest.mark.slow
@pytest.mark.parametrize("cases", CASES)
def test_graded_scores_err_in_about_5_percent_when_documents_are_the_data(cases: int) -> None:
    """At the margin itself; without a change hardly ever."""
    assert scores(change=0.0, cases=cases, runs=RUNS).regressed <= 0.005
    at_margin = scores(change=0.03, cases=cases, runs=RUNS)
    assert max(at_margin.regressed, at_margin.passed) <= 0.05 + CHANCE


@pytest.mark.slow
def test_graded_scores_err_twice_as_often_when_cases_are_the_data() -> None:
    """The planted error: five cases of a document taken for five independent ones."""
    assert scores(change=0.03, cases=300, runs=RUNS, clustered=False).regressed > 0.08


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "least"), [(100, 0.85), (300, 0.99), (1000, 0.99)])
def test_graded_scores_that_are_ten_points_worse_are_found(cases: int, least: float) -> None:
    """With a margin of 3 points."""
    assert scores(change=0.1, cases=cases, runs=RUNS).regressed >= least
