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
from numpy.typing import NDArray
from scipy import stats

from gemma_eval.stats.intervals import (
    Interval,
    of_clustered_scores,
    of_median,
    of_scores,
    student_t,
    wilson,
)

Array = NDArray[np.float64]

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
    assert of_scores([0.3, 0.7, 0.5]) == student_t([0.3, 0.7, 0.5])


NEAR = [0.9991, 0.9994, 0.9993, 0.9992]
"""Their t interval does not leave 0..1, and reads 1.00 [1.00, 1.00]."""


@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 0.2], [0.0, 0.0, 0.9], [1.0] * 19 + [0.95], [1 / 3, 1.0], NEAR]
)
def test_a_t_interval_at_an_end_is_cut_there_and_holds_wilsons(values: list[float]) -> None:
    """No report shows a score above 1 or below 0, and none is surer than of as many right and wrong ones."""
    interval, plain, share = of_scores(values), student_t(values), wilson(sum(values), len(values))
    expected = [
        max(0.0, min(cast(float, plain.low), cast(float, share.low))),
        min(1.0, max(cast(float, plain.high), cast(float, share.high))),
    ]
    assert interval.method == "t"
    assert [interval.low, interval.high] == pytest.approx(expected, abs=1e-9)


def test_nineteen_right_and_one_nearly_right_prove_no_more_than_twenty_right() -> None:
    """The t interval alone would be [0.99, 1]."""
    assert cast(float, student_t([1.0] * 19 + [0.95]).low) > 0.99
    assert near(of_scores([1.0] * 19 + [0.95]).low, cast(float, wilson(20, 20).low), 0.005)


def test_equal_scores_have_a_wilson_interval() -> None:
    """Without a spread nothing is known of it, so it may be the largest."""
    assert of_scores([0.5] * 3) == wilson(1.5, 3)


def test_scores_that_differ_by_rounding_are_equal() -> None:
    """A spread of 6e-17 is no certainty."""
    assert of_scores([0.1 + 0.2, 0.3, 0.3]).method == "wilson"
    assert student_t([0.1 + 0.2, 0.3, 0.3]).method == "t"


@pytest.mark.parametrize("values", [[], [1.0], [0.3]])
def test_what_cannot_have_an_interval_has_none(values: list[float]) -> None:
    """Nothing, and one score."""
    interval = of_scores(values)
    assert (interval.low, interval.high, interval.method) == (None, None, "none")


def coverage(of: Callable[[Array], Interval], draw: Callable[[np.random.Generator], Array]) -> float:
    """Return how often an interval holds 0.7, the mean of what is drawn, over 1,000 samples."""
    random = np.random.default_rng(7)
    found = [of(draw(random)) for _ in range(1000)]
    return sum(each.low is not None and each.low <= 0.7 <= (each.high or 0) for each in found) / len(found)


def clipped(values: Array) -> Interval:
    """Return the planted error: the t interval wherever it can be computed, cut off at 0 and 1."""
    interval = student_t(values.ravel().tolist())
    return Interval(low=max(0.0, interval.low or 0.0), high=min(1.0, interval.high or 1.0), method="t")


def test_scores_that_are_nearly_all_right_are_not_called_certain() -> None:
    """Mostly 1 or 0.99, seldom 0: before the first 0 was seen a t interval knows nothing of it."""

    def draw(random: np.random.Generator) -> Array:
        return np.asarray(random.choice([1.0, 0.99, 0.0], size=6, p=[0.4, 0.3 / 0.99, 0.3 - 0.003 / 0.99]))

    assert coverage(lambda values: of_scores(values.tolist()), draw) > 0.93
    assert coverage(clipped, draw) < 0.90


@pytest.mark.parametrize("shared", [True, False])
def test_clusters_are_the_data_whether_or_not_their_scores_go_together(shared: bool) -> None:
    """Eight clusters of three, each wholly right or wrong, or as if there were none."""

    def draw(random: np.random.Generator) -> Array:
        return np.asarray(random.random((8, 1 if shared else 3)) < 0.7, dtype=float) * np.ones((8, 3))

    assert coverage(lambda values: of_clustered_scores(values.tolist()), draw) > 0.93
    if shared:
        assert coverage(lambda values: of_scores(values.ravel().tolist()), draw) < 0.85


def test_a_clustered_interval_is_that_of_the_ratio_estimator() -> None:
    """Clusters of different sizes, by the variance of a ratio; a plain mean of means is not it."""
    clusters = [[0.2, 0.3, 0.4], [0.6], [0.5, 0.7], [0.4, 0.4, 0.5, 0.6]]
    sums, sizes = (np.array([of(each) for each in clusters]) for of in (sum, len))
    ratio = sums.sum() / sizes.sum()
    variance = ((sums - ratio * sizes) ** 2).sum() / (4 - 1) / 4 / sizes.mean() ** 2
    low, high = stats.t.interval(0.95, 3, ratio, math.sqrt(variance))
    interval = of_clustered_scores(clusters)
    assert near(interval.low, float(low), 1e-9)
    assert near(interval.high, float(high), 1e-9)
    plain = of_scores([sum(each) / len(each) for each in clusters])
    assert not near(plain.low, float(low), 1e-3)


def test_clusters_of_one_are_no_clusters_and_one_cluster_has_no_interval() -> None:
    """Eight cases of one needle tell nothing of other needles."""
    assert of_clustered_scores([[1.0], [0.0], [1.0]]) == wilson(2, 3)
    assert of_clustered_scores([[1.0] * 3] * 8) == wilson(8, 8)
    assert of_clustered_scores([[1.0, 0.0, 1.0]]).method == "none"
    assert of_clustered_scores([]).method == "none"
    thirds = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    assert of_clustered_scores(thirds).method == "wilson"
