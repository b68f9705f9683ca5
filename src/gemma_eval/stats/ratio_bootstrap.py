"""The log-ratio of a percentile of two sides, whose error is found by drawing their blocks anew.

The block is what varies: requests of one start of an engine are alike. So blocks are drawn with replacement,
those of both sides together, 2,000 times from a fixed seed, and the standard deviation of the log-ratio over
the draws is the error, after the correction √(b / (b - 1)) for b blocks. The bounds that follow are those of
Student: quantiles of the draws are too near with five blocks, and 2,000 have none at the level of a first
look.
Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gemma_eval.stats.paired import Paired
from gemma_eval.stats.percentiles import Percent, percentile

RESAMPLES = 2_000

_MISS = 0.05
"""How often a one-sided bound of a percentile may miss it."""


def enough_for(percent: Percent) -> int:
    """Return how many requests can bound a percentile from above: n ≥ ln .05 / ln q, 59 for p95.

    With fewer, all of them lie below it more often than in one of twenty cases.
    Source: David and Nagaraja 2003, Order Statistics, section 7.1.
    """
    return math.ceil(math.log(_MISS) / math.log(percent / 100))


def percentile_ratio(
    base: Sequence[Sequence[float]],
    candidate: Sequence[Sequence[float]],
    *,
    percent: Percent,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Paired | None:
    """Return ln(candidate / base) of a percentile of positive values, and its error; + is longer.

    Block i of the one side is paired with block i of the other, and the data are the blocks. `None` where a
    side has too few requests for the percentile, or where there are not two blocks.
    """
    found = _log_ratio(base, candidate, percent)
    blocks = len(base)
    few = min(sum(map(len, side)) for side in (base, candidate)) < enough_for(percent)
    if found is None or few or blocks < 2:
        return None
    import numpy as np

    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        chosen = random.integers(blocks, size=blocks)
        ratio = _log_ratio([base[at] for at in chosen], [candidate[at] for at in chosen], percent)
        if ratio is not None:
            drawn.append(ratio)
    se = float(np.std(drawn, ddof=1)) * math.sqrt(blocks / (blocks - 1))
    return Paired(n=blocks, data=blocks, mean=found, sd=se * math.sqrt(blocks), se=se, df=blocks - 1)


def _log_ratio(
    base: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]], percent: Percent
) -> float | None:
    """Return the log-ratio of a percentile over all values of each side."""
    of_base, of_candidate = (
        percentile([value for block in side for value in block], percent) for side in (base, candidate)
    )
    return math.log(of_candidate / of_base) if of_base and of_candidate else None
