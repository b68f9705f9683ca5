"""The requests of a cell become one account of how they were served."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from gemma_eval.records import Group, Load, Outcome, Slo
from gemma_eval.stats.serving import serving
from tests.stats.requests_of_a_load import made, request

CLOSED = Load(concurrency=2, warmup=1, cooldown=1)
OPEN = Load(rate_per_s=10.0, max_in_flight=2)
SLO = Slo(limits={"ttft_s": 0.5})


def some(load: Load | None = CLOSED, slo: Slo | None = SLO) -> tuple[Outcome, ...]:
    """Return a warm-up, two answers, an error, a time-out and a cool-down."""
    cached = replace(made(100, 200, deltas=[(150, 4)]), prompt_tokens=100, cached_tokens=90)
    fresh = replace(made(100, 300, deltas=[(150, 1), (300, 5)]), prompt_tokens=100, cached_tokens=4)
    of = partial(request, load=load, slo=slo, repeats=6)
    return (
        of(made(0, 100, deltas=[(50, 4)]), phase="warmup"),
        of(cached, ttft_s=0.05, e2e_s=0.05),
        of(fresh, ttft_s=0.6, e2e_s=0.2),
        of(None, error="server_error"),
        of(made(200, 400), error="timeout"),
        of(made(300, 400, deltas=[(350, 4)]), phase="cooldown"),
    )


def test_the_requests_of_a_cell_are_accounted_for() -> None:
    """Each is in one count, and warm-up and cool-down in no statistic."""
    found = serving(some())
    assert (found.suite, found.case) == ("example", "home")
    assert found.group == Group(model="scripted", profile="greedy", template="rag")
    assert (found.load, found.slo) == (CLOSED, SLO)
    assert (found.scheduled, found.answered, found.warmup, found.cooldown) == (4, 2, 1, 1)
    assert (found.errors, found.error_rate) == ({"server_error": 1, "timeout": 1}, 0.5)
    assert found.traffic is not None
    assert found.traffic.whole.duration_s == pytest.approx(0.3)
    assert found.traffic.whole.output_tokens_per_s == pytest.approx(10 / 0.3)
    assert found.goodput is not None
    assert (found.goodput.good, found.goodput.scheduled, found.goodput.ratio) == (1, 4, 0.25)
    assert found.goodput.per_s == pytest.approx(1 / 0.3)
    assert (found.cached_tokens, found.contaminated) == (94, 1)
    assert dict(found.missing) == {"queueing": "not_scheduled"}


def test_counting_warm_up_is_caught() -> None:
    """The planted error: every request is taken for a measured one."""
    wrong = serving([replace(outcome, phase="measured") for outcome in some()])
    assert wrong.answered != serving(some()).answered
    assert wrong.error_rate != serving(some()).error_rate


def test_what_an_interrupt_left_out_was_scheduled() -> None:
    """It is neither answered nor good, and no error either; rates are of what is there."""
    whole, part = serving(some()), serving(some()[:3])
    assert (whole.scheduled, whole.answered, whole.unrecorded) == (4, 2, 0)
    assert (part.scheduled, part.answered, part.unrecorded) == (4, 2, 2)
    assert (part.errors, part.error_rate) == ({}, 0.0)
    assert part.goodput is not None
    assert (part.goodput.good, part.goodput.scheduled, part.goodput.ratio) == (1, 4, 0.25)
    assert part.goodput.attained == {"ttft_s": 0.25}
    assert part.traffic is not None
    assert part.goodput.per_s == pytest.approx(1 / part.traffic.whole.duration_s)


def test_without_a_load_all_repeats_are_scheduled() -> None:
    """A benchmark with an SLO alone may be interrupted as well."""
    found = serving([request(made(0, 100, deltas=[(50, 4)]), slo=SLO, repeats=3, ttft_s=0.05)])
    assert (found.scheduled, found.answered, found.unrecorded) == (3, 1, 2)


def test_latencies_begin_with_the_schedule_in_an_open_loop() -> None:
    """And with the sending in a closed one; the other view is not shown in its place."""
    generation = made(800, 1000, deltas=[(900, 1)], due=0)
    in_the_open, closed = (
        serving(
            [
                request(
                    generation, load=load, repeats=3, ttft_s=0.1, ttft_sched_s=0.9, e2e_s=0.2, e2e_sched_s=1.0
                )
            ]
        )
        for load in (OPEN, CLOSED)
    )
    assert in_the_open.from_schedule
    assert (in_the_open.ttft.p50_s, in_the_open.e2e.p50_s) == (0.9, 1.0)
    assert in_the_open.queueing is not None
    assert in_the_open.queueing.latencies_differ
    assert not closed.from_schedule
    assert (closed.ttft.p50_s, closed.e2e.p50_s) == (0.1, 0.2)


def test_what_cannot_be_had_has_a_reason() -> None:
    """Nothing promised, nothing sent, nothing said of a cache, nothing to be measured."""
    unsent = serving([request(None, error="context_overflow", load=CLOSED, repeats=3)])
    assert dict(unsent.missing) == {
        "traffic": "no_stamps",
        "queueing": "not_scheduled",
        "goodput": "no_slo",
        "cached_tokens": "cache_unknown",
        "contaminated": "cache_unknown",
    }
    unmeasured = serving(some()[:1])
    assert unmeasured.error_rate is None
    assert set(unmeasured.missing.values()) == {"no_requests"}
    assert serving(some(slo=None)[:1]).missing["goodput"] == "no_slo"
