"""Paired right and wrong answers agree with published intervals, with SciPy and with a grid search."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from gemma_eval.stats.binary import (
    Discordance,
    discordance,
    mcnemar,
    mcnemar_worse,
    tango,
    tango_not_worse,
    tango_worse,
)

Ends = tuple[float, float]

# worse, better, n, the level of each bound, low, high, digits.
PUBLISHED = (
    (9, 3, 32, 0.025, -0.027, 0.390, 3),  # Tango 1998, section 6.2 (Karacan 1976)
    (1, 7, 21, 0.025, -0.517, -0.026, 3),  # Fagerland, Lydersen and Laake 2014 (Bentur 2009)
    (28, 25, 618, 0.05, -0.0148, 0.0247, 4),  # R, PropCIs 0.3-0, scoreci.mp(25, 28, 618, .90)
    (48, 41, 549, 0.05, -0.0157, 0.0414, 4),  # the same, scoreci.mp(41, 48, 549, .90)
)
COUNTS = st.integers(1, 300).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda worse: st.tuples(st.just(worse), st.integers(0, n - worse), st.just(n))
    )
)


def ends(worse: float, better: float, n: int, level: float) -> Ends:
    """Return Tango's bounds."""
    found = tango(worse, better, n=n, level=level)
    return cast(float, found.low), cast(float, found.high)


def published(interval: Callable[[float, float, int, float], Ends]) -> list[bool]:
    """Say of which published intervals an implementation has both bounds."""
    return [
        all(
            abs(found - expected) <= 0.501 * 10**-digits
            for found, expected in zip(interval(worse, better, n, level), (low, high), strict=True)
        )
        for worse, better, n, level, low, high, digits in PUBLISHED
    ]


def test_tangos_bounds_are_the_published_ones() -> None:
    """Of his paper, of a comparison of methods, and of an R package."""
    assert all(published(ends))


def test_the_published_bounds_catch_planted_errors() -> None:
    """Wald's interval, a two-sided level for a one-sided one, and swapped sides fail all of them."""

    def wald(worse: float, better: float, n: int, level: float) -> Ends:
        difference = (worse - better) / n
        se = math.sqrt((worse + better) / n - difference**2) / math.sqrt(n)
        half = float(stats.norm.ppf(1 - level)) * se
        return difference - half, difference + half

    def half_level(worse: float, better: float, n: int, level: float) -> Ends:
        return ends(worse, better, n, level / 2)

    def swapped(worse: float, better: float, n: int, level: float) -> Ends:
        return ends(better, worse, n, level)

    assert not any(any(published(planted)) for planted in (half_level, swapped))
    assert not all(published(wald))


def score(worse: int, better: int, n: int, delta: float) -> float:
    """Return the score statistic with the likelihood maximised by search, not by the closed form."""
    same = n - worse - better

    def loss(q: float) -> float:
        parts = ((worse, q + delta), (better, q), (same, 1 - delta - 2 * q))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in parts if count)

    least, most = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(loss, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
    return float((worse - better - n * delta) / math.sqrt(n * (2 * q + delta - delta**2)))


@pytest.mark.parametrize(("worse", "better", "n"), [(9, 3, 32), (0, 4, 60), (12, 0, 40), (5, 5, 11)])
@pytest.mark.parametrize("level", [0.05, 0.0216, 0.0001])
def test_at_tangos_bounds_the_searched_score_is_z(worse: int, better: int, n: int, level: float) -> None:
    """An independent maximisation of the likelihood."""
    low, high = ends(worse, better, n, level)
    z = float(stats.norm.ppf(1 - level))
    assert score(worse, better, n, low) == pytest.approx(z, abs=1e-3)
    assert score(worse, better, n, high) == pytest.approx(-z, abs=1e-3)


@pytest.mark.parametrize("n", [1, 5, 100, 1000])
def test_without_a_discordant_pair_the_bounds_have_a_width(n: int) -> None:
    """z² / (n + z²) on each side."""
    z = float(stats.norm.ppf(0.95))
    assert ends(0, 0, n, 0.05) == pytest.approx((-z * z / (n + z * z), z * z / (n + z * z)))


@given(COUNTS, st.sampled_from((0.0001, 0.0216, 0.05, 0.4)))
def test_tangos_bounds_hold_the_difference_and_mirror(counts: tuple[int, int, int], level: float) -> None:
    """They lie in -1..1, whatever the counts."""
    worse, better, n = counts
    low, high = ends(worse, better, n, level)
    assert -1 <= low <= (worse - better) / n <= high <= 1
    assert ends(better, worse, n, level) == pytest.approx((-high, -low), abs=1e-12)


@given(COUNTS, st.integers(1, 60))
def test_more_discordant_pairs_of_both_kinds_widen_the_bounds(
    counts: tuple[int, int, int], more: int
) -> None:
    """The difference is the same; what is noisier proves less."""
    worse, better, n = counts
    n += 2 * more
    (low, high), (lower, higher) = ends(worse, better, n, 0.05), ends(worse + more, better + more, n, 0.05)
    assert lower <= low + 1e-9
    assert higher >= high - 1e-9


@given(COUNTS, st.floats(-0.95, 0.95), st.sampled_from((0.0001, 0.0216, 0.05)))
def test_tangos_p_values_and_bounds_say_the_same(
    counts: tuple[int, int, int], margin: float, level: float
) -> None:
    """A p is below a level just where the bound is beyond the margin."""
    worse, better, n = counts
    low, high = ends(worse, better, n, level)
    if abs(low - margin) > 1e-9:
        assert (low > margin) == (tango_worse(worse, better, n=n, margin=margin) < level)
    if abs(high - margin) > 1e-9:
        assert (high < margin) == (tango_not_worse(worse, better, n=n, margin=margin) < level)


@given(COUNTS)
def test_without_a_margin_tangos_p_is_that_of_mcnemars_score(counts: tuple[int, int, int]) -> None:
    """(worse - better) / √(worse + better)."""
    worse, better, n = counts
    z = (worse - better) / math.sqrt(worse + better) if worse + better else 0.0
    assert tango_worse(worse, better, n=n, margin=0.0) == pytest.approx(float(stats.norm.sf(z)), abs=1e-12)


def mcnemar_holds(p: Callable[[int, int], float]) -> bool:
    """Say whether a p is that of SciPy's exact test on a few counts, among them none."""
    tables = ((1, 7), (9, 3), (5, 5), (0, 6), (12, 0), (0, 0))
    expected = [
        float(stats.binomtest(worse, worse + better).pvalue) if worse + better else 1.0
        for worse, better in tables
    ]
    return [p(*table) for table in tables] == pytest.approx(expected)


def test_mcnemars_p_is_the_exact_one_of_scipy() -> None:
    """Of no discordant pairs it is 1."""
    assert mcnemar_holds(mcnemar)


def test_the_exact_p_catches_planted_errors() -> None:
    """The chi-square p with and without Yates' correction, the one-sided p, and the mid-p fail it."""

    def chi_square(worse: int, better: int) -> float:
        return float(stats.chi2.sf((worse - better) ** 2 / max(1, worse + better), 1))

    def yates(worse: int, better: int) -> float:
        return float(stats.chi2.sf((abs(worse - better) - 1) ** 2 / max(1, worse + better), 1))

    def mid(worse: int, better: int) -> float:
        return mcnemar(worse, better) - float(stats.binom.pmf(worse, worse + better, 0.5))

    assert not any(mcnemar_holds(planted) for planted in (chi_square, yates, mcnemar_worse, mid))


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_one_sided_p_is_that_of_scipy(worse: int, better: int) -> None:
    """Greater, of a fair coin."""
    if worse + better:
        expected = float(stats.binomtest(worse, worse + better, alternative="greater").pvalue)
        assert mcnemar_worse(worse, better) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(worse, better) == mcnemar(better, worse)


def test_differences_of_right_and_wrong_answers_are_counted() -> None:
    """Any other difference makes them none of such."""
    assert discordance([1.0, 0.0, -1.0, 1.0, 0.0]) == Discordance(n=5, worse=2, better=1)
    assert discordance([1.0, 0.5]) is None
    assert discordance([]) is None


def test_fractions_lie_between_counts() -> None:
    """Sums of scores between 0 and 1 are taken as counts are."""
    highs = [ends(worse, 2.5, 80, 0.05)[1] for worse in np.arange(0.0, 5.0, 0.25).tolist()]
    assert all(below < above for below, above in pairwise(highs))
