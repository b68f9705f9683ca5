"""Schedules are the same everywhere, evenly or exponentially spaced; errors of other tools are caught."""

from __future__ import annotations

import decimal
import math
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import sub

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.measure.arrivals import schedule

S = 1_000_000_000

Schedule = Callable[[int, int], Sequence[int]]
"""Makes the offsets of n requests at 50 per second with a seed."""

GOLDEN = {
    1: (28858213, 404889466, 693483251, 752375994, 889187750, 1008570168, 1219446941, 1530364315),
    2147483647: (76474174, 416516363, 460233974, 890861977, 971634989, 1282928951, 1325900894, 1375099993),
}
"""Offsets at 5 per second. With seed 1 the first u is 0.13436424411240122, as in every Python."""


def poisson(n: int, seed: int) -> tuple[int, ...]:
    """Return what is tested, at 50 per second."""
    return schedule("poisson", rate_per_s=50.0, n=n, seed=seed)


def constant(n: int, seed: int) -> tuple[int, ...]:
    """Return what is tested, at 50 per second."""
    return schedule("constant", rate_per_s=50.0, n=n, seed=seed)


def is_golden(made: Callable[[int], Sequence[int]]) -> bool:
    """Say whether a schedule of 5 per second has the recorded nanoseconds with every recorded seed."""
    return all(tuple(made(seed)) == offsets for seed, offsets in GOLDEN.items())


def test_a_poisson_schedule_has_the_recorded_nanoseconds() -> None:
    """Recorded once; no system, version or run may give others."""
    assert random.Random(1).random() == 0.13436424411240122  # noqa: S311
    assert is_golden(lambda seed: schedule("poisson", rate_per_s=5.0, n=8, seed=seed))


def test_the_recorded_nanoseconds_catch_other_generators() -> None:
    """Planted: no seed, NumPy's generator, and gaps that are rounded to microseconds."""

    def unseeded(seed: int) -> list[int]:
        del seed
        source = random.SystemRandom()
        return list(accumulate(round(source.expovariate(5.0) * S) for _ in range(8)))

    def numpy(seed: int) -> list[int]:
        gaps = np.random.default_rng(seed).exponential(S / 5, size=8)
        return [round(at) for at in np.cumsum(gaps).tolist()]

    def coarse(seed: int) -> list[int]:
        return [at // 1000 * 1000 for at in schedule("poisson", rate_per_s=5.0, n=8, seed=seed)]

    assert not any(is_golden(broken) for broken in (unseeded, numpy, coarse))


def test_a_schedule_does_not_depend_on_the_decimals_of_the_caller() -> None:
    """Somebody's context of three digits is not that of the schedule."""
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_UP):
        assert is_golden(lambda seed: schedule("poisson", rate_per_s=5.0, n=8, seed=seed))


@given(seed=st.integers(0, 2**31 - 1), rate=st.floats(0.01, 10_000), n=st.integers(0, 40))
def test_a_poisson_schedule_is_that_of_the_formula(seed: int, rate: float, n: int) -> None:
    """Each gap is -ln(1 - u) / rate, to the nanosecond and the precision of a float."""
    source = random.Random(seed)  # noqa: S311
    offsets = (0, *schedule("poisson", rate_per_s=rate, n=n, seed=seed))
    for before, after in pairwise(offsets):
        expected = -math.log1p(-source.random()) / rate * S
        assert abs((after - before) - expected) <= 0.5 + 1e-12 * expected


@given(rate=st.floats(0.01, 10_000), n=st.integers(0, 100))
def test_a_constant_schedule_has_equal_gaps_that_do_not_drift(rate: float, n: int) -> None:
    """Request i is due at i / rate exactly, however many came before; gaps differ by a nanosecond at most."""
    offsets = schedule("constant", rate_per_s=rate, n=n, seed=1)
    for index, offset in enumerate(offsets):
        assert abs(offset - Fraction(index * S) / Fraction(rate)) <= 0.5 + 1e-15 * offset
    gaps = {after - before for before, after in pairwise(offsets)}
    assert not gaps or max(gaps) - min(gaps) <= 1


@given(
    seed=st.integers(0, 2**31 - 1),
    rate=st.floats(0.01, 10_000),
    shorter=st.integers(0, 20),
    n=st.integers(20, 40),
)
def test_a_shorter_schedule_is_the_beginning_of_a_longer_one(
    seed: int, rate: float, shorter: int, n: int
) -> None:
    """More repeats of a case add requests and move none."""
    whole = schedule("poisson", rate_per_s=rate, n=n, seed=seed)
    assert schedule("poisson", rate_per_s=rate, n=shorter, seed=seed) == whole[:shorter]


def is_exponential(made: Schedule) -> bool:
    """Say whether gaps are from an exponential distribution of 20 ms, by Kolmogorov and Smirnov, thrice."""
    for seed in (1, 2, 3):
        offsets = np.array([0, *made(2000, seed)], dtype=float)
        if stats.kstest(np.diff(offsets) / S, stats.expon(scale=1 / 50).cdf).pvalue < 0.01:
            return False
    return True


def is_even(made: Schedule) -> bool:
    """Say whether all gaps are 20 ms."""
    offsets = made(2000, 1)
    return set(map(sub, offsets[1:], offsets[:-1])) == {S // 50}


def test_poisson_gaps_are_exponential_and_constant_ones_equal() -> None:
    """Neither is the other; one known tool draws exponential gaps and calls them constant."""
    assert is_exponential(poisson)
    assert is_even(constant)
    assert not is_exponential(constant)
    assert not is_even(poisson)


def test_gaps_of_another_distribution_or_rate_are_caught() -> None:
    """Planted: uniform gaps, a tenth too slow, gaps of sleeps that add a millisecond each."""

    def uniform(n: int, seed: int) -> list[int]:
        gaps: list[float] = np.random.default_rng(seed).uniform(0, 2 * S / 50, size=n).tolist()
        return list(accumulate(map(round, gaps)))

    def slow(n: int, seed: int) -> tuple[int, ...]:
        return schedule("poisson", rate_per_s=45.0, n=n, seed=seed)

    def drifting(n: int, seed: int) -> list[int]:
        return [at + index * 2_000_000 for index, at in enumerate(poisson(n, seed), start=1)]

    assert not any(is_exponential(broken) for broken in (uniform, slow, drifting))


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_the_rate_of_many_requests_is_the_rate_that_was_asked_for(arrival: str) -> None:
    """Exact for equal gaps, within four standard errors for random ones."""
    n = 10_000
    made = constant if arrival == "constant" else poisson
    assert made(n, 7)[-1] / S == pytest.approx(n / 50, rel=4 / math.sqrt(n))
