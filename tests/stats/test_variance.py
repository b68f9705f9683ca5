"""The ledger of variance agrees with an analysis of variance by hand, and foretells other designs."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.stats.percentiles import standard_deviation
from gemma_eval.stats.variance import Ledger, judge_error, ledger, standard_error

# Snedecor and Cochran 1989, Statistical Methods, section 13.3: calcium in four turnip leaves, four times.
TURNIP = (
    (3.28, 3.09, 3.03, 3.03),
    (3.52, 3.48, 3.38, 3.38),
    (2.88, 2.80, 2.81, 2.76),
    (3.34, 3.38, 3.23, 3.26),
)
WITHIN, BETWEEN = 0.0066, 0.0724

EIGHTHS = st.integers(0, 8).map(lambda count: count / 8)
SCORES = st.lists(st.lists(EIGHTHS, min_size=3, max_size=3), min_size=2, max_size=20)


def known(scores: object) -> Ledger:
    """Return the ledger of scores that have one."""
    return cast(Ledger, ledger(scores))  # type: ignore[arg-type]


def test_the_components_are_the_published_ones() -> None:
    """Of four leaves and four determinations of each."""
    found = known(TURNIP)
    assert (found.cases, found.repeats) == (4, 4)
    assert found.within == pytest.approx(WITHIN, abs=5e-5)
    assert found.between == pytest.approx(BETWEEN, abs=5e-5)


def test_the_published_components_catch_planted_errors() -> None:
    """The variance of the means, and that of all values as if there were no cases, are others."""
    means = [sum(leaf) / 4 for leaf in TURNIP]
    assert cast(float, standard_deviation(means)) ** 2 != pytest.approx(BETWEEN, abs=1e-3)
    together = [value for leaf in TURNIP for value in leaf]
    assert cast(float, standard_deviation(together)) ** 2 != pytest.approx(BETWEEN, abs=1e-3)


@given(SCORES)
def test_the_error_of_the_design_that_was_run_is_that_of_the_case_means(scores: list[list[float]]) -> None:
    """Unless the repeats alone explain more than there is."""
    found = known(scores)
    means = [sum(case) / 3 for case in scores]
    expected = cast(float, standard_deviation(means)) / math.sqrt(len(scores))
    if found.between > 0:
        assert standard_error(found) == pytest.approx(expected, abs=1e-9)
    else:
        assert cast(float, standard_error(found)) >= expected - 1e-9


def test_the_ledger_foretells_what_more_cases_or_repeats_do() -> None:
    """Against 20,000 simulated designs of other sizes; taking all variance for that of cases is wrong."""
    random = np.random.default_rng(29)
    scores = random.normal(0.0, 0.3, (400, 1)) + random.normal(0.0, 0.4, (400, 5))
    found = known(scores.tolist())
    for cases, repeats in ((100, 1), (100, 10), (50, 3)):
        simulated = random.normal(0.0, 0.3, (20_000, cases)) + random.normal(
            0.0, 0.4 / math.sqrt(repeats), (20_000, cases)
        )
        expected = float(simulated.mean(axis=1).std())
        assert standard_error(found, cases=cases, repeats=repeats) == pytest.approx(expected, rel=0.08)
    planted = Ledger(cases=400, repeats=5, between=found.between + cast(float, found.within), within=0.0)
    assert standard_error(planted, cases=100, repeats=10) != pytest.approx(0.03256, rel=0.3)


@given(SCORES, st.integers(1, 50), st.integers(1, 50))
def test_more_cases_and_more_repeats_never_make_the_error_larger(
    scores: list[list[float]], cases: int, repeats: int
) -> None:
    """And no number of repeats goes below what the cases leave."""
    found = known(scores)
    now = cast(float, standard_error(found, cases=cases, repeats=repeats))
    assert cast(float, standard_error(found, cases=cases + 1, repeats=repeats)) <= now
    assert cast(float, standard_error(found, cases=cases, repeats=repeats + 1)) <= now
    assert now >= math.sqrt(found.between / cases)


def test_without_repeats_it_is_not_known_what_they_would_change() -> None:
    """More cases are known."""
    found = known([[0.0], [1.0], [1.0], [0.0]])
    assert found.within is None
    assert found.between == pytest.approx(1 / 3)
    assert standard_error(found, repeats=2) is None
    assert standard_error(found, cases=16) == pytest.approx(math.sqrt(1 / 3 / 16))
    assert standard_error(found) == pytest.approx(math.sqrt(1 / 3 / 4))


def test_cases_of_unlike_repeats_count_alike() -> None:
    """A case without scores is none."""
    found = known([[0.0, 1.0], [1.0, 1.0, 1.0, 1.0], []])
    assert found.cases == 2
    assert found.repeats == pytest.approx(2 / (1 / 2 + 1 / 4))
    assert found.within == pytest.approx(0.5 / 4)
    assert found.between == pytest.approx(max(0.0, 0.125 - 0.125 / found.repeats))
    assert ledger([[0.5, 0.7]]) is None
    assert ledger([]) is None


# Shrout and Fleiss 1979, table 2: six targets and four judges; between judges 32.49, error 1.02 (table 3).
RATED = ((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7))


def test_the_error_of_judges_is_that_of_the_published_mean_squares() -> None:
    """(32.49 - 1.02) / 6 targets / 4 judges; taking all of 32.49 for it is wrong."""
    found = judge_error(RATED)
    assert found == pytest.approx(math.sqrt((32.49 - 1.02) / 6 / 4), abs=2e-3)
    assert found != pytest.approx(math.sqrt(32.49 / 6 / 4), abs=2e-3)


def test_the_error_of_judges_is_how_far_means_of_other_judges_lie_apart() -> None:
    """Against 4,000 simulated juries over many cases, whose strictness has a deviation of 0.2."""
    random = np.random.default_rng(3)
    strict = random.normal(0.0, 0.2, (4_000, 1, 3))
    means = (strict + random.normal(0.0, 0.05, (4_000, 200, 3))).mean(axis=(1, 2))
    one = random.normal(0.0, 0.05, (200, 3)) + np.array([0.2, -0.2, 0.0]) + random.normal(0, 0.3, (200, 1))
    assert judge_error(one.tolist()) == pytest.approx(0.2 / math.sqrt(3), rel=0.05)
    assert float(means.std()) == pytest.approx(0.2 / math.sqrt(3), rel=0.05)


def test_judges_who_agree_add_no_error_and_one_judge_tells_none() -> None:
    """An answer that not every judge voted on is left out."""
    assert judge_error(((1, 1), (0, 0), (1,))) == 0
    assert judge_error(((1,), (0,))) is None
    assert judge_error(((1, 0),)) is None
    assert judge_error(()) is None
