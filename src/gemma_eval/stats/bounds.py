"""One-sided bounds of a difference, and what they prove about a margin.

A difference is candidate minus base, so turned that + is worse. Each bound may miss the difference with the
level that it was made for, and the two are never read together: that a difference is above a margin is proved
by the low bound alone, and that it is below by the high one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """A low and a high bound of a difference; `None` where the data cannot give one."""

    low: float | None
    high: float | None

    def above(self, margin: float) -> bool:
        """Return whether the difference is proved to be more than the margin: worse than may be."""
        return self.low is not None and self.low > margin

    def below(self, margin: float) -> bool:
        """Return whether the difference is proved to be less than the margin: not worse than may be."""
        return self.high is not None and self.high < margin

    def scaled(self, by: float) -> Bounds:
        """Return the bounds in a unit of which one of theirs is `by`."""
        low, high = (None if end is None else end * by for end in (self.low, self.high))
        return Bounds(low=low, high=high)

    def holding(self, other: Bounds) -> Bounds:
        """Return the bounds widened to hold other ones; what is unknown on one side is that of the other."""
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Bounds(low=min(lows, default=None), high=max(highs, default=None))


UNKNOWN = Bounds(low=None, high=None)


def crossing(holds: Callable[[float], bool], low: float, high: float, *, within: float) -> float:
    """Return where what holds at `low` ceases to hold, `high` if it does not, to within a distance."""
    while high - low > within:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2
