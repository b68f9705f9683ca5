"""Percentiles that are given only where there are data enough to estimate them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

Percent = Literal[50, 90, 95, 99]


def percentile(values: Sequence[float], percent: Percent, *, censored: int = 0) -> float | None:
    """Return a percentile by linear interpolation (type 7), `None` where data are too few.

    Too few means that less than one datum is expected above it: p90 needs 10 data, p95 20, p99 100.
    The median needs one. `censored` more data are known to be larger than every value, and not by how much:
    a percentile that lies among them is `None`.
    Source: Hyndman and Fan 1996, definition 7 (NumPy's default).
    """
    n = len(values) + censored
    if not n or (percent > 50 and n * (100 - percent) < 100):
        return None
    ordered = sorted(values)
    place, rest = divmod((n - 1) * percent, 100)
    if place + bool(rest) >= len(ordered):
        return None
    if not rest:
        return ordered[place]
    below, above = ordered[place], ordered[place + 1]
    return below + (above - below) * (rest / 100)


def mean(values: Sequence[float]) -> float | None:
    """Return the mean, rounded once; `None` of nothing.

    Of equal values it is that value: rounding on the way would let 53 scores of 0.05 have another mean.
    """
    return float(statistics.mean(values)) if values else None


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (divisor n - 1), `None` of fewer than two values."""
    return float(statistics.stdev(values)) if len(values) > 1 else None


def median_absolute_deviation(values: Sequence[float]) -> float | None:
    """Return the median distance from the median, unscaled; `None` of nothing."""
    if not values:
        return None
    center = statistics.median(values)
    return float(statistics.median(abs(value - center) for value in values))
