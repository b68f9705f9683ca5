"""A margin is proved by one bound and never by what is unknown."""

from __future__ import annotations

from gemma_eval.stats.bounds import UNKNOWN, Bounds


def test_a_margin_is_proved_only_where_the_whole_bound_is_beyond_it() -> None:
    """A bound at the margin proves nothing."""
    found = Bounds(low=0.01, high=0.03)
    assert [found.above(margin) for margin in (0.0, 0.01, 0.02)] == [True, False, False]
    assert [found.below(margin) for margin in (0.02, 0.03, 0.04)] == [False, False, True]


def test_the_unknown_proves_nothing() -> None:
    """Nor does half of it."""
    assert not UNKNOWN.above(-1e9)
    assert not UNKNOWN.below(1e9)
    assert not Bounds(low=None, high=0.0).above(-1.0)


def test_bounds_that_hold_others_are_the_outer_ones() -> None:
    """What is unknown gives way."""
    assert Bounds(low=0.0, high=1.0).holding(Bounds(low=-1.0, high=0.5)) == Bounds(low=-1.0, high=1.0)
    assert UNKNOWN.holding(Bounds(low=-1.0, high=0.5)) == Bounds(low=-1.0, high=0.5)
    assert UNKNOWN.holding(UNKNOWN) == UNKNOWN


def test_bounds_are_scaled_to_another_unit() -> None:
    """The unknown stays unknown."""
    assert Bounds(low=-0.1, high=0.2).scaled(10.0) == Bounds(low=-1.0, high=2.0)
    assert UNKNOWN.scaled(10.0) == UNKNOWN
