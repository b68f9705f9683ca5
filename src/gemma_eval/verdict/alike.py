"""What the first look that decides proves, by the spread of its blocks or, where that is none, by their sign.

Blocks may all have the very same difference, as those of memory do, and then there is no spread.

If half of all blocks differ by the margin or less, n blocks of which all differ by more have the chance 2^-n:
that is the p of the sign test, and where it is no more than the level of a look, the difference itself is a
bound on both sides.
Source: Conover 1999, Practical Nonparametric Statistics, section 3.4 (the sign test).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gemma_eval.records import Comparison
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.looks import ALPHA, levels
from gemma_eval.stats.paired import Prior, paired
from gemma_eval.stats.sequential import Look, first_decision
from gemma_eval.verdict.decide import decide


def first_proof(
    known: Comparison,
    samples: Mapping[int, Sequence[float]],
    *,
    looks: Sequence[int],
    prior: Prior | None = None,
) -> Look | Comparison | None:
    """Return the first look that decides, else the last one; where its blocks are equal, what they prove.

    `samples` are the log-ratios that each look sees, in the order of the looks; `None` where there is none.
    """
    found: Look | Comparison | None = None
    for blocks, differences in samples.items():
        seen = first_decision({blocks: differences}, margin=known.margin, looks=looks, prior=prior)
        if seen is None:
            continue
        if seen.decides(known.margin):
            return seen
        alike = of_equal_blocks(known, differences, levels(looks)) if seen.paired.se == 0 else None
        if alike is not None and alike.verdict != "INCONCLUSIVE":
            return alike
        found = alike or seen
    return found


def of_equal_blocks(
    known: Comparison, differences: Sequence[float], looks: Mapping[int, float]
) -> Comparison | None:
    """Return what equal differences prove at the first look that may, `None` where they are not equal.

    `looks` are numbers of blocks with their levels.
    """
    seen = [look for look in looks if look <= len(differences)]
    of = paired(differences[: seen[-1]]) if seen else None
    if of is None or of.se != 0:
        return None
    at = next((look for look in seen if 0.5**look <= looks[look]), None)
    last = looks[max(looks)]
    if at is None:
        needed = max(math.ceil(-math.log2(last)), seen[-1] + 1)
        return replace(known, n=seen[-1], level=looks[seen[-1]], difference=of.mean, needed=needed, p=1.0)
    verdict, lean = decide(Bounds(low=of.mean, high=of.mean), difference=of.mean, margin=known.margin)
    # A p at its own look, made what it is worth over all of them: it is ALPHA where the look's level is met.
    p = min(1.0, 0.5**at * ALPHA / looks[at]) if of.mean > known.margin else 1.0
    known = replace(known, n=at, level=looks[at], low=of.mean, high=of.mean, difference=of.mean)
    return replace(known, verdict=verdict, lean=lean, p=p)
