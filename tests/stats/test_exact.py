"""Exact bounds of right and wrong answers agree with sums over all tables, and err as seldom as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from gemma_eval.stats.binary import tango, tango_worse
from gemma_eval.stats.exact import exact_bounds, exact_not_worse, exact_worse

P = Callable[[int, int, int, float], float]
COUNTS = st.integers(1, 60).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda worse: st.tuples(st.just(worse), st.integers(0, n - worse), st.just(n))
    )
)


def exact(worse: int, better: int, n: int, margin: float) -> float:
    """Return the p under test."""
    return exact_worse(worse, better, n=n, margin=margin)


def summed(worse: int, better: int, n: int, margin: float) -> float:
    """Return the p by its definition: all tables one by one, the likeliest share found by search."""

    def likeliest(b: int, c: int) -> float:
        def loss(q: float) -> float:
            parts = ((b, q + margin), (c, q), (n - b - c, 1 - margin - 2 * q))
            return -sum(count * math.log(max(p, 1e-300)) for count, p in parts if count)

        ends = (max(0.0, -margin), (1 - margin) / 2)
        found = optimize.minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-12})
        return min((ends[0], float(found.x)), key=loss)

    def score(b: int, c: int) -> float:
        variance = n * (2 * likeliest(b, c) + margin - margin**2)
        return (b - c - n * margin) / math.sqrt(variance) if variance > 1e-12 else 0.0

    q = likeliest(worse, better)
    shares = [q + margin, q, 1 - margin - 2 * q]
    chance = stats.multinomial(n, shares)
    tables = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    found = score(worse, better)
    return sum(float(chance.pmf([b, c, n - b - c])) for b, c in tables if score(b, c) >= found - 1e-5)


CASES = (
    (3, 1, 12, 0.05),
    (0, 2, 10, 0.1),
    (4, 0, 9, 0.2),
    (2, 2, 8, -0.15),
    (1, 5, 11, -0.3),
    (1, 0, 14, 0.02),
)


def agrees(p: P) -> list[bool]:
    """Say of which cases a p is the sum over all tables."""
    return [math.isclose(p(*case), summed(*case), abs_tol=1e-6) for case in CASES]


def test_the_p_is_the_sum_over_all_tables() -> None:
    """By multinomials of SciPy and a searched likelihood."""
    assert all(agrees(exact))


def test_the_sum_catches_planted_errors() -> None:
    """The normal p, the other direction, and tables that are further only, not as far."""

    def further(worse: int, better: int, n: int, margin: float) -> float:
        return 1 - exact_not_worse(worse, better, n=n, margin=margin)

    def normal(worse: int, better: int, n: int, margin: float) -> float:
        return tango_worse(worse, better, n=n, margin=margin)

    def mirrored(worse: int, better: int, n: int, margin: float) -> float:
        return exact_not_worse(worse, better, n=n, margin=margin)

    assert not any(agrees(further) + agrees(normal) + agrees(mirrored))


@pytest.mark.parametrize("n", [1, 5, 100, 3000])
@pytest.mark.parametrize("level", [0.05, 0.0001])
def test_without_a_discordant_pair_the_bounds_are_those_of_an_unseen_event(n: int, level: float) -> None:
    """(1 - high)^n is the level; the normal bounds are nearer."""
    found = exact_bounds(0, 0, n=n, level=level)
    assert found.high == pytest.approx(1 - level ** (1 / n), abs=2e-8)
    assert found.low == pytest.approx(-cast(float, found.high), abs=2e-8)


def errors(p: P, *, n: int, share: float, margin: float) -> float:
    """Return how often a p is below 5 % at the margin itself, with that share of discordant pairs."""
    worse, better = (share + margin) / 2, (share - margin) / 2
    most = int(stats.binom.ppf(1 - 1e-7, n, share))
    tables = [(b, c) for b in range(most + 1) for c in range(most + 1 - b)]
    chance = stats.multinomial(n, [worse, better, 1 - share])
    return float(sum(chance.pmf([b, c, n - b - c]) for b, c in tables if p(b, c, n, margin) < 0.05))


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1])
@pytest.mark.parametrize("margin", [0.0, 0.02, 0.03, -0.02, -0.03])
def test_the_error_at_the_margin_is_at_most_the_level(share: float, margin: float) -> None:
    """Of a hundred cases, without simulation; both proofs, for that of the other is the mirror of it."""
    assert errors(exact, n=100, share=share, margin=margin) <= 0.05


def test_the_error_of_normal_bounds_is_larger() -> None:
    """Tango's, where five pairs are expected and four of them are worse."""

    def normal(worse: int, better: int, n: int, margin: float) -> float:
        return tango_worse(worse, better, n=n, margin=margin)

    assert errors(normal, n=100, share=0.05, margin=0.03) > 0.08


@settings(max_examples=40)
@given(COUNTS, st.sampled_from((0.0001, 0.0216, 0.05)))
def test_bounds_hold_the_difference_and_mirror(counts: tuple[int, int, int], level: float) -> None:
    """They lie in -1..1, whatever the counts."""
    worse, better, n = counts
    found, back = (exact_bounds(*pair, n=n, level=level) for pair in ((worse, better), (better, worse)))
    low, high = cast(float, found.low), cast(float, found.high)
    assert -1 <= low <= (worse - better) / n + 1e-12
    assert (worse - better) / n - 1e-12 <= high <= 1
    assert (back.low, back.high) == (-high, -low)


@given(COUNTS, st.floats(-0.95, 0.95), st.sampled_from((0.0001, 0.0216, 0.05)))
def test_p_values_and_bounds_say_the_same(counts: tuple[int, int, int], margin: float, level: float) -> None:
    """A p is below a level just where the bound is beyond the margin."""
    worse, better, n = counts
    found = exact_bounds(worse, better, n=n, level=level)
    if abs(cast(float, found.low) - margin) > 1e-6:
        assert found.above(margin) == (exact_worse(worse, better, n=n, margin=margin) < level)
    if abs(cast(float, found.high) - margin) > 1e-6:
        assert found.below(margin) == (exact_not_worse(worse, better, n=n, margin=margin) < level)


def test_with_many_discordant_pairs_the_bounds_are_tangos() -> None:
    """Where the normal distribution holds."""
    exactly, normally = exact_bounds(120, 100, n=1000, level=0.05), tango(120, 100, n=1000, level=0.05)
    assert exactly.low == pytest.approx(normally.low, abs=5e-4)
    assert exactly.high == pytest.approx(normally.high, abs=5e-4)


def test_at_the_ends_nothing_is_divided_by_zero() -> None:
    """A margin of 1 is never exceeded; one of -1 is reached only by all that are better."""
    for worse, better in ((0, 0), (3, 4), (10, 0), (0, 10)):
        assert exact_worse(worse, better, n=10, margin=1.0) == pytest.approx(1.0)
        assert exact_worse(worse, better, n=10, margin=-1.0) == pytest.approx(float(better == 10))
    assert np.isfinite(cast(float, exact_bounds(10, 0, n=10, level=0.05).low))
