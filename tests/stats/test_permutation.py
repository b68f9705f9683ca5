"""Sign flips agree with SciPy's permutation test, exactly for few data and within chance for more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.permutation import DRAWS, EXACT, sign_flip_not_worse, sign_flip_worse

# Darwin's Zea mays, the differences in eighths of an inch; Fisher 1935, section 21: 863 of the 32,768 ways
# have a sum at least as large as that found, and as many are as far below.
DARWIN = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
FISHER = 863 / 32_768


def test_the_p_of_darwins_plants_is_fishers() -> None:
    """His worked example of the test."""
    assert sign_flip_worse(DARWIN) == pytest.approx(FISHER, rel=1e-12)
    assert sign_flip_not_worse([-difference for difference in DARWIN]) == pytest.approx(FISHER, rel=1e-12)


def test_fishers_p_catches_planted_errors() -> None:
    """Sums that are larger only, both tails, and ranks for values have another."""
    signs = np.array(list(product((-1, 1), repeat=15)))
    sums = signs @ np.array(DARWIN)
    assert float(np.mean(sums > sum(DARWIN))) != FISHER
    assert float(np.mean(np.abs(sums) >= sum(DARWIN))) == pytest.approx(2 * FISHER)
    assert float(stats.wilcoxon(DARWIN, alternative="greater").pvalue) != pytest.approx(FISHER, rel=0.01)


@given(
    st.lists(st.integers(-9, 9).map(lambda count: count / 10), min_size=2, max_size=9),
    st.sampled_from((0.0, 0.05, -0.2)),
)
def test_the_exact_p_is_that_of_scipy(values: list[float], margin: float) -> None:
    """In both directions, with a margin."""

    def test(alternative: Literal["greater", "less"]) -> float:
        return float(
            stats.permutation_test(
                (np.round(np.array(values) - margin, 12),),
                lambda data, axis: np.round(np.sum(data, axis=axis), 9),
                permutation_type="samples",
                n_resamples=10**6,
                alternative=alternative,
                vectorized=True,
            ).pvalue
        )

    assert sign_flip_worse(values, margin=margin) == pytest.approx(test("greater"))
    assert sign_flip_not_worse(values, margin=margin) == pytest.approx(test("less"))


def test_a_drawn_p_is_near_the_exact_one_and_never_0() -> None:
    """Of seventeen data, one more than all ways are tried of."""
    random = np.random.default_rng(3)
    values = random.normal(0.4, 1.0, EXACT + 1).tolist()
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums - value, sums + value))
    exact = float(np.mean(sums >= sum(values) - 1e-9))
    assert sign_flip_worse(values) == pytest.approx(exact, abs=4 * (exact / DRAWS) ** 0.5)
    assert sign_flip_worse([1.0] * 40) == 1 / (DRAWS + 1)


def test_a_drawn_p_depends_on_the_seed_alone() -> None:
    """The same seed, the same p."""
    values = np.random.default_rng(5).normal(0.1, 1.0, 30).tolist()
    assert sign_flip_worse(values, seed=1) == sign_flip_worse(values, seed=1)
    assert sign_flip_worse(values, seed=1) != sign_flip_worse(values, seed=2)


def test_few_data_prove_little() -> None:
    """Four equal differences: one way of sixteen; of none, and at the margin itself, the p is 1."""
    assert sign_flip_worse([0.1] * 4) == 1 / 16
    assert sign_flip_worse([]) == sign_flip_worse([0.3, 0.3], margin=0.3) == 1.0


def test_a_cluster_has_one_sign() -> None:
    """Twelve differences in three clusters are three data."""
    keys = ["a", "b", "c"] * 4
    assert sign_flip_worse([0.1] * 12, clusters=keys) == 1 / 8
    assert sign_flip_worse([0.1] * 12) == 1 / 4096


def rejects(p: Callable[[Sequence[float]], float]) -> float:
    """Return how often a p of no difference is at most 5 %, over 2,000 samples of eight skew-free data."""
    random = np.random.default_rng(13)
    return float(np.mean([p(random.standard_t(2, 8).tolist()) <= 0.05 for _ in range(2000)]))


def test_no_difference_is_called_one_no_more_often_than_the_level() -> None:
    """With heavy tails; a p that does not count the way that was found is too small."""
    assert rejects(sign_flip_worse) <= 0.06
    assert rejects(lambda values: sign_flip_worse(values) - 4 / 256) > 0.06
