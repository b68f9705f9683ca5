"""When the requests of an open loop are due: schedules with the same nanoseconds on every machine.

A *constant* schedule has equal gaps, to the nanosecond: request i is due i / rate after the first. A
*poisson* schedule is that of many users who do not know of each other: the gap before each request is
-ln(1 - u) / rate, exponential, with u from the Mersenne Twister of a seed. Python promises the same u for
the same seed on all systems and versions, but the last bit of `math.log` is the system's; so the logarithm
is `decimal`'s, which is rounded correctly everywhere.
Source: Python documentation, random, "Notes on Reproducibility"; decimal, `Context.ln`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import accumulate
from random import Random

from gemma_eval.records import Arrival


def schedule(arrival: Arrival, *, rate_per_s: float, n: int, seed: int) -> tuple[int, ...]:
    """Return when each of `n` requests is due, in nanoseconds after the start and never decreasing."""
    if arrival == "constant":
        return tuple(round(index * _NS / rate_per_s) for index in range(n))
    return tuple(accumulate(_exponential_gaps(rate_per_s, n=n, seed=seed)))


_NS = 1_000_000_000
_DIGITS = Context(prec=28, rounding=ROUND_HALF_EVEN)


def _exponential_gaps(rate_per_s: float, *, n: int, seed: int) -> Iterator[int]:
    """Yield gaps in whole nanoseconds; each is rounded by itself, so that no error adds up in their sum."""
    random = Random(seed)  # noqa: S311 - nobody is to be surprised by it
    mean = _DIGITS.divide(Decimal(_NS), Decimal(rate_per_s))
    for _ in range(n):
        survival = _DIGITS.subtract(Decimal(1), Decimal(random.random()))
        yield round(_DIGITS.multiply(_DIGITS.minus(_DIGITS.ln(survival)), mean))
