"""Gates of one tier are one family, and what is proved there is proved among all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gemma_eval.records import Comparison, Gate, Gated, Group, Tier, Verdict
from gemma_eval.verdict.family import adjusted

COMPARISON = Comparison(
    metric="score",
    shared="",
    unit="case",
    n=100,
    base=0.9,
    candidate=0.8,
    difference=0.1,
    low=0.05,
    high=0.15,
    level=0.05,
    margin=0.02,
    detectable=None,
    needed=None,
    verdict="REGRESSED",
)


def gated(p: float | None, *, tier: Tier = "critical", verdict: Verdict | None = None) -> Gated:
    """Return a gate that is proved to be broken where its p says so."""
    proved: Verdict = "REGRESSED" if p is not None and p <= 0.05 else "INCONCLUSIVE"
    return Gated(
        gate=Gate(id="g", metric="score", margin=0.02, tier=tier),
        group=Group(model="m", profile="p", template="t"),
        label="",
        comparison=replace(COMPARISON, p=p, verdict=verdict or proved),
    )


PS = (0.001, 0.04, 0.013, 0.03, 0.008, 0.9, 0.049)


@pytest.mark.parametrize(
    ("tier", "method"), [("critical", "holm"), ("supporting", "holm"), ("advisory", "fdr_bh")]
)
def test_the_p_of_a_family_is_that_of_statsmodels(tier: Tier, method: str) -> None:
    """What is not proved among all becomes inconclusive, and leans to worse."""
    found = adjusted([gated(p, tier=tier) for p in PS])
    rejected, expected, *_ = multipletests(PS, alpha=0.05, method=method)
    assert [each.p_adjusted for each in found] == pytest.approx(list(expected))
    assert [each.comparison.verdict == "REGRESSED" for each in found] == list(rejected)
    assert 0 < sum(rejected) < sum(p <= 0.05 for p in PS)
    assert [each.comparison.p for each in found] == list(PS)


def test_tiers_are_families_of_their_own() -> None:
    """What is only shown does not weaken what decides."""
    alone = adjusted([gated(0.03)])
    beside = adjusted(
        [gated(0.03), *(gated(0.5, tier="advisory") for _ in range(50)), gated(0.04, tier="supporting")]
    )
    assert (beside[0], beside[-1].comparison.verdict) == (alone[0], "REGRESSED")
    assert alone[0].p_adjusted == 0.03


def test_what_loses_among_others_says_so() -> None:
    """With how many there are and its p."""
    found = adjusted([gated(0.03), gated(0.5)])[0].comparison
    assert (found.verdict, found.lean) == ("INCONCLUSIVE", "worse")
    assert found.reason == (
        "by itself it would be proved to be worse; as one of 2 gates it is not (p = 0.06)"
    )


def test_what_has_no_p_or_no_figures_is_not_of_the_family() -> None:
    """A gate without a base, and times of another machine: they were not looked for among the others."""
    others = [gated(None, verdict="NEW"), gated(0.5, verdict="INVALID"), gated(0.5, verdict="INCOMPARABLE")]
    found = adjusted([gated(0.03), *others])
    assert (found[0].p_adjusted, found[0].comparison.verdict) == (0.03, "REGRESSED")
    assert found[1:] == tuple(others)


def test_a_pass_needs_no_adjustment() -> None:
    """That all pass is that each was proved."""
    found = adjusted([gated(0.99, verdict="PASS")] * 20)
    assert {each.comparison.verdict for each in found} == {"PASS"}


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["critical", "advisory"])), max_size=30))
def test_a_family_proves_no_more_than_its_gates_do_alone(given: list[tuple[float, Tier]]) -> None:
    """And keeps their order."""
    before = [gated(p, tier=tier) for p, tier in given]
    after = adjusted(before)
    for one, other in zip(before, after, strict=True):
        assert other.gate == one.gate
        assert one.comparison.verdict in (other.comparison.verdict, "REGRESSED")
        assert other.comparison.verdict in (one.comparison.verdict, "INCONCLUSIVE")
        assert (other.p_adjusted or 0) >= (one.comparison.p or 0) - 1e-12
