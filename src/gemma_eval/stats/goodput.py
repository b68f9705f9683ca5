"""Goodput: how many of the requests that were scheduled were answered as well as was promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Outcome, Slo
from gemma_eval.stats.requests import error_kind

HAS_NONE = ("no_tokens", "no_output", "single_delta", "not_streamed")
"""The reasons by which an answer has no such time at all; by any other it is only not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goodput:
    """How many of the `scheduled` requests were `good`, as a `ratio` and per second.

    `attained` has for each metric of the SLO the share of the scheduled requests that kept its limit alone.
    """

    scheduled: int
    good: int
    ratio: float
    per_s: float | None
    attained: Mapping[str, float]


def goodput(
    outcomes: Sequence[Outcome], slo: Slo, *, duration_s: float | None, scheduled: int | None = None
) -> Goodput | None:
    """Return the goodput of all requests, `None` of none.

    Whatever failed, timed out or was never sent is in the denominator: a server that refuses half of its
    users serves them badly, however fast it serves the others. `scheduled` is how many there were to be
    where some have no outcome, as after an interrupt.
    """
    if not outcomes:
        return None
    scheduled = len(outcomes) if scheduled is None else scheduled
    good = sum(is_good(outcome, slo) for outcome in outcomes)
    kept = {metric: sum(attains(outcome, slo, metric) for outcome in outcomes) for metric in slo.limits}
    return Goodput(
        scheduled=scheduled,
        good=good,
        ratio=good / scheduled,
        per_s=good / duration_s if duration_s else None,
        attained={metric: count / scheduled for metric, count in kept.items()},
    )


def is_good(outcome: Outcome, slo: Slo) -> bool:
    """Return whether a request has a whole answer that keeps every limit."""
    return error_kind(outcome) is None and all(attains(outcome, slo, metric) for metric in slo.limits)


def attains(outcome: Outcome, slo: Slo, metric: str) -> bool:
    """Return whether a request has a whole answer that keeps the limit of one metric.

    What is not known keeps no limit. Neither does what an answer does not have, as one of one token no time
    per token, unless the SLO says that the metric may be missing.
    """
    measured = outcome.measurement
    if error_kind(outcome) is not None or measured is None:
        return False
    value: float | None = getattr(measured, metric)
    if value is None:
        return metric in slo.may_miss and measured.missing.get(metric) in HAS_NONE
    return value <= slo.limits[metric]
