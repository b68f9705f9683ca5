"""Rates and concurrency agree with a count of every millisecond, and planted errors do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemma_eval.records import Outcome
from gemma_eval.stats.requests import error_kind
from gemma_eval.stats.traffic import Rates, Traffic, traffic
from tests.stats.requests_of_a_load import MS, made, request

PHASES = ("warmup", "measured", "measured", "measured", "cooldown")


@st.composite
def requests(draw: st.DrawFn) -> Outcome:
    """Draw a request within half a second: whole, broken off or never sent; with counts or without."""
    sent = draw(st.integers(0, 300))
    stamps = sorted(draw(st.lists(st.integers(sent, sent + 200), max_size=4)))
    counted = draw(st.booleans())
    counts = [draw(st.integers(0, 5)) if counted else None for _ in stamps]
    generation = made(
        sent,
        draw(st.integers(stamps[-1] if stamps else sent, sent + 250)),
        deltas=list(zip(stamps, counts, strict=True)),
        prompt_tokens=draw(st.integers(1, 99)),
        output_tokens=draw(st.integers(0, 50)) if not counted or draw(st.booleans()) else None,
    )
    error = draw(st.sampled_from([None, None, None, "server_error", "timeout", "never"]))
    phase = draw(st.sampled_from(PHASES))
    return request(None if error == "never" else generation, phase=phase, error=error)  # type: ignore[arg-type]


LOADS = st.lists(requests(), max_size=8)


def by_the_millisecond(outcomes: Sequence[Outcome]) -> Traffic | None:
    """Count again, millisecond by millisecond and in fractions, as slowly as one would by hand."""
    stamped = [one for one in outcomes if one.generation]
    measured = [one.generation for one in stamped if one.phase == "measured" and one.generation]
    if not measured:
        return None
    begin = min(one.requested_ns for one in measured) // MS
    end = max(one.ended_ns for one in measured) // MS
    if begin == end:
        return None
    in_flight = [
        sum(
            one.generation.requested_ns // MS <= at < one.generation.ended_ns // MS
            for one in stamped
            if one.generation
        )
        for at in range(begin, end)
    ]
    last = min(end, max(one.generation.requested_ns // MS for one in stamped if one.generation))
    whole = [one for one in stamped if one.phase == "measured" and error_kind(one) is None]
    every = [one for one in stamped if error_kind(one) is None]
    return Traffic(
        whole=rates(whole, begin, end, always=True),
        steady=rates(every, begin, last, always=False) if last > begin else None,
        concurrency_mean=float(Fraction(sum(in_flight), end - begin)),
        concurrency_max=max(in_flight),
    )


def rates(outcomes: Sequence[Outcome], begin: int, end: int, *, always: bool) -> Rates:
    """Add up what each event adds that lies after `begin` and not after `end`, or whatever its time is."""
    done, read, written = Fraction(0), Fraction(0), Fraction(0)
    for outcome in outcomes:
        generation = outcome.generation
        assert generation is not None
        assert generation.output_tokens is not None
        assert generation.prompt_tokens is not None
        bearing = [delta for delta in generation.deltas if delta.n_tokens != 0]
        stamps = [delta.at_ns // MS for delta in bearing for _ in range(delta.n_tokens or 1)]
        stamps = stamps or [generation.ended_ns // MS]
        done += always or begin < generation.ended_ns // MS <= end
        read += generation.prompt_tokens * (always or begin < stamps[0] <= end)
        for at in stamps:
            written += Fraction(generation.output_tokens, len(stamps)) * (always or begin < at <= end)
    seconds = Fraction(end - begin, 1000)
    return Rates(
        duration_s=float(seconds),
        requests_per_s=float(done / seconds),
        output_tokens_per_s=float(written / seconds),
        input_tokens_per_s=float(read / seconds),
        total_tokens_per_s=float((read + written) / seconds),
    )


def near(found: Traffic | None, expected: Traffic | None) -> bool:
    """Say whether two counts differ by rounding alone."""
    if found is None or expected is None:
        return found is expected
    return flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-9)


def flat(found: Traffic) -> list[float]:
    """Return all numbers of a count, -1 where there is none."""
    numbers: list[float] = [found.concurrency_mean, found.concurrency_max]
    for each in (found.whole, found.steady):
        if each is None:
            numbers.append(-1)
        else:
            tokens = (each.output_tokens_per_s, each.input_tokens_per_s, each.total_tokens_per_s)
            numbers += [
                each.duration_s,
                each.requests_per_s,
                *(-1 if rate is None else rate for rate in tokens),
            ]
    return numbers


@given(LOADS)
@example([request(made(0, 0))])
@example([request(made(0, 10)), request(made(10, 20))])
def test_traffic_is_what_a_count_of_every_millisecond_says(outcomes: list[Outcome]) -> None:
    """Whatever fails, overlaps, or has no counts."""
    assert near(traffic(outcomes), by_the_millisecond(outcomes))


CLOSED_LOOP = tuple(
    request(
        made(100 * step + 25 * slot, 100 * step + 25 * slot + 100, deltas=[(100 * step + 25 * slot + 50, 4)]),
        phase="warmup" if step == 0 else "cooldown" if step == 4 else "measured",
    )
    for step in range(5)
    for slot in range(4)
)
"""Four in flight always, 25 ms apart, each for 100 ms with 10 tokens read and 4 written at once."""


def is_full_load(count: Callable[[Sequence[Outcome]], Traffic | None]) -> bool:
    """Say whether a closed loop is found to have four in flight and 40 requests per second, always."""
    found = count(CLOSED_LOOP)
    return (
        found is not None
        and found.concurrency_max == 4
        and found.concurrency_mean == pytest.approx(4.0)
        and found.steady is not None
        and found.steady.duration_s == pytest.approx(0.375)
        and found.steady.requests_per_s == pytest.approx(40)
        and found.steady.output_tokens_per_s == pytest.approx(160)
        and found.steady.input_tokens_per_s == pytest.approx(400)
        and found.whole.requests_per_s == pytest.approx(12 / 0.375)
        and found.whole.output_tokens_per_s == pytest.approx(12 * 4 / 0.375)
        and found.whole.input_tokens_per_s == pytest.approx(12 * 10 / 0.375)
    )


def test_a_closed_loop_is_under_full_load_between_warm_up_and_cool_down() -> None:
    """Requests of either are in flight where they reach into the window; whole rates are without them."""
    assert is_full_load(traffic)


def test_a_closed_loop_catches_planted_errors() -> None:
    """Warm-up that counts, warm-up that is forgotten, and ends that overlap with beginnings."""

    def all_measured(outcomes: Sequence[Outcome]) -> Traffic | None:
        return traffic([replace(one, phase="measured") for one in outcomes])

    def measured_alone(outcomes: Sequence[Outcome]) -> Traffic | None:
        return traffic([one for one in outcomes if one.phase == "measured"])

    def inclusive(outcomes: Sequence[Outcome]) -> Traffic | None:
        late = [
            replace(one, generation=replace(one.generation, ended_ns=one.generation.ended_ns + 1))
            for one in outcomes
            if one.generation
        ]
        return traffic(late)

    assert not any(is_full_load(broken) for broken in (all_measured, measured_alone, inclusive))


def test_where_nothing_is_left_out_the_mean_concurrency_is_littles() -> None:
    """The sum of the durations by the time from the first sent to the last ended."""
    found = traffic([request(made(0, 100)), request(made(50, 250)), request(made(60, 200), error="timeout")])
    assert found is not None
    assert found.concurrency_mean == pytest.approx((100 + 200 + 140) / 250)
    assert found.concurrency_max == 3


def test_what_is_not_counted_has_no_rate() -> None:
    """One answer without a count is enough; nothing is taken for 0."""
    known, unknown = made(0, 100, deltas=[(50, 2)]), made(0, 200, deltas=[(50, None)], prompt_tokens=None)
    found = traffic([request(known), request(unknown), request(made(10, 300, deltas=[(50, 1)]))])
    assert found is not None
    for each in (found.whole, found.steady):
        assert each is not None
        assert (each.output_tokens_per_s, each.input_tokens_per_s, each.total_tokens_per_s) == (None,) * 3
        assert each.requests_per_s >= 0


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (request(None, error="context_overflow"),),
        (request(made(0, 100), phase="warmup"),),
        (request(made(5, 5)),),
    ],
)
def test_what_was_not_sent_or_took_no_time_is_no_traffic(outcomes: tuple[Outcome, ...]) -> None:
    """There is nothing to divide by."""
    assert traffic(outcomes) is None


def test_what_was_sent_all_at_once_is_never_steady() -> None:
    """The load runs dry from the first moment on."""
    found = traffic([request(made(0, 100)), request(made(0, 150))])
    assert found is not None
    assert found.steady is None
