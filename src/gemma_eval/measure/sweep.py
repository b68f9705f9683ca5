"""Search for the highest rate of requests at which an engine still does what is wanted of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from gemma_eval.errors import UsageError

FINEST = 0.001
"""The smallest tolerance: a rate is not known better than that, however long one searches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One measurement: at which rate, and whether it met what was wanted."""

    rate_per_s: float
    met: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a search found: the highest rate that passed, the one above it that failed, and all it tried.

    `rate_per_s` is `None` when the lowest rate failed, `failed_per_s` when the highest passed.
    """

    rate_per_s: float | None
    failed_per_s: float | None
    tried: tuple[Tried, ...]


def highest_rate(
    meets: Callable[[float], bool], *, low: float, high: float, tolerance: float, best_of: int = 3
) -> Sweep:
    """Return the highest rate in `low`..`high`, to the share `tolerance` of it, at which `meets` holds.

    The rate is doubled from `low` on until one fails, and the gap between the last that passed and the first
    that failed is halved until it is narrow enough. That presumes what is true of a queue: what is too fast
    stays too fast when it gets faster. A single measurement may still say otherwise, so a rate is measured up
    to `best_of` times and passes with the majority; measuring ends when that is certain. Whatever `meets`
    does, `rate_per_s` passed and `failed_per_s` failed, by the votes in `tried`. Raises UsageError.
    """
    check(low=low, high=high, tolerance=tolerance)
    if best_of < 1 or best_of % 2 == 0:
        raise UsageError(f"a sweep with the best of {best_of}; give an odd number of at least 1")
    search = _Search(meets=meets, majority=best_of // 2 + 1)
    passed, failed = search.climb(low, high)
    if passed is not None and failed is not None:
        passed, failed = search.narrow(passed, failed, tolerance=tolerance)
    return Sweep(rate_per_s=passed, failed_per_s=failed, tried=tuple(search.tried))


def check(*, low: float, high: float, tolerance: float) -> None:
    """Refuse a search that could not end, or not begin. Raises UsageError."""
    if not 0 < low <= high < math.inf:
        raise UsageError(f"a sweep from {low:g} to {high:g} per s; give 0 < low <= high")
    if not tolerance >= FINEST:
        raise UsageError(f"a sweep with tolerance {tolerance:g}; give at least {FINEST:g}")


@dataclass(kw_only=True, slots=True)
class _Search:
    meets: Callable[[float], bool]
    majority: int
    tried: list[Tried] = field(default_factory=list)

    def climb(self, low: float, high: float) -> tuple[float | None, float | None]:
        """Double the rate until one fails; return the last that passed and the one that failed."""
        passed, rate = None, low
        while self._passes(rate):
            if rate >= high:
                return rate, None
            passed, rate = rate, min(2 * rate, high)
        return passed, rate

    def narrow(self, passed: float, failed: float, *, tolerance: float) -> tuple[float, float]:
        """Halve the gap between a rate that passed and a higher one that failed."""
        while failed - passed > tolerance * passed:
            middle = (passed + failed) / 2
            if self._passes(middle):
                passed = middle
            else:
                failed = middle
        return passed, failed

    def _passes(self, rate: float) -> bool:
        votes = {True: 0, False: 0}
        while max(votes.values()) < self.majority:
            met = self.meets(rate)
            self.tried.append(Tried(rate_per_s=rate, met=met))
            votes[met] += 1
        return votes[True] > votes[False]
