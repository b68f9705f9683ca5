"""The rule of a verdict: what the bounds of a difference prove about a margin.

    REGRESSED      the low bound is above the margin
    PASS           the high bound is below it; *improved* when that is below 0, *drift* when the low is above
    INCONCLUSIVE   neither; more noise widens bounds, so it can make this of a verdict and never a PASS

A difference is candidate minus base, so turned that + is worse; a margin above 0 is what it may be.
"""

from __future__ import annotations

from gemma_eval.records import Lean, Verdict
from gemma_eval.stats.bounds import Bounds


def decide(bounds: Bounds, *, difference: float | None, margin: float) -> tuple[Verdict, Lean | None]:
    """Return what bounds prove, and where a difference leans to when they prove nothing."""
    if bounds.above(margin):
        return "REGRESSED", None
    if bounds.below(margin):
        if bounds.below(0.0):
            return "PASS", "improved"
        return "PASS", "drift" if bounds.above(0.0) else None
    if not difference:
        return "INCONCLUSIVE", None
    return "INCONCLUSIVE", "worse" if difference > 0 else "better"
