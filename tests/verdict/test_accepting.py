"""An accepted regression is ACCEPTED as long and as far as it was accepted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Acceptance, Comparison, Gate, Gated, Group, Verdict
from gemma_eval.verdict.accepting import accepted

LOST = Comparison(
    metric="score",
    shared="greedy",
    unit="case",
    n=100,
    base=0.9,
    candidate=0.84,
    difference=0.06,
    low=0.04,
    high=0.08,
    level=0.05,
    margin=0.02,
    detectable=None,
    needed=None,
    verdict="REGRESSED",
)
GATED = Gated(
    gate=Gate(id="score", metric="score", margin=0.02),
    group=Group(model="pocket", profile="greedy", template="rag"),
    label="greedy",
    comparison=LOST,
)
ACCEPTANCE = Acceptance(
    gate="score",
    group="pocket/greedy/rag",
    difference=0.06,
    low=0.04,
    reason="known",
    author="Ada",
    run="r",
    commit=None,
    accepted="2026-11-01",
    expires="2026-12-01",
)


def after(*acceptances: Acceptance, gated: Gated = GATED, today: str = "2026-11-24") -> Gated:
    """Return what becomes of a gate."""
    return accepted(gated, acceptances, today=today)


def test_a_regression_that_was_accepted_is() -> None:
    """With the acceptance, and all figures as they were."""
    expected = replace(GATED, comparison=replace(LOST, verdict="ACCEPTED"), acceptance=ACCEPTANCE)
    assert after(ACCEPTANCE) == expected
    assert after(ACCEPTANCE, today="2026-12-01") == expected


@pytest.mark.parametrize(
    "other",
    [replace(ACCEPTANCE, gate="scores"), replace(ACCEPTANCE, group="pocket/greedy/plain")],
)
def test_an_acceptance_of_another_gate_or_group_does_nothing(other: Acceptance) -> None:
    """There is no blanket one."""
    assert after(other) == GATED
    assert after() == GATED


@pytest.mark.parametrize(
    "verdict", ["PASS", "INCONCLUSIVE", "NEW", "INCOMPARABLE", "MISSING", "INCOMPLETE", "INVALID"]
)
def test_only_a_regression_can_be_accepted(verdict: Verdict) -> None:
    """What else became of it stays."""
    gated = replace(GATED, comparison=replace(LOST, verdict=verdict))
    assert after(ACCEPTANCE, gated=gated) == gated


def test_an_expired_one_leaves_it_regressed_and_says_since_when() -> None:
    """The newest of several is told."""
    older = replace(ACCEPTANCE, expires="2026-11-10", accepted="2026-10-10")
    found = after(older, ACCEPTANCE, today="2026-12-02")
    assert found.comparison == replace(LOST, reason="the acceptance of 2026-11-01 expired on 2026-12-01")
    assert found.acceptance == ACCEPTANCE


def test_the_last_of_those_that_hold_counts() -> None:
    """A person who accepts again means the new figures."""
    smaller = replace(ACCEPTANCE, difference=0.01)
    assert after(smaller, ACCEPTANCE).comparison.verdict == "ACCEPTED"
    assert after(ACCEPTANCE, smaller).comparison.verdict == "REGRESSED"
    assert after(ACCEPTANCE, replace(smaller, expires="2026-11-02")).comparison.verdict == "ACCEPTED"


def test_what_is_proved_to_be_worse_than_was_accepted_fails_again() -> None:
    """By more than the margin: 0.019 + 0.02 lies below the bound of 0.04."""
    found = after(replace(ACCEPTANCE, difference=0.019))
    assert found.comparison.verdict == "REGRESSED"
    assert found.comparison.reason == (
        "it is worse than the 1.9 points that were accepted on 2026-11-01 by more than the margin, proved: "
        "it fails again"
    )
    assert after(replace(ACCEPTANCE, difference=0.021)).comparison.verdict == "ACCEPTED"


def test_a_cost_is_told_in_per_cent() -> None:
    """Its difference is a logarithm: e to the 0.0953 is 1.1."""
    slower = replace(LOST, metric="ttft_s", difference=0.3, low=0.25, margin=0.0488, reason="so it is")
    gated = replace(GATED, comparison=slower)
    found = after(replace(ACCEPTANCE, difference=0.0953), gated=gated)
    assert found.comparison.reason == (
        "so it is; it is worse than the 10.0 % that were accepted on 2026-11-01 by more than the margin, "
        "proved: it fails again"
    )


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.001, 0.5))
def test_the_more_was_accepted_the_more_is(difference: float, low: float, margin: float) -> None:
    """Who has accepted a loss has accepted a smaller one."""
    gated = replace(GATED, comparison=replace(LOST, low=low, margin=margin))
    one = after(replace(ACCEPTANCE, difference=difference), gated=gated).comparison.verdict
    more = after(replace(ACCEPTANCE, difference=difference + 0.1), gated=gated).comparison.verdict
    assert one == "REGRESSED" or more == "ACCEPTED"
    assert (one == "REGRESSED") == (low > difference + margin)
