"""The ratio of a percentile agrees with NumPy, its error with SciPy's bootstrap, and its bounds hold."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from gemma_eval.stats.paired import Paired, bounds
from gemma_eval.stats.percentiles import Percent
from gemma_eval.stats.ratio_bootstrap import enough_for, percentile_ratio

Blocks = list[list[float]]


def drawn(seed: int, *, blocks: int = 10, each: int = 30, slower: float = 1.0) -> tuple[Blocks, Blocks]:
    """Return the blocks of two sides: what a start of an engine does to all of its requests is shared."""
    random = np.random.default_rng(seed)
    starts = random.normal(0.0, 0.05, (blocks, 1)), random.normal(0.0, 0.08, (blocks, 1))
    noise = random.gamma(4.0, 0.25, (2, blocks, each))
    base = np.exp(starts[0]) * noise[0]
    return base.tolist(), (slower * np.exp(starts[0] + starts[1]) * noise[1]).tolist()


def ratio(base: Blocks, candidate: Blocks, percent: Percent = 95, *, resamples: int = 2000) -> Paired:
    """Return the ratio of two sides that have enough requests."""
    return cast(Paired, percentile_ratio(base, candidate, percent=percent, resamples=resamples))


@pytest.mark.parametrize("percent", [50, 90, 95, 99])
def test_the_ratio_is_that_of_numpys_percentiles(percent: Percent) -> None:
    """Over all requests of each side."""
    base, candidate = drawn(1, slower=1.2)
    expected = np.log(np.percentile(candidate, percent) / np.percentile(base, percent))
    assert ratio(base, candidate, percent, resamples=10).mean == pytest.approx(float(expected))


def agrees_with_scipy(se: float, base: Blocks, candidate: Blocks) -> bool:
    """Say whether an error is SciPy's bootstrap of the blocks with its correction, as near as draws are."""
    sides = np.array(base), np.array(candidate)

    def statistic(chosen: NDArray[np.int64]) -> float:
        of_base, of_candidate = (np.percentile(side[chosen], 95) for side in sides)
        return float(np.log(of_candidate / of_base))

    expected = stats.bootstrap(
        (np.arange(len(base)),), statistic, n_resamples=2000, method="percentile", vectorized=False, rng=5
    ).standard_error
    return math.isclose(se, float(expected) * math.sqrt(len(base) / (len(base) - 1)), rel_tol=0.06)


def test_the_error_is_that_of_scipys_bootstrap_of_blocks() -> None:
    """Blocks of both sides are drawn together; five need the correction."""
    base, candidate = drawn(2, blocks=5, each=60)
    found = ratio(base, candidate)
    assert agrees_with_scipy(cast(float, found.se), base, candidate)
    assert not agrees_with_scipy(cast(float, found.se) * math.sqrt(4 / 5), base, candidate)
    assert (found.n, found.data, found.df) == (5, 5, 4)
    assert found.sd == pytest.approx(cast(float, found.se) * math.sqrt(5))


def alone(side: Blocks) -> Blocks:
    """Return every request as a block of its own."""
    return [[value] for block in side for value in block]


def test_the_comparison_with_scipy_catches_planted_errors() -> None:
    """Requests as the data, and sides that are not paired, have other errors."""
    base, candidate = drawn(2, each=300)
    assert agrees_with_scipy(cast(float, ratio(base, candidate).se), base, candidate)
    single = ratio(alone(base), alone(candidate), resamples=200)
    assert not agrees_with_scipy(cast(float, single.se), base, candidate)
    unpaired = ratio(base, [candidate[(at + 3) % 10] for at in range(10)])
    assert not agrees_with_scipy(cast(float, unpaired.se), base, candidate)


@pytest.mark.parametrize(("percent", "requests"), [(50, 5), (90, 29), (95, 59), (99, 299)])
def test_a_percentile_needs_requests_enough_to_be_bounded(percent: Percent, requests: int) -> None:
    """All of n lie below the percentile in q^n, which is to be at most 5 %."""
    assert enough_for(percent) == requests
    assert (percent / 100) ** requests <= 0.05 < (percent / 100) ** (requests - 1)


def test_too_few_requests_have_no_ratio() -> None:
    """On either side; nor has a single block."""
    base, candidate = drawn(3, blocks=2, each=30)
    assert percentile_ratio(base, candidate, percent=95, resamples=10) is not None
    fewer = [candidate[0], candidate[1][:-2]]
    assert percentile_ratio(base, fewer, percent=95) is None
    assert percentile_ratio(fewer, base, percent=95) is None
    assert percentile_ratio([base[0] * 2], [candidate[0] * 2], percent=95) is None
    assert percentile_ratio([], [], percent=95) is None


def test_the_same_seed_draws_the_same() -> None:
    """And swapping the sides mirrors the ratio with the same error."""
    base, candidate = drawn(4)
    assert ratio(base, candidate) == ratio(base, candidate)
    there, back = ratio(base, candidate), ratio(candidate, base)
    assert back.mean == pytest.approx(-there.mean)
    assert back.se == pytest.approx(cast(float, there.se))


def test_equal_blocks_prove_nothing() -> None:
    """Drawing them anew has no spread."""
    block = [float(value) for value in range(1, 61)]
    found = ratio([block] * 5, [block] * 5, resamples=20)
    assert (found.mean, found.se) == (0.0, 0.0)
    assert bounds(found, level=0.05).high is None


def misses(level: float, *, blocks: int, trusting: bool = False) -> float:
    """Return how often a low bound lies above no change, over 300 pairs of sides.

    The planted error, `trusting`, is the plain deviation of the draws with a normal quantile.
    """
    wrong = 0
    for seed in range(300):
        found = ratio(*drawn(seed, blocks=blocks, each=40), resamples=100)
        plain = cast(float, found.se) * math.sqrt(1 - 1 / blocks)
        low = found.mean - float(stats.norm.isf(level)) * plain
        wrong += low > 0.0 if trusting else bounds(found, level=level).above(0.0)
    return wrong / 300


def test_bounds_miss_no_more_often_than_their_level_with_five_blocks() -> None:
    """What trusts the draws misses twice as often."""
    assert misses(0.05, blocks=5) <= 0.06
    assert misses(0.05, blocks=5, trusting=True) > 0.08
