"""What blocks that nobody saw might have proved: whether a difference could be above a margin with them.

Of n data, k were not seen. With S and C the sum and the sum of squares of what the others are above the
margin, and d0 and s0² those of a prior, the largest that t can be is

    t² = (n - 1 + d0)·F / (n - F)        F = k + max(0, S)² / (C + d0·s0²)

which is reached where each of the unseen is (C + d0·s0²) / S above the margin. As k grows so does t, so that
a proof that was made with fewer, whatever the others were, is a proof that could be made.
Source: Student 1908 (t, which grows with (S + Σ x)² / (C + d0·s0² + Σ x²)); the inequality of Cauchy and
Schwarz bounds that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gemma_eval.stats.paired import Prior

_ROUNDING = 1e-9


def could_prove(
    seen: Sequence[float], unseen: int, *, margin: float, level: float, prior: Prior | None = None
) -> bool:
    """Whether so many unseen data might, with those seen, prove a difference above the margin at a level."""
    from scipy.special import stdtr

    before = prior.variance * prior.df if prior else 0.0
    n, df = len(seen) + unseen, len(seen) + unseen - 1 + (prior.df if prior else 0.0)
    if df <= 0:
        return False
    above = [difference - margin for difference in seen]
    total, squares = math.fsum(above), math.fsum(each * each for each in above) + before
    most = unseen + (max(0.0, total) ** 2 / squares if squares else 0.0)
    if most >= n * (1 - _ROUNDING):
        return True
    return float(stdtr(df, -math.sqrt(df * most / (n - most)))) <= level * (1 + _ROUNDING)
