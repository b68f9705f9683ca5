"""95 % confidence intervals for what reports show: proportions, means and medians."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.stats.percentiles import mean, standard_deviation

ALPHA = 0.05
"""How often an interval may miss what it is for; half of it on each side."""

_AT_END = 0.005
"""Closer to 0 or 1 than this, two decimals write the end itself."""

_DIGITS = 12
"""Scores that differ by less than so many decimals are equal: the difference is of rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Two bounds and how they were made; `none` has no bounds because the data cannot give any."""

    low: float | None
    high: float | None
    method: Literal["wilson", "t", "median", "none"]


NONE = Interval(low=None, high=None, method="none")


def of_scores(values: Sequence[float]) -> Interval:
    """Return the interval of a mean of scores in 0..1: Wilson's or Student's t; fewer than two have none.

    Wilson's is for scores that are all 0 or 1, and for equal ones, which have no spread to tell of. It takes
    the mean for a share, and with it the largest variance that scores of that mean can have. A t interval
    that reaches 0 or 1, as near as two decimals tell, is cut there and widened to hold Wilson's: few scores
    near an end say little about how far from them the next may lie.
    """
    scores = [round(value, _DIGITS) for value in values]
    center = mean(scores)
    if center is None or len(scores) < 2:
        return NONE
    widest = wilson(center * len(scores), len(scores))
    interval = NONE if all(score in (0.0, 1.0) for score in scores) else student_t(scores)
    if interval.low is None or interval.high is None or widest.low is None or widest.high is None:
        return widest
    if interval.low > _AT_END and interval.high < 1 - _AT_END:
        return interval
    low, high = min(interval.low, widest.low), max(interval.high, widest.high)
    return Interval(low=max(0.0, low), high=min(1.0, high), method="t")


def of_clustered_scores(clusters: Sequence[Sequence[float]]) -> Interval:
    """Return the interval of the mean over all scores in 0..1, where those of one cluster are one datum.

    A cluster of more scores weighs more, as in that mean. One cluster has none: nothing tells how another
    would differ. Source: Cochran 1977, Sampling Techniques, 3rd ed., section 6.3 (the ratio estimator).
    """
    scores = [score for cluster in clusters for score in cluster]
    center = mean(scores)
    if center is None:
        return NONE
    size = len(scores) / len(clusters)
    return of_scores([center + sum(score - center for score in cluster) / size for cluster in clusters])


def wilson(successes: float, n: int) -> Interval:
    """Return Wilson's score interval of a proportion; `n` of at least 1, `successes` of 0..n.

    Source: Wilson 1927; Newcombe 1998, Statistics in Medicine 17, method 3.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - ALPHA / 2))
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return Interval(low=low, high=high, method="wilson")


def student_t(values: Sequence[float]) -> Interval:
    """Return Student's t interval of a mean; none for fewer than two values or for equal ones.

    Equal values would give an interval of no width, a certainty that few data cannot carry.
    """
    center, spread = mean(values), standard_deviation(values)
    if center is None or not spread:
        return NONE
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 1 - ALPHA / 2)) * spread / math.sqrt(len(values))
    return Interval(low=center - half, high=center + half, method="t")


def of_median(values: Sequence[float]) -> Interval:
    """Return the order-statistic interval of a median, which assumes no distribution.

    The bounds are the k-th smallest and k-th largest value, with the largest k whose coverage is still at
    least 95 %. Fewer than six values cannot reach that and have none.
    Source: David and Nagaraja 2003, Order Statistics, section 7.1.
    """
    k = _order(len(values))
    if k == 0:
        return NONE
    ordered = sorted(values)
    return Interval(low=ordered[k - 1], high=ordered[-k], method="median")


def _order(n: int) -> int:
    """Return the largest k with P(Binomial(n, 1/2) < k) ≤ 2.5 %, 0 when there is none."""
    from scipy.special import bdtr

    low, high = 0, n // 2
    while low < high:
        k = (low + high + 1) // 2
        if float(bdtr(k - 1, n, 0.5)) <= ALPHA / 2:
            low = k
        else:
            high = k - 1
    return low
