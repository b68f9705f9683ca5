"""Gates of one tier are one family: what a proof is worth where so many were looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.records import Gated, Tier, Verdict
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.multiple import benjamini_hochberg, holm

_NO_DATA: tuple[Verdict, ...] = ("INVALID", "INCOMPARABLE")
"""Verdicts of figures that are none of the candidate's: they are not looked for among the others."""

_TIERS: tuple[Tier, ...] = ("critical", "supporting", "advisory")


def adjusted(gated: Sequence[Gated]) -> tuple[Gated, ...]:
    """Return the gates with their p for the family; what is not proved there is INCONCLUSIVE.

    Of critical gates, and of supporting ones, one false REGRESSED among all is no more likely than 5 %
    (Holm); of advisory ones no more than 5 % are expected to be false (Benjamini and Hochberg). That all pass
    needs no adjustment: then every one was proved. A gate that nothing could call REGRESSED has no p and is
    not of the family: without a base, before the first look, or where every answer is the same text, which
    says nothing of the other gates' figures.
    """
    found = list(gated)
    for tier in _TIERS:
        family = [
            (at, p)
            for at, each in enumerate(found)
            if each.gate.tier == tier
            and each.comparison.verdict not in _NO_DATA
            and (p := each.comparison.p) is not None
        ]
        adjust = benjamini_hochberg if tier == "advisory" else holm
        for (at, _), p in zip(family, adjust([p for _, p in family]), strict=True):
            found[at] = _with(found[at], p, n=len(family))
    return tuple(found)


def _with(gated: Gated, p: float, *, n: int) -> Gated:
    gated = replace(gated, p_adjusted=p)
    if gated.comparison.verdict != "REGRESSED" or p <= ALPHA:
        return gated
    reason = f"by itself it would be proved to be worse; as one of {n} gates it is not (p = {p:.2g})"
    lost = replace(gated.comparison, verdict="INCONCLUSIVE", lean="worse", reason=reason)
    return replace(gated, comparison=lost)
