"""The sign-flip test asks how often differences of either sign would have so large a sum by chance.

Under "the difference is the margin" what a datum is above the margin is as likely to have the one sign as
the other. So the p is the share of all 2^m ways to give the signs whose sum is at least the one found; it
needs no distribution, only that the data lie evenly about their middle. It is exact for up to 16 data; of
more, 9,999 ways are drawn and the p is (b + 1) / (9,999 + 1), where b sums are as large, and never 0.
Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 (the + 1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

EXACT = 16
"""Up to so many data all ways are tried: 65,536."""

DRAWS = 9_999

_ROUNDING = 1e-9
"""Sums that differ by less, of the sum of all sizes, are equal."""


def sign_flip_worse(
    differences: Sequence[float],
    *,
    margin: float = 0.0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> float:
    """Return the p of "the difference is at most the margin", 1 of no differences.

    The differences of a cluster, by the key that `clusters` has for each, have their signs together.
    """
    import numpy as np

    data = np.array(_sums([difference - margin for difference in differences], clusters))
    found = data.sum() - _ROUNDING * np.abs(data).sum()
    if len(data) <= EXACT:
        sums = np.zeros(1)
        for value in data:
            sums = np.concatenate((sums - value, sums + value))
        return float(np.mean(sums >= found))
    random = np.random.default_rng(seed)
    reached = 0
    for _ in range(DRAWS):
        reached += int(random.choice((-1.0, 1.0), size=len(data)) @ data >= found)
    return (reached + 1) / (DRAWS + 1)


def sign_flip_not_worse(
    differences: Sequence[float],
    *,
    margin: float = 0.0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> float:
    """Return the p of "the difference is at least the margin", 1 of no differences."""
    mirrored = [-difference for difference in differences]
    return sign_flip_worse(mirrored, margin=-margin, clusters=clusters, seed=seed)


def _sums(values: Sequence[float], clusters: Sequence[Hashable] | None) -> list[float]:
    if clusters is None:
        return list(values)
    sums: dict[Hashable, float] = defaultdict(float)
    for value, key in zip(values, clusters, strict=True):
        sums[key] += value
    return list(sums.values())
