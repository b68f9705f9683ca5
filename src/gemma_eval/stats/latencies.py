"""Percentiles of the times of some requests; of those that ran into a time limit only a part is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.records import Outcome
from gemma_eval.stats.percentiles import Percent, percentile
from gemma_eval.stats.requests import error_kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Latencies:
    """The times of some requests in seconds; a percentile that too few requests bear is `None`.

    `missing` requests were answered and have no such time. `censored` ones were ended at a time limit before
    they had it: theirs is longer than all that is known, and a percentile among them, or the maximum, is
    `None`. Requests that failed otherwise are neither.
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
    """Return the percentiles of a metric of `records.Measurement` over requests answered or timed out.

    A time beyond the lowest limit that ended a request may be longer or shorter than that one's would have
    been, so percentiles among such times are not known either.
    """
    missing, known = 0, []
    for outcome in outcomes:
        kind = error_kind(outcome)
        if kind in (None, "timeout"):
            measured = outcome.measurement
            value: float | None = None if measured is None else getattr(measured, metric)
            if value is not None:
                known.append(value)
            elif kind == "timeout":
                known.append(math.inf)
            else:
                missing += 1
    lowest = min(_limits(outcomes, metric), default=math.inf)
    return of_times(known, missing=missing, lowest_limit_s=lowest)


def of_times(times_s: Iterable[float], *, missing: int = 0, lowest_limit_s: float = math.inf) -> Latencies:
    """Return the percentiles of times, an infinite one being censored; none beyond the lowest limit."""
    times = list(times_s)
    censored = times.count(math.inf)
    ordered = sorted(time if time <= lowest_limit_s else math.inf for time in times)
    return Latencies(
        n=len(ordered) - censored,
        missing=missing,
        censored=censored,
        p50_s=_percentile(ordered, 50),
        p90_s=_percentile(ordered, 90),
        p95_s=_percentile(ordered, 95),
        p99_s=_percentile(ordered, 99),
        max_s=ordered[-1] if ordered and not censored else None,
    )


def _limits(outcomes: Sequence[Outcome], metric: str) -> Iterator[float]:
    """Yield the limits in seconds at which requests were ended that had not got as far as `metric`."""
    for outcome in outcomes:
        made, measured = outcome.generation, outcome.measurement
        has_it = measured is not None and getattr(measured, metric) is not None
        if made is None or has_it or error_kind(outcome) != "timeout":
            continue
        begin_ns = made.scheduled_ns if metric.endswith("_sched_s") else made.requested_ns
        if begin_ns is not None:
            yield (made.ended_ns - begin_ns) / 1e9


def _percentile(ordered: Sequence[float], percent: Percent) -> float | None:
    """Return a percentile, `None` where it would lie between a time and infinity or beyond."""
    value = percentile(ordered, percent)
    return value if value is not None and math.isfinite(value) else None
