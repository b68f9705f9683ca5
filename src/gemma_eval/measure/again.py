"""The measurements of recorded outcomes, computed anew from their stored stamps, and what changed in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import get_args

from gemma_eval.measure.events import made_how
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.records import Measurement, Outcome, Resources


def again(outcome: Outcome) -> Measurement | None:
    """Return what the formulas of this version make of an outcome; `None` where nothing was generated.

    What was watched while it was made cannot be watched again, and is taken over.
    """
    if outcome.generation is None:
        return None
    made = made_how(outcome.trial.cell.case, outcome.cached)
    resources = None if outcome.measurement is None else _resources(outcome.measurement)
    return measure(outcome.generation, resources=resources, made=made, phase=outcome.phase)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became of one metric.

    `changed` measurements have another value of it than they had, `found` and `lost` among them had none or
    have none now. `largest` is the largest change as a share of the value that was, infinite where that was
    0, `None` where no number became another one. `reasons` more have none as before, for another reason.
    """

    metric: str
    changed: int
    found: int
    lost: int
    largest: float | None
    reasons: int


def changes(pairs: Iterable[tuple[Measurement | None, Measurement]]) -> tuple[Change, ...]:
    """Compare measurements as they were with what they are now; metrics without a change are left out."""
    both = tuple(pairs)
    metrics = [field.name for field in fields(Measurement) if field.name != "missing"]
    found = (_change(metric, both) for metric in metrics)
    return tuple(change for change in found if change.changed or change.reasons)


def _resources(measurement: Measurement) -> Resources | Unwatched:
    """Return what was watched, or why nothing was."""
    known = {field.name: getattr(measurement, field.name, None) for field in fields(Resources)}
    reason = measurement.missing.get("peak_memory_bytes")
    if reason == "unavailable" or any(value is not None for value in known.values()):
        return Resources(**known)
    return next((known for known in get_args(Unwatched) if known == reason), "not_watched")


_Told = tuple[float | str | None, str | None]
"""The value of a metric, and the reason why there is none."""


def _change(metric: str, pairs: Iterable[tuple[Measurement | None, Measurement]]) -> Change:
    told = [(_told(was, metric), _told(now, metric)) for was, now in pairs]
    values = [(was, now) for (was, _), (now, _) in told if was != now]
    shares = [
        _share(was, now)
        for was, now in values
        if isinstance(was, int | float) and isinstance(now, int | float)
    ]
    return Change(
        metric=metric,
        changed=len(values),
        found=sum(was is None for was, _ in values),
        lost=sum(now is None for _, now in values),
        largest=max(shares, default=None),
        reasons=sum(was[0] == now[0] and was[1] != now[1] for was, now in told),
    )


def _told(measurement: Measurement | None, metric: str) -> _Told:
    if measurement is None:
        return None, None
    return getattr(measurement, metric), measurement.missing.get(metric)


def _share(was: float, now: float) -> float:
    return abs(now - was) / abs(was) if was else float("inf")
