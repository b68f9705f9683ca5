"""The variance that comparisons of before had, and for how much it may count in the next one.

    s0² = s²·df / χ²(0.25, df)        d0 = min(12, df)

s² with its degrees of freedom is pooled from history. Taken as it is, it is too small every second time, and
then proofs err more often than they may: so s0² is its upper 75 % bound, where χ²(0.25, df) is the lower
quartile of that distribution. It counts as no more than 12 data, however long the history, for noise changes.
Source: Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1):3, section 3 (moderation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from gemma_eval.stats.paired import Prior
from gemma_eval.stats.percentiles import mean

MOST = 12.0
"""How many degrees of freedom a history counts for at most."""

LEAST = 3.0
"""With fewer degrees of freedom a history says too little of a variance to be one."""

_TOO_SMALL = 0.25
"""How often the variance of a history may be less than the true one."""


def of_sessions(sessions: Sequence[Sequence[float]], *, most: float = MOST) -> Prior | None:
    """Return what earlier sessions say of the variance of a block's log-ratio.

    Each session has the log-ratios of its blocks. What it found to differ is its own: the variance is that
    around the mean of each, Σ (d - mean)² / Σ (n - 1). `None` where there are too few, or all are equal.
    """
    squares = df = 0.0
    for session in sessions:
        center = mean(session)
        if center is not None:
            squares += math.fsum((value - center) ** 2 for value in session)
            df += len(session) - 1
    return _prior(squares / df, df, most) if df else None


def of_series(values: Sequence[float], *, most: float = MOST) -> Prior | None:
    """Return what runs of before, in their order, say of the variance of one difference between two runs.

    `values` are logarithms, one a run. The variance is Σ (x[i + 1] - x[i])² / (n - 1): a drift, or a change
    that was real, makes it larger on average. A run is part of two differences, so these count as
    2·(n - 1)² / (3·n - 4) degrees of freedom, 3.6 for six runs, which are the fewest. The two runs are taken
    to be neighbours: where values wander, those further apart differ by more.
    Source: von Neumann, Kent, Bellinson and Hart 1941, Annals of Mathematical Statistics 12:153-162 (the
    variance of the mean square successive difference, from which the degrees of freedom follow).
    """
    n = len(values)
    if n < 2:
        return None
    variance = math.fsum((after - before) ** 2 for before, after in pairwise(values)) / (n - 1)
    return _prior(variance, 2 * (n - 1) ** 2 / (3 * n - 4), most)


def _prior(variance: float, df: float, most: float) -> Prior | None:
    if df < LEAST or variance <= 0:
        return None
    from scipy.special import chdtri

    return Prior(variance=variance * df / float(chdtri(df, 1 - _TOO_SMALL)), df=min(most, df))
