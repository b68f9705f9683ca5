"""Intervals agree with published values, with SciPy and with exact binomials, and planted errors do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.intervals import Interval, of_median, of_scores, student_t, wilson

# Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
NEWCOMBE = (
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
)

# n, and the rank k so that the k-th smallest and the k-th largest value bound the median with at least 95 %.
# As textbooks on order statistics table them (binomial with p = 1/2); the exact law is tested below.
RANKS = ((6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18), (100, 40))


def newcombe_holds(interval: Callable[[int, int], Interval]) -> bool:
    """Say whether an interval of a proportion has all published bounds to four digits."""
    found = [interval(successes, n) for successes, n, _, _ in NEWCOMBE]
    return all(
        near(one.low, low, 5e-5) and near(one.high, high, 5e-5)
        for one, (_, _, low, high) in zip(found, NEWCOMBE, strict=True)
    )


def near(found: float | None, expected: float, tolerance: float = 1e-12) -> bool:
    """Say whether a bound is there and near."""
    return found is not None and abs(found - expected) <= tolerance


def test_wilson_has_the_published_bounds() -> None:
    """Four rows of Newcombe's comparison of seven methods."""
    assert newcombe_holds(wilson)


def test_the_published_bounds_catch_planted_errors() -> None:
    """Wald's interval, a one-sided z and a continuity correction fail them."""

    def wald(successes: int, n: int) -> Interval:
        share = successes / n
        half = 1.959964 * math.sqrt(share * (1 - share) / n)
        return Interval(low=share - half, high=share + half, method="wilson")

    def ninety(successes: int, n: int) -> Interval:
        bounds = stats.binomtest(successes, n).proportion_ci(0.9, "wilson")
        return Interval(low=bounds.low, high=bounds.high, method="wilson")

    def corrected(successes: int, n: int) -> Interval:
        bounds = stats.binomtest(successes, n).proportion_ci(0.95, "wilsoncc")
        return Interval(low=bounds.low, high=bounds.high, method="wilson")

    assert not any(newcombe_holds(broken) for broken in (wald, ninety, corrected))


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    """And it never leaves 0..1 and always holds the share."""
    interval = wilson(*counts)
    expected = stats.binomtest(*counts).proportion_ci(0.95, "wilson")
    assert near(interval.low, expected.low)
    assert near(interval.high, expected.high)
    assert 0 <= cast(float, interval.low) <= counts[0] / counts[1] <= cast(float, interval.high) <= 1


@given(st.lists(st.integers(-(10**9), 10**9).map(lambda count: count / 1000), min_size=2, max_size=60))
def test_the_t_interval_is_that_of_scipy(values: list[float]) -> None:
    """Equal values have none."""
    interval = student_t(values)
    spread = float(np.std(values, ddof=1))
    assert (interval.method == "none") == (len(set(values)) == 1)
    if interval.method == "none":
        return
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), spread / math.sqrt(len(values)))
    assert near(interval.low, float(low), 1e-6)
    assert near(interval.high, float(high), 1e-6)


def test_the_comparison_with_scipy_catches_a_normal_interval() -> None:
    """The planted error: z where t belongs is a third too narrow for five values."""
    values = [1.0, 2.0, 3.0, 4.0, 10.0]
    half = 1.959964 * float(np.std(values, ddof=1)) / math.sqrt(5)
    assert not near(student_t(values).high, 4.0 + half, 0.5)
    assert near(student_t(values).high, 4.0 + half * 2.776445 / 1.959964, 1e-5)


def rank(interval: Callable[[Sequence[float]], Interval], n: int) -> int | None:
    """Return which smallest of n values is the lower bound, counted from 1."""
    found = interval([float(value) for value in range(1, n + 1)])
    if found.low is None or found.high is None:
        return None
    assert found.low + found.high == n + 1
    return round(found.low)


@pytest.mark.parametrize(("n", "k"), RANKS)
def test_the_interval_of_the_median_has_the_tabled_ranks(n: int, k: int) -> None:
    """From 6 values, the fewest that reach 95 %, to 100."""
    assert rank(of_median, n) == k


def test_the_tabled_ranks_catch_an_interval_one_rank_too_narrow() -> None:
    """The planted error: the next order statistics."""

    def narrow(values: Sequence[float]) -> Interval:
        interval = of_median(values)
        return Interval(
            low=cast(float, interval.low) + 1, high=cast(float, interval.high) - 1, method="median"
        )

    assert any(rank(narrow, n) != k for n, k in RANKS)


@given(st.integers(0, 300))
def test_the_interval_of_the_median_is_the_narrowest_of_95_percent(n: int) -> None:
    """By exact fractions: coverage with rank k is at least 95 %, with k + 1 it is less."""

    def coverage(k: int) -> Fraction:
        return 1 - 2 * Fraction(sum(math.comb(n, i) for i in range(k)), 2**n)

    k = rank(of_median, n)
    if k is None:
        assert n < 6
        return
    assert coverage(k) >= Fraction(95, 100)
    assert coverage(k + 1) < Fraction(95, 100) or k + 1 > n // 2


def test_scores_of_0_and_1_have_a_wilson_interval_and_others_a_t_interval() -> None:
    """One score in between is enough."""
    assert of_scores([0.0, 1.0, 1.0]).method == "wilson"
    assert of_scores([1.0, 1.0, 1.0]) == wilson(3, 3)
    assert of_scores([0.0, 1.0, 0.5]).method == "t"


def test_a_t_interval_of_scores_stays_where_scores_can_be() -> None:
    """No report shows a score above 1 or below 0."""
    interval = of_scores([1.0, 1.0, 0.2])
    assert interval.high == 1.0
    assert of_scores([0.0, 0.0, 0.9]).low == 0.0


@pytest.mark.parametrize("values", [[], [1.0], [0.3], [0.5, 0.5, 0.5], [0.05] * 53, [2 / 3] * 11])
def test_what_cannot_have_an_interval_has_none(values: list[float]) -> None:
    """Nothing, one score, and equal scores in between, which would claim a certainty."""
    interval = of_scores(values)
    assert (interval.low, interval.high, interval.method) == (None, None, "none")
