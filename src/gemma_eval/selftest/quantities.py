"""The statistics that published values are of, each by the functions that reports and gates use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from gemma_eval.selftest.vectors import Given
from gemma_eval.stats.intervals import Interval, student_t, wilson
from gemma_eval.stats.paired import paired
from gemma_eval.stats.percentiles import mean, standard_deviation

Quantity = Callable[[Given], float | None]


def _variance(given: Given) -> float | None:
    spread = standard_deviation(given.values)
    return None if spread is None else spread**2


def _standard_error(given: Given) -> float | None:
    spread = standard_deviation(given.values)
    return None if spread is None else spread / math.sqrt(len(given.values))


def _clustered_standard_error(given: Given) -> float | None:
    """Return that of the mean of all values, where each of `rows` is one cluster."""
    values = [value for row in given.rows for value in row]
    clusters = [number for number, row in enumerate(given.rows) for _ in row]
    found = paired(values, clusters=clusters)
    return None if found is None else found.se


def _t(given: Given) -> float | None:
    """Return the quantile 0.975 of Student's t of `n` degrees of freedom, from an interval of n + 1 data."""
    values = [float(number) for number in range(given.n + 1)]
    interval, spread = student_t(values), standard_deviation(values)
    if interval.low is None or interval.high is None or not spread:
        return None
    return (interval.high - interval.low) / 2 / (spread / math.sqrt(len(values)))


def _wilson(given: Given) -> Interval:
    return wilson(given.values[0], given.n)


QUANTITIES: Mapping[str, Quantity] = {
    "mean": lambda given: mean(given.values),
    "variance": _variance,
    "standard_error": _standard_error,
    "clustered_standard_error": _clustered_standard_error,
    "t_975": _t,
    "t_low": lambda given: student_t(given.values).low,
    "t_high": lambda given: student_t(given.values).high,
    "wilson_low": lambda given: _wilson(given).low,
    "wilson_high": lambda given: _wilson(given).high,
}
