"""Percentiles that are given only where there are data enough to estimate them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

Percent = Literal[50, 90, 95, 99]


def percentile(values: Sequence[float], percent: Percent) -> float | None:
    """Return a percentile by linear interpolation (type 7), `None` where `values` are too few.

    Too few means that less than one value is expected above it: p90 needs 10 values, p95 20, p99 100.
    The median needs one. Source: Hyndman and Fan 1996, definition 7 (NumPy's default).
    """
    if not values or (percent > 50 and len(values) * (100 - percent) < 100):
        return None
    ordered = sorted(values)
    place, rest = divmod((len(ordered) - 1) * percent, 100)
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
