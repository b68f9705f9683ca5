"""Goodput counts what it should of a hundred requests, and mistakes that are made elsewhere are caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from gemma_eval.records import Outcome, Slo
from gemma_eval.stats.goodput import Goodput, goodput, is_good
from tests.stats.requests_of_a_load import made, request

SLO = Slo(limits={"ttft_s": 0.5, "tpot_s": 0.05})
ANSWER = made(0, 100, deltas=[(10, 1), (20, 1)])
ONE_TOKEN = made(0, 100, deltas=[(10, 1)])
EMPTY = made(0, 100)
BROKEN = replace(ANSWER, finish_reason="timeout")

HUNDRED = (
    *[request(ANSWER, ttft_s=0.5, tpot_s=0.05)] * 60,
    *[request(ANSWER, ttft_s=0.9, tpot_s=0.02)] * 10,
    *[request(ANSWER, ttft_s=0.1, tpot_s=0.06)] * 8,
    *[request(ANSWER, ttft_s=0.9, tpot_s=0.06)] * 5,
    *[request(ONE_TOKEN, ttft_s=0.1, missing={"tpot_s": "single_delta"})] * 6,
    *[request(EMPTY, missing={"ttft_s": "no_tokens", "tpot_s": "no_tokens"})] * 2,
    *[request(None, error="server_error")] * 5,
    *[request(BROKEN, error="timeout", ttft_s=0.1, tpot_s=0.01)] * 3,
    request(None, error="context_overflow"),
)
"""Sixty at both limits, others too slow in one way or in both, without times, broken off or never sent."""

Count = Callable[[Sequence[Outcome], Slo], Goodput | None]


def is_right(count: Count) -> bool:
    """Say whether the hundred are counted as they must be, with and without a metric that may be missing."""
    lenient, most_lenient = replace(SLO, may_miss=("tpot_s",)), replace(SLO, may_miss=("ttft_s", "tpot_s"))
    strict = Goodput(scheduled=100, good=60, ratio=0.6, per_s=6.0, attained={"ttft_s": 0.74, "tpot_s": 0.7})
    return (
        count(HUNDRED, SLO) == strict
        and count(HUNDRED, lenient)
        == replace(strict, good=66, ratio=0.66, per_s=6.6, attained={"ttft_s": 0.74, "tpot_s": 0.78})
        and count(HUNDRED, most_lenient)
        == replace(strict, good=68, ratio=0.68, per_s=6.8, attained={"ttft_s": 0.76, "tpot_s": 0.78})
    )


def test_a_hundred_requests_are_counted_exactly() -> None:
    """The denominator is all of them: errors, time-outs and the one that was never sent."""
    assert len(HUNDRED) == 100
    assert is_right(lambda outcomes, slo: goodput(outcomes, slo, duration_s=10.0))


def test_the_hundred_catch_planted_errors() -> None:
    """Shares of the answered alone, a missing time as 0, errors that count, and limits that are too low."""

    def of_the_answered(outcomes: Sequence[Outcome], slo: Slo) -> Goodput | None:
        return goodput([one for one in outcomes if one.failure is None], slo, duration_s=10.0)

    def missing_is_zero(outcomes: Sequence[Outcome], slo: Slo) -> Goodput | None:
        return goodput(outcomes, replace(slo, may_miss=tuple(slo.limits)), duration_s=10.0)

    def errors_count(outcomes: Sequence[Outcome], slo: Slo) -> Goodput | None:
        answered = [replace(one, failure=None, generation=ANSWER) for one in outcomes]
        return goodput(answered, slo, duration_s=10.0)

    def below(outcomes: Sequence[Outcome], slo: Slo) -> Goodput | None:
        closer = {metric: limit - 1e-9 for metric, limit in slo.limits.items()}
        return goodput(outcomes, replace(slo, limits=closer), duration_s=10.0)

    assert not any(is_right(broken) for broken in (of_the_answered, missing_is_zero, errors_count, below))


@pytest.mark.parametrize(
    ("reason", "is_excused"),
    [
        *[(reason, True) for reason in ("no_tokens", "no_output", "single_delta", "not_streamed")],
        *[(reason, False) for reason in ("no_delta_tokens", "no_usage", "count_mismatch", "clock_went_back")],
        *[(reason, False) for reason in ("retried", "failed", "timeout", "batched")],
    ],
)
def test_only_what_an_answer_does_not_have_may_be_missing(reason: str, is_excused: bool) -> None:
    """What it has and nobody knows may be beyond the limit."""
    slo = replace(SLO, may_miss=("tpot_s",))
    assert is_good(request(ANSWER, ttft_s=0.1, missing={"tpot_s": reason}), slo) is is_excused


def test_without_a_duration_there_is_no_rate() -> None:
    """Nothing was sent, so nothing took time; the ratio is known."""
    found = goodput(HUNDRED[-1:], SLO, duration_s=None)
    assert found == Goodput(
        scheduled=1, good=0, ratio=0.0, per_s=None, attained={"ttft_s": 0.0, "tpot_s": 0.0}
    )


def test_no_requests_have_no_goodput() -> None:
    """0 of 0 is no share."""
    assert goodput((), SLO, duration_s=None) is None


def test_any_time_can_be_promised() -> None:
    """Also the one from the schedule, which is what a user feels."""
    promised = Slo(limits={"e2e_sched_s": 1.0})
    assert is_good(request(ANSWER, e2e_sched_s=1.0), promised)
    assert not is_good(request(ANSWER, e2e_sched_s=1.1, e2e_s=0.2), promised)
