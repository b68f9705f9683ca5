"""Requests that were ended at a time limit: their times are longer than that, and not known otherwise.

To leave them out would make a group look fast by the answers that it never gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gemma_eval.records import Outcome
from gemma_eval.stats.percentiles import Percent, percentile

LONGER = ("ttft_s", "ttft_sched_s", "ttfo_s", "e2e_s", "e2e_sched_s")
"""What a request that was ended at a time limit before it had got so far would have more of."""


def limits(outcomes: Sequence[Outcome], metric: str) -> tuple[float, ...]:
    """Return the limits in seconds at which requests were ended that had not got as far as `metric`."""
    if metric not in LONGER:
        return ()
    found = (_limit(outcome, metric) for outcome in outcomes)
    return tuple(limit for limit in found if limit is not None)


def percentiles(values: Sequence[float], *, beyond: Sequence[float] = ()) -> Mapping[Percent, float | None]:
    """Return the percentiles of `values` and of further data, each longer than a limit in `beyond`.

    A value above the lowest limit may be longer or shorter than such a datum, so no percentile is known among
    those either: it is `None`.
    """
    known = values if not beyond else [value for value in values if value <= min(beyond)]
    n_beyond = len(values) - len(known) + len(beyond)
    return {percent: percentile(known, percent, censored=n_beyond) for percent in (50, 90, 95, 99)}


def _limit(outcome: Outcome, metric: str) -> float | None:
    made, measured = outcome.generation, outcome.measurement
    if made is None or measured is None or measured.missing.get(metric) != "timeout":
        return None
    since_ns = made.scheduled_ns if metric.endswith("_sched_s") else made.requested_ns
    return None if since_ns is None else (made.ended_ns - since_ns) / 1e9
