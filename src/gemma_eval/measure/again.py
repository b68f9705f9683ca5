"""The measurement of a recorded outcome, computed anew from its stored stamps."""

from __future__ import annotations

from dataclasses import fields

from gemma_eval.measure.events import Making
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.records import Measurement, Outcome, Resources


def again(outcome: Outcome) -> Measurement | None:
    """Return what the formulas of this version make of an outcome; `None` where nothing was generated.

    What was watched while it was made cannot be watched again, and is taken over.
    """
    if outcome.generation is None:
        return None
    case = outcome.trial.cell.case
    made: Making = "written" if case.continuation is None else "read"
    resources = None if outcome.measurement is None else _resources(outcome.measurement)
    return measure(outcome.generation, resources=resources, made=made, phase=outcome.phase)


def _resources(measurement: Measurement) -> Resources | Unwatched:
    """Return what was watched, or why nothing was."""
    known = {field.name: getattr(measurement, field.name, None) for field in fields(Resources)}
    if any(value is not None for value in known.values()):
        return Resources(**known)
    return "shared" if measurement.missing.get("peak_memory_bytes") == "shared" else "not_watched"
