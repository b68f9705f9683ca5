"""Percentiles of the times of some requests; of those that ran into a time limit only a part is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.records import Outcome
from gemma_eval.stats.censored import limits, percentiles
from gemma_eval.stats.requests import error_kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Latencies:
    """The times of some requests in seconds; a percentile that too few requests bear is `None`.

    `missing` requests were answered and have no such time. `censored` ones were ended at a time limit before
    they had it, and a percentile among them, or the maximum, is `None`. Those that failed otherwise are
    neither.
    """

    n: int
    missing: int
    censored: int
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None


def latencies(outcomes: Sequence[Outcome], metric: str) -> Latencies:
    """Return the percentiles of a metric of `records.Measurement` over requests answered or timed out."""
    missing, times = 0, []
    for outcome in outcomes:
        measured = outcome.measurement
        value: float | None = None if measured is None else getattr(measured, metric)
        if value is not None:
            times.append(value)
        elif error_kind(outcome) is None:
            missing += 1
    return of_times(times, missing=missing, beyond=limits(outcomes, metric))


def of_times(times: Sequence[float], *, missing: int = 0, beyond: Sequence[float] = ()) -> Latencies:
    """Return the percentiles of times in seconds and of those that lie beyond a limit each."""
    at = percentiles(times, beyond=beyond)
    return Latencies(
        n=len(times),
        missing=missing,
        censored=len(beyond),
        p50_s=at[50],
        p90_s=at[90],
        p95_s=at[95],
        p99_s=at[99],
        max_s=None if beyond else max(times, default=None),
    )
