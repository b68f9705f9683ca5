"""Adjusted p-values agree with a published table and with SciPy, and planted errors do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.multiple import benjamini_hochberg, holm

Adjust = Callable[[Sequence[float]], tuple[float, ...]]
PS = st.lists(st.floats(0.0, 1.0), max_size=30)

# Benjamini and Hochberg 1995, table 1: at 5 % their procedure rejects four and Bonferroni's three, as Holm's.
INFARCTION = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)


def rejected(adjust: Adjust) -> int:
    """Return how many of the published family are rejected at 5 %."""
    return sum(p <= 0.05 for p in adjust(INFARCTION))


def test_the_published_family_is_rejected_as_published() -> None:
    """Four by the false discovery rate, three by the family-wise error."""
    assert rejected(benjamini_hochberg) == 4
    assert rejected(holm) == 3


def by_hand(ps: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's p-values from the definition: the largest of what all smaller or equal ones come to."""
    ordered = sorted(ps)
    steps = [(len(ps) - rank) * p for rank, p in enumerate(ordered)]
    return tuple(min(1.0, max(steps[: ordered.index(p) + ps.count(p)])) for p in ps)


@given(PS)
def test_holms_p_values_are_those_of_the_definition(ps: list[float]) -> None:
    """In the order of the family; equal ones stay equal."""
    assert holm(ps) == pytest.approx(by_hand(ps))


@given(PS.filter(bool))
def test_q_values_are_those_of_scipy(ps: list[float]) -> None:
    """In the order of the family."""
    assert benjamini_hochberg(ps) == pytest.approx(stats.false_discovery_control(ps, method="bh"))


def test_the_comparisons_catch_planted_errors() -> None:
    """Bonferroni, Holm without the maximum, and q-values without the minimum."""
    family = (0.01, 0.02, 0.022, 0.4)

    def without_maximum(ps: Sequence[float]) -> tuple[float, ...]:
        return tuple(min(1.0, (len(ps) - rank) * p) for rank, p in enumerate(sorted(ps)))

    def without_minimum(ps: Sequence[float]) -> tuple[float, ...]:
        return tuple(p * len(ps) / (rank + 1) for rank, p in enumerate(sorted(ps)))

    expected = by_hand(family)
    assert holm(family) == pytest.approx(expected)
    assert tuple(min(1.0, 4 * p) for p in family) != pytest.approx(expected)
    assert without_maximum(family) != pytest.approx(expected)
    assert without_minimum(family) != pytest.approx(stats.false_discovery_control(family))


@given(PS)
def test_an_adjusted_p_is_no_smaller_and_keeps_the_order(ps: list[float]) -> None:
    """Holm's is at most Bonferroni's, and a q-value at most Holm's."""
    careful, discovered = holm(ps), benjamini_hochberg(ps)
    for raw, p, q in zip(ps, careful, discovered, strict=True):
        assert raw <= q + 1e-15
        assert q <= p + 1e-15
        assert p <= min(1.0, len(ps) * raw) + 1e-15
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    for adjusted in (careful, discovered):
        ordered = [adjusted[at] for at in order]
        assert ordered == list(accumulate(ordered, max))


def test_a_family_of_none_or_one_is_as_it_is() -> None:
    """There is nothing to adjust for."""
    for adjust in (holm, benjamini_hochberg):
        assert adjust([]) == ()
        assert adjust([0.03]) == (0.03,)
