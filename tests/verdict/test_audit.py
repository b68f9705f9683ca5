"""The gates themselves are held against what they promise: how often they decide, and how often they err."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.records import Gate, Gated, Gating, Group, Percentile, Tier, Unit, Verdict
from gemma_eval.verdict.audit import Audit, audit, is_alike
from tests.store.test_store_gating import COMPARISON

COMMIT = "0123abc"
SAME: Mapping[str, str | None] = {"base": COMMIT, "candidate": COMMIT}
TTFT = Gate(id="ttft", metric="ttft_s", tolerance=0.05)


def mixed(count: int, verdict: Verdict, *, of: int) -> list[Verdict]:
    """Return so many verdicts of one kind, and PASS for the rest."""
    return [verdict if number < count else "PASS" for number in range(of)]


def a_gated(
    verdict: Verdict,
    *,
    metric: str = "ttft_s",
    n: int = 5,
    unit: Unit = "block",
    tier: Tier = "critical",
    limit: float | None = None,
    percentile: Percentile | None = None,
) -> Gated:
    """Return a gate with that verdict."""
    tolerance = 0.05 if limit is None else None
    gate = Gate(id="g", metric=metric, tolerance=tolerance, limit=limit, tier=tier, percentile=percentile)
    comparison = replace(COMPARISON, metric=metric, verdict=verdict, n=n, unit=unit)
    return Gated(
        gate=gate, group=Group(model="m", profile="p", template="t"), label="p", comparison=comparison
    )


def a_gating(*gated: Gated, blocks: int = 5, commits: Mapping[str, str | None] = SAME) -> Gating:
    """Return the gates of a run that was held against one of the same commit, unless others are given."""
    return Gating(candidate="run", base="base", found="", blocks=blocks, gated=gated, commits=commits)


def test_verdicts_are_counted_by_metric() -> None:
    """An accepted regression is one; a percentile is a metric of its own."""
    found = audit(
        [
            a_gating(a_gated("REGRESSED"), a_gated("NEW"), a_gated("PASS", metric="score", unit="case")),
            a_gating(a_gated("ACCEPTED"), a_gated("INCONCLUSIVE"), a_gated("INVALID")),
            a_gating(a_gated("PASS", percentile=95)),
            a_gating(),
        ]
    )
    assert found.runs == 3
    assert [each.metric for each in found.metrics] == ["ttft_s", "score", "ttft_s p95"]
    ttft = found.metrics[0]
    assert (ttft.gates, ttft.regressed, ttft.passed, ttft.inconclusive, ttft.other) == (5, 2, 0, 1, 2)


@given(st.lists(st.sampled_from(["REGRESSED", "ACCEPTED", "PASS", "INCONCLUSIVE", "NEW", "MISSING"])))
def test_every_gate_has_one_place(verdicts: Sequence[Verdict]) -> None:
    """The counts of a metric add up to its gates."""
    for each in audit([a_gating(a_gated(verdict)) for verdict in verdicts]).metrics:
        assert each.gates == each.regressed + each.passed + each.inconclusive + each.other == len(verdicts)
        assert each.alike_regressed <= each.alike <= each.gates


def test_blocks_are_those_of_gates_measured_in_turn() -> None:
    """The median of when each was decided; what was not measured in turn has none."""
    turned = [a_gating(a_gated("PASS", n=n)) for n in (5, 8, 20)]
    apart = a_gating(
        a_gated("INCONCLUSIVE", n=1, unit="run"), a_gated("INCONCLUSIVE", n=1, limit=1.0), blocks=0
    )
    assert audit([*turned, apart, apart]).metrics[0].blocks == 8
    assert audit([apart]).metrics[0].blocks is None


@pytest.mark.parametrize(
    ("gating", "alike"),
    [
        (a_gating(), True),
        (a_gating(commits={"base": COMMIT, "candidate": "4567def"}), False),
        (a_gating(commits={"base": f"{COMMIT}-dirty", "candidate": f"{COMMIT}-dirty"}), False),
        (a_gating(commits={"base": None, "candidate": None}), False),
        (a_gating(commits={}), False),
        (replace(a_gating(), changes=("template plain → rag",)), False),
        (replace(a_gating(), base=None), False),
    ],
)
def test_the_same_with_itself_is_of_one_commit_and_of_equal_names(gating: Gating, alike: bool) -> None:
    """With nothing uncommitted on either side."""
    assert is_alike(gating) is alike


def of_alike(erred: int, tried: int) -> Audit:
    """Return an audit of so many comparisons of the same with itself, of which so many erred."""
    verdicts = mixed(erred, "REGRESSED", of=tried)
    return audit([a_gating(a_gated(verdict), a_gated("PASS")) for verdict in verdicts])


@pytest.mark.parametrize(("erred", "tried"), [(0, 20), (1, 20), (4, 20), (20, 20), (3, 100)])
def test_errors_are_held_against_five_per_cent_of_the_runs(erred: int, tried: int) -> None:
    """The p is scipy's of the binomial distribution."""
    found = of_alike(erred, tried)
    assert (found.alike, found.alike_regressed, found.allowed) == (tried, erred, 0.05)
    assert found.p == pytest.approx(stats.binom.sf(erred - 1, tried, 0.05))
    assert found.metrics[0].alike == 2 * tried
    assert found.metrics[0].alike_regressed == erred


def test_what_is_no_comparison_cannot_err() -> None:
    """Limits, other commits, what was not measured well, and gates that are not critical."""
    found = audit(
        [
            a_gating(a_gated("REGRESSED", limit=1.0)),
            a_gating(a_gated("INVALID")),
            a_gating(a_gated("REGRESSED", tier="advisory")),
            a_gating(a_gated("REGRESSED"), commits={"base": COMMIT, "candidate": "4567def"}),
        ]
    )
    assert (found.alike, found.alike_regressed, found.p) == (0, 0, None)
    assert (found.metrics[0].alike, found.metrics[0].alike_regressed) == (1, 1)


@pytest.mark.parametrize(("inconclusive", "is_undecided"), [(0, False), (2, False), (3, True)])
def test_more_than_a_fifth_that_proves_nothing_is_too_much(inconclusive: int, is_undecided: bool) -> None:
    """Of ten gates two may."""
    verdicts = mixed(inconclusive, "INCONCLUSIVE", of=10)
    (found,) = audit([a_gating(a_gated(verdict)) for verdict in verdicts]).metrics
    assert found.is_undecided is is_undecided
