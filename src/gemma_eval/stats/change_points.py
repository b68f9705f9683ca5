"""Where the level of a series changes: the best partition into stretches of one mean each.

Every partition is considered, by dynamic programming, and the number of changes is the one that makes

    n ln(RSS / n) + 3 k ln n

smallest, where RSS is the sum of squares around the means of the stretches and k the number of changes.
Sources: Auger and Lawrence 1989 (the partition); Yao 1988 (the criterion, with 2 k ln n); Zhang and Siegmund
2007, whose modified criterion has 3 k ln n and one more term of the lengths of the stretches. With Yao's
weight one of seven series of 12 values that are noise alone would have a change, with this one of twenty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

LEAST = 12
"""Of fewer values nothing is said."""

SHORTEST = 4
"""No stretch has fewer values, so that an outlier or two are no change."""

_MOST = 8
_WEIGHT = 3
_UNSEEN = 1e-6
"""A spread of less than this share of the range of a series counts as none."""


def change_points(values: Sequence[float]) -> tuple[int, ...] | None:
    """Return the indices at which another level begins, in order; `None` of fewer than `LEAST` values."""
    n = len(values)
    if n < LEAST:
        return None
    span = max(values) - min(values)
    if span == 0:
        return ()
    found = partitions([(value - values[0]) / span for value in values], most=_MOST)
    floor = n * _UNSEEN**2

    def criterion(changes: int) -> float:
        return n * math.log(max(found[changes][0], floor) / n) + _WEIGHT * changes * math.log(n)

    return found[min(range(len(found)), key=criterion)][1]


def partitions(values: Sequence[float], *, most: int) -> tuple[tuple[float, tuple[int, ...]], ...]:
    """Return the best partition with 0, 1, … and at most `most` changes: its RSS, and where they are.

    No stretch is shorter than `SHORTEST`; there are as many changes as the length allows.
    """
    n = len(values)
    rss = _rss(values)
    best: list[_Partition] = [(rss(0, end), ()) for end in range(n + 1)]
    found = [best[n]]
    for changes in range(1, min(most, n // SHORTEST - 1) + 1):
        best = [_best(best, end, rss, first=changes * SHORTEST) for end in range(n + 1)]
        found.append(best[n])
    return tuple(found)


_Partition = tuple[float, tuple[int, ...]]
_Rss = Callable[[int, int], float]


def _best(before: Sequence[_Partition], end: int, rss: _Rss, *, first: int) -> _Partition:
    """Return the best partition of the values up to `end` with one change more, at `first` or after it."""
    splits = range(first, end - SHORTEST + 1)
    if not splits:
        return math.inf, ()
    at = min(splits, key=lambda split: before[split][0] + rss(split, end))
    total, changes = before[at]
    return total + rss(at, end), (*changes, at)


def _rss(values: Sequence[float]) -> _Rss:
    """Return the function of the sum of squares around the mean of a stretch, in the time of one value."""
    center = math.fsum(values) / len(values)
    sums = tuple(accumulate((value - center for value in values), initial=0.0))
    squares = tuple(accumulate(((value - center) ** 2 for value in values), initial=0.0))

    def rss(start: int, end: int) -> float:
        if end <= start:
            return 0.0
        total = sums[end] - sums[start]
        return max(squares[end] - squares[start] - total * total / (end - start), 0.0)

    return rss
