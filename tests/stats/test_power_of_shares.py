"""What right and wrong answers would find, and how many would decide, is as SciPy and simulation have it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from gemma_eval.stats.exact import exact_bounds
from gemma_eval.stats.power_of_shares import (
    loss_found,
    pairs_needed,
    proves_loss,
    share_below,
    shares_needed,
)


def found_by(n: int, better: int, margin: float = 0.02) -> float | None:
    """Return the loss that n pairs would find."""
    proves = proves_loss(n, margin=margin, level=0.05)
    return loss_found(n, better, margin=margin, level=0.05, proves=proves)


@pytest.mark.parametrize("n", [20, 100, 400])
def test_so_many_are_the_fewest_that_prove_a_loss(n: int) -> None:
    """By the bounds of the pairs; the loss is the share of which SciPy says that it has as many in 80 %."""
    least = next(b for b in range(1, n + 1) if exact_bounds(b, 0, n=n, level=0.05).above(0.02))
    loss = optimize.brentq(lambda share: stats.binom.sf(least - 1, n, share) - 0.8, 1e-9, 1.0)
    assert found_by(n, 0) == pytest.approx(loss)
    assert [proves_loss(n, margin=0.02, level=0.05)(b) for b in (least - 1, least)] == [False, True]


def test_pairs_that_get_better_hide_losses() -> None:
    """The oracle: the fixed point of Δ + 2.4865·√((2q + δ - δ²) / n), found by another method."""
    far = stats.norm.isf(0.05) + stats.norm.ppf(0.8)
    for n, better in ((400, 40), (400, 5)):

        def gap(loss: float, n: int = n, better: int = better) -> float:
            return 0.02 + far * math.sqrt((2 * better / n + loss - loss * loss) / n) - loss

        found = found_by(n, better)
        assert found == pytest.approx(max(optimize.brentq(gap, 0.001, 0.9), found_by(n, 0) or 0.0), abs=1e-7)
    assert (found_by(400, 40) or 0) > (found_by(400, 5) or 0)


def test_so_few_that_nothing_proves_a_loss_find_none() -> None:
    """Three wrong ones of three."""
    assert found_by(3, 0) is None
    assert found_by(20, 18) is None


@pytest.mark.parametrize(("n", "differing"), [(50, 0), (50, 3), (200, 9), (12, 2.5)])
def test_how_many_differ_is_planned_with_an_upper_bound(n: int, differing: float) -> None:
    """The oracle of it: SciPy's beta distribution; of the number: the normal one, which it is near."""
    share = stats.beta.ppf(0.75, differing + 1, n - differing)
    far = stats.norm.isf(0.05) + stats.norm.ppf(0.8)
    expected = far**2 * share / 0.02**2
    assert pairs_needed(n, differing, 0.0, margin=0.02, level=0.05) == pytest.approx(expected, rel=0.02)
    assert pairs_needed(4, 4, 0.0, margin=0.02, level=0.05) == pytest.approx(far**2 / 0.02**2, rel=0.02)


@pytest.mark.parametrize(("n", "limit"), [(60, 0.85), (200, 0.5), (30, 0.9)])
def test_a_share_that_would_be_found_below_a_limit_is_proved_in_80_percent(n: int, limit: float) -> None:
    """Simulated, by SciPy's binomial test."""
    below = share_below(limit, n, level=0.05)
    assert below is not None
    drawn = np.random.default_rng(n).binomial(n, limit - below, size=2000)
    proved = stats.binom.cdf(drawn, n, limit) < 0.05
    assert proved.mean() == pytest.approx(0.8, abs=0.03)
    assert share_below(limit, 2, level=0.05) is None or limit > 0.6
    assert share_below(0.1, 5, level=0.05) is None


@pytest.mark.parametrize(("right", "n", "limit"), [(54, 60, 0.85), (45, 60, 0.8), (10, 20, 0.6)])
def test_so_many_answers_as_are_needed_decide_about_a_share_in_80_percent(
    right: int, n: int, limit: float
) -> None:
    """Simulated, by SciPy's binomial test."""
    needed = shares_needed(right, n, limit, level=0.05)
    assert needed is not None
    assert needed > n
    drawn = np.random.default_rng(n).binomial(needed, right / n, size=2000)
    side = (
        stats.binom.cdf(drawn, needed, limit)
        if right / n < limit
        else stats.binom.sf(drawn - 1, needed, limit)
    )
    assert (side < 0.05).mean() == pytest.approx(0.8, abs=0.05)


def test_right_answers_alone_decide_when_there_are_so_many() -> None:
    """0.9^29 is the first power below 5 %; a share at its limit is never decided."""
    assert shares_needed(10, 10, 0.9, level=0.05) == 29
    assert shares_needed(5, 10, 0.5, level=0.05) is None
    assert shares_needed(10, 10, 1.0, level=0.05) is None
