"""The mean of paired differences and its error, from which its bounds and the proof of a margin follow.

    se = sd / √m        sd² = (d0·s0² + (m - 1)·s²) / (d0 + m - 1)        df = d0 + m - 1

A difference is candidate minus base, so turned that + is worse: of a time the logarithm of the ratio, of a
score base minus candidate. The m data are the n differences, or clusters of those that go together; then
s² = Σ z² / (m - 1), where z is m / n times what the differences of a cluster are above the mean, added up. So
the standard error is that of a clustered regression with the correction m / (m - 1). s0² is the variance that
data had before, for which d0 degrees of freedom count; without it d0 is 0.
Source: Liang and Zeger 1986 (clusters); Miller 2024, arXiv 2411.00640, sections 2 and 4; Smyth 2004 (prior).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from gemma_eval.stats.bounds import UNKNOWN, Bounds
from gemma_eval.stats.exact import exact_bounds, exact_worse
from gemma_eval.stats.percentiles import mean

_DIGITS = 12
"""Differences that agree in so many decimals are equal: what is beyond is of rounding."""

_ROUNDING = 1e-9
"""Sums of scores that are so near to a whole number are that number."""

_FEW = 10
"""With fewer data that differ from the others, their spread may be that of what was not seen yet."""

_ALIKE = 0.05
"""Data that lie within this share of the span are alike: scores that merely jitter show no spread."""

_NARROW = 0.1
"""And so are data within this share of their own range, beside the few that are far off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """The variance that data of before had, and for how many degrees of freedom it counts."""

    variance: float
    df: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """How many wholly worse and wholly better answers would have the sum and the squares of paired scores."""

    worse: float
    better: float
    span: float

    @property
    def least(self) -> tuple[int, int]:
        """The whole counts of the least that may be worse and the most that may be better."""
        return math.floor(self.worse + _ROUNDING), math.ceil(self.better - _ROUNDING)

    @property
    def most(self) -> tuple[int, int]:
        """The whole counts of the most that may be worse and the least that may be better."""
        return math.ceil(self.worse - _ROUNDING), math.floor(self.better + _ROUNDING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """The mean of `n` differences that are `data` independent ones, and how far it may be off.

    `sd` is that of one datum and `se` that of the mean, `None` where one datum tells nothing of either.
    `few` is of scores among which too few differ for their spread to be trusted, else `None`.
    """

    n: int
    data: int
    mean: float
    sd: float | None
    se: float | None
    df: float
    few: Scores | None = None


def paired(
    differences: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    prior: Prior | None = None,
    span: float | None = None,
) -> Paired | None:
    """Return the mean of differences and its error, `None` of none.

    `clusters` has a key for each difference, `span` is the most that two scores can differ by (1 for 0..1).
    """
    center = mean(differences)
    if center is None:
        return None
    groups = _groups(differences, clusters)
    n, data = len(differences), len(groups)
    residuals = [round(data / n * math.fsum(d - center for d in group), _DIGITS) for group in groups]
    df = data - 1 + (prior.df if prior else 0.0)
    before = prior.variance * prior.df if prior else 0.0
    sd = math.sqrt((before + math.fsum(z * z for z in residuals)) / df) if df > 0 else None
    return Paired(
        n=n,
        data=data,
        mean=center,
        sd=sd,
        se=None if sd is None else sd / math.sqrt(data),
        df=df,
        few=None if span is None else _few([data / n * math.fsum(group) for group in groups], span),
    )


def bounds(of: Paired, *, level: float) -> Bounds:
    """Return the one-sided bounds mean ∓ t·se, each of the level.

    No spread gives none: that few data are equal is no certainty that others would be. Of scores there is a
    largest spread, and where fewer than ten data differ from the others the bounds are widened to hold those
    of right and wrong answers with the same sum and squares, rather further apart: so a hundred scores that
    are equal, or move by hundredths, prove less than a thousand. Fewer than a hundred scores that move by
    more, within a tenth of the span, can still hide a loss of a whole score that none of them shows.
    """
    student, few = _student(of, level), of.few
    if few is None:
        return student
    low = exact_bounds(*few.least, n=of.data, level=level).low
    high = exact_bounds(*few.most, n=of.data, level=level).high
    return student.holding(Bounds(low=low, high=high).scaled(few.span))


def p_worse(of: Paired, margin: float) -> float:
    """Return the p of "the difference is at most the margin"; small where it is proved to be worse.

    It is below a level just where the low bound of that level is above the margin. What proves nothing is 1.
    """
    student, few = _p_above(of, margin), of.few
    if few is None:
        return 1.0 if student is None else student
    share = max(-1.0, min(1.0, margin / few.span))
    return max(student or 0.0, exact_worse(*few.least, n=of.data, margin=share))


def p_not_worse(of: Paired, margin: float) -> float:
    """Return the p of "the difference is at least the margin"; small where it is proved not to be worse."""
    few = of.few and Scores(worse=of.few.better, better=of.few.worse, span=of.few.span)
    return p_worse(replace(of, mean=-of.mean, few=few), -margin)


def _groups(differences: Sequence[float], clusters: Sequence[Hashable] | None) -> list[list[float]]:
    if clusters is None:
        return [[difference] for difference in differences]
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for difference, key in zip(differences, clusters, strict=True):
        groups[key].append(difference)
    return list(groups.values())


def _few(data: Sequence[float], span: float) -> Scores | None:
    """Return the data as scores where too few of them differ, else `None`."""
    return _scores(data, span) if _differing(data, span) < _FEW else None


def _differing(data: Sequence[float], span: float) -> int:
    """Return how many data lie outside the narrow range that holds most of them."""
    ordered = sorted(round(datum, _DIGITS) for datum in data)
    width = max(_ALIKE * span, _NARROW * (ordered[-1] - ordered[0])) + _ROUNDING * span
    return len(ordered) - max(bisect_right(ordered, low + width) - first for first, low in enumerate(ordered))


def _scores(data: Sequence[float], span: float) -> Scores:
    """Return b and c with b - c = Σ d and b + c = Σ d², or as near as no more than the data can come."""
    total = math.fsum(data) / span
    squares = math.fsum((datum / span) ** 2 for datum in data)
    both = max(abs(total), min(squares, len(data)))
    return Scores(worse=(both + total) / 2, better=(both - total) / 2, span=span)


def _student(of: Paired, level: float) -> Bounds:
    if not of.se:
        return UNKNOWN
    from scipy.special import stdtrit

    half = float(stdtrit(of.df, 1 - level)) * of.se
    return Bounds(low=of.mean - half, high=of.mean + half)


def _p_above(of: Paired, margin: float) -> float | None:
    """Return P(T ≥ (mean - margin) / se), `None` where there is no spread to judge the distance by."""
    if not of.se:
        return None
    from scipy.special import stdtr

    return float(stdtr(of.df, (margin - of.mean) / of.se))
