"""A verdict is what bounds prove, each excludes the others, and noise makes none of them a PASS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.stats.bounds import UNKNOWN, Bounds
from gemma_eval.verdict.decide import decide

MARGIN = 0.02
FINITE = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "lean"),
    [
        (0.03, 0.05, "REGRESSED", None),
        (0.01, 0.05, "INCONCLUSIVE", "worse"),
        (-0.05, 0.03, "INCONCLUSIVE", "better"),
        (-0.01, 0.01, "PASS", None),
        (0.005, 0.015, "PASS", "drift"),
        (-0.05, -0.01, "PASS", "improved"),
    ],
)
def test_each_place_of_the_bounds_has_its_verdict(
    low: float, high: float, verdict: str, lean: str | None
) -> None:
    """With the margin at 0.02; the difference lies in their middle."""
    assert decide(Bounds(low=low, high=high), difference=(low + high) / 2, margin=MARGIN) == (verdict, lean)


def test_a_bound_at_the_margin_proves_nothing() -> None:
    """Neither that it is above nor that it is below."""
    for bounds in (Bounds(low=MARGIN, high=0.5), Bounds(low=-0.5, high=MARGIN), UNKNOWN):
        assert decide(bounds, difference=0.0, margin=MARGIN) == ("INCONCLUSIVE", None)


@given(middle=FINITE, half=st.floats(0, 1), wider=st.floats(0, 1), margin=st.floats(0.001, 0.5))
def test_more_noise_never_makes_a_pass_or_a_regression(
    middle: float, half: float, wider: float, margin: float
) -> None:
    """Wider bounds about the same difference keep the verdict or make it inconclusive."""

    def verdict(by: float) -> str:
        return decide(Bounds(low=middle - by, high=middle + by), difference=middle, margin=margin)[0]

    assert verdict(half + wider) in (verdict(half), "INCONCLUSIVE")


@given(middle=FINITE, half=st.floats(0, 1), margin=st.floats(0.001, 0.5))
def test_what_is_better_on_both_ends_is_never_the_worse_verdict(
    middle: float, half: float, margin: float
) -> None:
    """The order of verdicts is that of the differences."""
    order = ("REGRESSED", "INCONCLUSIVE", "PASS")
    one = decide(Bounds(low=middle - half, high=middle + half), difference=middle, margin=margin)[0]
    other = decide(
        Bounds(low=middle - half - 0.1, high=middle + half - 0.1), difference=middle - 0.1, margin=margin
    )[0]
    assert order.index(other) >= order.index(one)
