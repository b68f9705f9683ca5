"""Paired answers that are right or wrong: how far two sides differ where one is right and the other is not.

Of `n` pairs the candidate is wrong alone in `worse` and right alone in `better`; the difference of the shares
of wrong answers is δ = (worse - better) / n, and + is worse. Pairs that agree count in `n` only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.stats.bounds import Bounds, crossing

_NEAR = 1e-13
"""How near to where it is a bound is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discordance:
    """Of `n` pairs, in how many the candidate alone is wrong (`worse`) and the base alone (`better`)."""

    n: int
    worse: int
    better: int


def discordance(differences: Sequence[float]) -> Discordance | None:
    """Count differences of scores that are 1, 0 or -1, + being worse; `None` where one is not, or none is."""
    if not differences or not set(differences) <= {-1.0, 0.0, 1.0}:
        return None
    return Discordance(n=len(differences), worse=differences.count(1.0), better=differences.count(-1.0))


def mcnemar(worse: int, better: int) -> float:
    """Return the two-sided exact p of no difference.

    Source: McNemar 1947; the exact form is the sign test of the discordant pairs.
    """
    return min(1.0, 2 * mcnemar_worse(max(worse, better), min(worse, better)))


def mcnemar_worse(worse: int, better: int) -> float:
    """Return the one-sided exact p of "not worse": P(Binomial(worse + better, 1/2) ≥ worse)."""
    from scipy.special import bdtrc

    return 1.0 if worse == 0 else float(bdtrc(worse - 1, worse + better, 0.5))


def tango(worse: float, better: float, *, n: int, level: float) -> Bounds:
    """Return Tango's score bounds of δ, each of a one-sided level; `n` of at least 1.

    They are where the score statistic is ±z, which falls as δ grows, and have a width where no pair differs:
    z² / (n + z²). With few discordant pairs they miss more often than their level, which those of
    `exact` do not. Counts may be fractions, as sums of scores between 0 and 1 are.
    Source: Tango 1998, Statistics in Medicine 17:891-908.
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - level))
    found = (worse - better) / n

    def score(delta: float) -> float:
        return _score(worse, better, n=n, delta=delta)

    low = crossing(lambda delta: score(delta) >= z, -1.0, found, within=_NEAR)
    high = crossing(lambda delta: score(delta) > -z, found, 1.0, within=_NEAR)
    return Bounds(low=low, high=high)


def tango_worse(worse: float, better: float, *, n: int, margin: float) -> float:
    """Return the p of "δ is at most the margin".

    It is below a level just where the low bound of that level is above the margin.
    """
    from scipy.special import ndtr

    return float(ndtr(-_score(worse, better, n=n, delta=margin)))


def tango_not_worse(worse: float, better: float, *, n: int, margin: float) -> float:
    """Return the p of "δ is at least the margin"."""
    return tango_worse(better, worse, n=n, margin=-margin)


def _score(worse: float, better: float, *, n: int, delta: float) -> float:
    """Return (worse - better - nδ) / √(n(2q + δ(1 - δ))), where q is the likeliest share of `better` given δ.

    q is the root of 2n·q² + b·q - better·δ(1 - δ) = 0 with b = (2n - worse + better)·δ - worse - better. For
    δ ≥ 0 it can be taken without losing digits; below that the sides are swapped.
    """
    if delta < 0:
        return -_score(better, worse, n=n, delta=-delta)
    distance = worse - better - n * delta
    product = better * delta * (1 - delta)
    b = (2 * n - worse + better) * delta - worse - better
    root = math.sqrt(b * b + 8 * n * product)
    q = (root - b) / (4 * n) if b <= 0 else 2 * product / (b + root)
    variance = n * (2 * q + delta * (1 - delta))
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)
