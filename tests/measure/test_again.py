"""Measuring anew from stored stamps gives what was measured, and says what a wrong record had instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given

from gemma_eval.measure.again import again, changes
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.records import Generation, Measurement, Outcome, Phase, Resources
from tests.examples import an_outcome
from tests.measure.event_rows import STREAM, WATCHED, generations
from tests.measure.test_latency import PHASES

Again = Callable[[Outcome], Measurement | None]


def recorded(made: Generation, watched: Resources | Unwatched | None, phase: Phase) -> Outcome:
    """Return the outcome of a trial as a run records it."""
    measured = measure(made, resources=watched, phase=phase)
    return replace(an_outcome(), generation=made, measurement=measured, phase=phase)


def changes_nothing(measured: Again, outcome: Outcome) -> bool:
    """Say whether measuring a fresh outcome anew gives what it has, reasons and all."""
    return measured(outcome) == outcome.measurement


@given(generations(), WATCHED, PHASES)
def test_measuring_a_fresh_outcome_anew_changes_nothing(
    made: Generation, watched: Resources | Unwatched | None, phase: Phase
) -> None:
    """Nor does it a second time."""
    assert changes_nothing(again, recorded(made, watched, phase))


def test_the_law_catches_who_forgets_the_phase_the_resources_or_the_way_it_was_made() -> None:
    """Planted errors."""
    warm = recorded(STREAM, Resources(peak_memory_bytes=1), "warmup")
    assert changes_nothing(again, warm)
    assert not changes_nothing(lambda outcome: again(replace(outcome, phase="measured")), warm)
    assert not changes_nothing(lambda outcome: again(replace(outcome, measurement=None)), warm)
    shared = recorded(STREAM, "shared", "measured")
    assert changes_nothing(again, shared)
    assert not changes_nothing(lambda outcome: measure(STREAM, resources="not_watched"), shared)


def test_a_text_that_was_read_stays_read() -> None:
    """The case tells how the text of a generation came about."""
    outcome = an_outcome()
    cell = replace(outcome.trial.cell, case=replace(outcome.trial.cell.case, continuation="Oslo"))
    found = again(replace(outcome, trial=replace(outcome.trial, cell=cell)))
    assert found is not None
    assert found.missing["ttft_s"] == "not_generated"


def test_without_a_generation_there_is_nothing_to_measure() -> None:
    """A trial that failed before the engine was asked."""
    assert again(replace(an_outcome(), generation=None, measurement=None)) is None


def test_resources_are_taken_over_and_times_are_not() -> None:
    """A wrong time is mended, a peak of memory is the one that was seen."""
    right = recorded(STREAM, Resources(peak_memory_bytes=5, cpu_s=0.5), "measured")
    assert right.measurement is not None
    wrong = replace(
        right.measurement, ttft_s=9.9, tpot_s=None, missing={**right.measurement.missing, "tpot_s": "?"}
    )
    assert again(replace(right, measurement=wrong)) == right.measurement


def test_a_measurement_of_the_first_version_that_watched_nothing_says_so_in_todays_word() -> None:
    """`no_memory_reading` is no reason any more."""
    old = replace(measure(STREAM), missing={"peak_memory_bytes": "no_memory_reading"})
    found = again(replace(an_outcome(), generation=STREAM, measurement=old))
    assert found == measure(STREAM, resources="not_watched")


# --- what has changed --------------------------------------------------------------------------------

NOW = measure(STREAM)


def test_equal_measurements_have_no_change() -> None:
    """However many there are."""
    assert changes([(NOW, NOW)] * 3) == ()


def test_changes_are_counted_by_metric_with_the_largest_share() -> None:
    """Two times of three are others, by 2 % and by 50 %."""
    assert NOW.ttft_s is not None
    was = [replace(NOW, ttft_s=NOW.ttft_s / by) for by in (1.02, 0.5, 1)]
    (change,) = changes([(each, NOW) for each in was])
    assert (change.metric, change.changed, change.found, change.lost) == ("ttft_s", 2, 0, 0)
    assert change.largest == pytest.approx(0.5)


def test_values_that_appear_or_vanish_are_told_apart_from_those_that_move() -> None:
    """A value from nothing has no share, one from 0 an infinite one."""
    absent = replace(NOW, ttft_s=None, missing={**NOW.missing, "ttft_s": "no_tokens"})
    found, lost = changes([(absent, NOW)]), changes([(NOW, absent)])
    assert [(each.changed, each.found, each.lost, each.largest) for each in (*found, *lost)] == [
        (1, 1, 0, None),
        (1, 0, 1, None),
    ]
    (from_nothing,) = changes([(replace(NOW, ttft_s=0.0), NOW)])
    assert from_nothing.largest == math.inf


def test_another_reason_is_no_other_value() -> None:
    """It is counted by itself."""
    other = replace(NOW, missing={**NOW.missing, "cpu_s": "shared"})
    (change,) = changes([(other, NOW)])
    assert (change.metric, change.changed, change.reasons) == ("cpu_s", 0, 1)


def test_an_outcome_that_had_no_measurement_gains_every_value() -> None:
    """And a reason for each that there is none of."""
    told = {name: getattr(NOW, name) for name in (field.name for field in fields(Measurement))}
    found = changes([(None, NOW)])
    assert {each.metric for each in found if each.found} == {
        name for name, value in told.items() if value is not None and name != "missing"
    }
    assert {each.metric for each in found if each.reasons} == set(NOW.missing)
