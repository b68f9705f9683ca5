"""The levels of a sequential comparison are those of the spending function, and keep what they promise."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.looks import LOOKS, levels, reached, spent

# Found independently when the rule was simulated first; they are right to the last of their digits.
INCREMENTS = (0.0001, 0.0019, 0.0095, 0.0170, 0.0216)
# Five equal looks: 2·(1 - Φ(1.95996 / √t)) by a table of the normal distribution.
TABLED = ((0.2, 0.00001), (0.4, 0.00194), (0.6, 0.01140), (0.8, 0.02843), (1.0, 0.05))


def test_the_levels_are_the_increments_of_what_may_be_spent() -> None:
    """And add up to all of it."""
    assert tuple(levels()) == LOOKS
    assert tuple(levels().values()) == pytest.approx(INCREMENTS, abs=5.01e-5)
    assert sum(levels().values()) == pytest.approx(0.05)


def test_what_is_spent_is_as_tabled() -> None:
    """And, to more digits, as SciPy's normal distribution has it."""
    for share, expected in TABLED:
        assert spent(share) == pytest.approx(expected, abs=1e-5)
        z = stats.norm.ppf(0.975)
        assert spent(share) == pytest.approx(2 * (1 - stats.norm.cdf(z / share**0.5)), rel=1e-9)


def test_the_table_catches_planted_errors() -> None:
    """Pocock's function, a share without its root and a one-sided quantile spend otherwise."""

    def pocock(share: float) -> float:
        return 0.05 * float(np.log(1 + (np.e - 1) * share))

    def no_root(share: float) -> float:
        return 2 * float(stats.norm.sf(stats.norm.ppf(0.975) / share))

    def one_sided(share: float) -> float:
        return float(stats.norm.sf(stats.norm.ppf(0.95) / share**0.5))

    for planted in (pocock, no_root, one_sided):
        assert planted(1.0) == pytest.approx(0.05)
        assert planted(0.4) != pytest.approx(0.00194, abs=1e-4)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True), st.floats(0.001, 0.2))
def test_any_looks_spend_all_of_alpha_and_no_more(looks: list[int], alpha: float) -> None:
    """Each has some of it; a look that comes later adds to what was spent."""
    found = levels(sorted(looks), alpha=alpha)
    assert all(level >= 0 for level in found.values())
    assert list(accumulate(found.values()))[-1] == pytest.approx(alpha)


def test_one_look_has_all_of_alpha_and_no_data_have_none() -> None:
    """Who looks once need not spend."""
    assert levels((7,)) == pytest.approx({7: 0.05})
    assert spent(0.0) == 0.0


def test_a_look_is_reached_with_its_blocks() -> None:
    """Six blocks are looked at as five."""
    assert [reached(blocks) for blocks in (0, 4, 5, 7, 8, 20, 31)] == [None, None, 5, 5, 8, 20, 20]


def errors(at: Mapping[int, float]) -> float:
    """Return how often any look at 20,000 random walks crosses its bound, where nothing has changed."""
    random = np.random.default_rng(17)
    walks = random.normal(size=(20_000, 20)).cumsum(axis=1)
    crossed = [walks[:, n - 1] / n**0.5 > stats.norm.isf(level) for n, level in at.items()]
    return float(np.mean(np.any(crossed, axis=0)))


def test_five_looks_err_no_more_often_than_alpha() -> None:
    """Five looks at 5 % each, the planted error, would in more than one of ten."""
    assert errors(levels()) <= 0.05
    assert errors(dict.fromkeys(LOOKS, 0.05)) > 0.10
