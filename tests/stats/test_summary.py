"""What is summarised over what: the case for scores, the generation for costs, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.measure.events import icl_s, itl_s
from gemma_eval.measure.latency import measure
from gemma_eval.records import (
    Case,
    CaseKind,
    Cell,
    Check,
    Failure,
    FinishReason,
    Generation,
    Group,
    Load,
    Measurement,
    Message,
    ModelSpec,
    Outcome,
    Retrieval,
    SamplingProfile,
    Score,
    Source,
    Summary,
    Template,
    Trial,
)
from gemma_eval.stats.intervals import student_t
from gemma_eval.stats.summary import COSTS, METRICS, summarise, summary_of, timed
from tests.measure.event_rows import MS, SENT, STREAM, generation, generations


def outcome(
    case: str,
    value: float | None,
    *,
    repeat: int = 0,
    kind: CaseKind = "quality",
    model: str = "m",
    suite: str = "s",
    checks: int = 1,
    ttft_s: float | None = 0.5,
    failure: Failure | None = None,
    load: Load | None = None,
) -> Outcome:
    """Return an outcome of one trial with one check of that value."""
    cell = Cell(
        suite=suite,
        case=Case(
            id=case,
            kind=kind,
            messages=(Message(role="user", content="?"),),
            checks=(Check(scorer="equals"),) * checks,
            models=(model,),
            profiles=("p",),
            templates=("t",),
            load=load,
            source=Source(path="s.toml", line=1),
        ),
        model=ModelSpec(name=model, backend="b", location="l"),
        profile=SamplingProfile(name="p"),
        template=Template(name="t", text=""),
        retrieval=Retrieval(),
        seed=0,
    )
    measurement = Measurement(
        ttft_s=ttft_s,
        tpot_s=0.01,
        e2e_s=1.0,
        output_tokens_per_s=100.0,
        prompt_tokens_per_s=None,
        max_stall_s=None,
        output_tokens=5,
        peak_memory_bytes=1000,
        mean_memory_bytes=900,
    )
    return Outcome(
        trial=Trial(cell=cell, repeat=repeat, seed=0),
        prompt=None,
        generation=None,
        measurement=None if failure else measurement,
        scores=() if failure else (Score(scorer="equals", value=value, passed=None),) * checks,
        failure=failure,
    )


FAILURE = Failure(kind="timeout", message="took too long")


GAPS = {"icl_s": icl_s, "itl_s": itl_s}


def of(metric: str, outcomes: Sequence[Outcome]) -> Summary:
    """Return the summary of a metric over outcomes of one group."""
    (found,) = (summary for summary in summarise(outcomes, gaps=GAPS) if summary.metric == metric)
    return found


def test_every_group_has_every_metric_in_a_fixed_order() -> None:
    """Groups as they first occur, each with the score, the costs and the gaps."""
    outcomes = [outcome("a", 1.0, model="second"), outcome("a", 1.0, model="first")]
    found = [(each.group.model, each.metric) for each in summarise([*outcomes, outcomes[0]], gaps=GAPS)]
    metrics = (*METRICS, "icl_s", "icl_p99_s", "itl_s", "itl_p99_s")
    assert found == [(model, metric) for model in ("second", "first") for metric in metrics]
    assert ("score", *COSTS) == METRICS
    assert set(COSTS) <= {field.name for field in fields(Measurement)}
    assert summarise([]) == ()


def test_repeats_of_a_case_are_averaged_before_cases_are() -> None:
    """Two cases with three repeats are two data: 1/3 and 1."""
    values = {"a": (0.0, 0.0, 1.0), "b": (1.0, 1.0, 1.0)}
    outcomes = [outcome(case, value, repeat=i) for case, row in values.items() for i, value in enumerate(row)]
    score = of("score", outcomes)
    assert (score.n, score.missing, score.interval) == (2, 0, "t")
    assert score.mean == pytest.approx(2 / 3)
    interval = student_t([1 / 3, 1.0])
    assert score.ci_low == max(0.0, interval.low or 0.0)


def test_counting_repeats_as_cases_would_be_seen() -> None:
    """The planted error: the same outcomes as six cases give another n and a Wilson interval."""
    values = (0.0, 0.0, 1.0, 1.0, 1.0, 1.0)
    as_cases = of("score", [outcome(f"case {i}", value) for i, value in enumerate(values)])
    as_repeats = of("score", [outcome(f"case {i // 3}", value, repeat=i) for i, value in enumerate(values)])
    assert (as_cases.n, as_cases.interval) == (6, "wilson")
    assert (as_repeats.n, as_repeats.interval) == (2, "t")
    assert as_cases.mean == pytest.approx(as_repeats.mean)


def test_a_case_with_a_failed_trial_is_missing_and_not_zero() -> None:
    """Neither 0 nor the mean of the repeats that worked."""
    outcomes = [
        outcome("a", 1.0),
        outcome("b", 1.0),
        outcome("b", None, repeat=1, failure=FAILURE),
        outcome("c", None),
        outcome("d", 0.0),
    ]
    score = of("score", outcomes)
    assert (score.n, score.missing, score.mean) == (2, 2, 0.5)


def test_a_case_without_checks_is_neither_scored_nor_missing() -> None:
    """A benchmark case need not have an answer that is right."""
    score = of("score", [outcome("a", None, checks=0), outcome("b", 1.0)])
    assert (score.n, score.missing) == (1, 0)


def test_cases_of_two_suites_with_one_id_are_two_cases() -> None:
    """An id is unique within a suite only."""
    assert of("score", [outcome("a", 1.0, suite="x"), outcome("a", 0.0, suite="y")]).n == 2


def test_the_datum_of_a_cost_is_the_generation() -> None:
    """Six values have a median and its interval; the failed trial is missing."""
    values = (0.6, 0.1, 0.5, 0.2, 0.4, 0.3)
    outcomes = [outcome("a", 1.0, repeat=i, ttft_s=value) for i, value in enumerate(values)]
    ttft = of("ttft_s", [*outcomes, outcome("b", None, failure=FAILURE), outcome("c", 1.0, ttft_s=None)])
    assert (ttft.n, ttft.missing, ttft.interval) == (6, 2, "median")
    assert ttft.p50 == pytest.approx(0.35)
    assert (ttft.ci_low, ttft.ci_high, ttft.p90) == (0.1, 0.6, None)
    assert ttft.mean == pytest.approx(0.35)


def test_costs_are_those_of_the_benchmark_trials_when_a_group_has_any() -> None:
    """A quality case has other lengths; mixing them would say nothing."""
    outcomes = [outcome("a", 1.0, ttft_s=9.0), outcome("b", 1.0, kind="benchmark", ttft_s=0.1)]
    assert of("ttft_s", outcomes).mean == 0.1
    assert of("ttft_s", outcomes[:1]).mean == 9.0
    assert of("score", outcomes).n == 2


def test_a_group_without_data_says_so() -> None:
    """All failed: nothing but counts."""
    for metric in METRICS:
        summary = of(metric, [outcome("a", None, failure=FAILURE)])
        assert (summary.n, summary.missing, summary.interval) == (0, 1, "none")
        assert (summary.mean, summary.sd, summary.p50, summary.ci_low, summary.ci_high) == (None,) * 5


# --- which times count -------------------------------------------------------------------------------


def test_benchmarks_go_before_others_and_those_one_by_one_before_those_under_a_load() -> None:
    """A queue is no property of an engine; where there is nothing else, the load is what was measured."""
    quality, alone = outcome("a", 1.0), outcome("b", 1.0, kind="benchmark")
    loaded = outcome("c", 1.0, kind="benchmark", load=Load(concurrency=4))
    assert timed([quality, alone, loaded]) == (alone,)
    assert timed([quality, loaded]) == (loaded,)
    assert timed([quality]) == (quality,)
    assert timed([]) == ()


def test_the_requests_that_a_load_begins_and_ends_with_are_neither_data_nor_missing() -> None:
    """They are there to load the engine."""
    load = Load(concurrency=2, warmup=1, cooldown=1)
    measured = outcome("a", 1.0, kind="benchmark", load=load)
    others = [replace(measured, phase=phase) for phase in ("warmup", "cooldown")]
    assert timed([others[0], measured, others[1]]) == (measured,)
    assert (of("ttft_s", [*others, measured]).n, of("ttft_s", [*others, measured]).missing) == (1, 0)


# --- gaps --------------------------------------------------------------------------------------------


def made(answer: Generation, repeat: int = 0) -> Outcome:
    """Return an outcome with this answer and what it measures."""
    return replace(outcome("a", 1.0, repeat=repeat), generation=answer, measurement=measure(answer))


LONGER = generation(
    [(10 * MS * place, 1, "x") for place in range(1, 102)], output_tokens=101, ended_ns=2_000 * MS
)
"""A hundred gaps of 10 ms."""


def test_gaps_are_pooled_over_the_answers_of_a_group() -> None:
    """Every gap is a datum: four of one answer, a hundred of another."""
    outcomes = [made(STREAM), made(LONGER, 1)]
    icl = of("icl_s", outcomes)
    assert (icl.n, icl.missing, icl.maximum, icl.p50) == (104, 0, 0.12, 0.01)
    assert icl.mean == pytest.approx((0.22 + 1.0) / 104)
    assert of("itl_s", outcomes).n == 107


@given(generations())
def test_the_mean_of_the_times_of_tokens_is_the_time_per_token_of_one_answer(answer: Generation) -> None:
    """Whatever the deltas hold."""
    fair = replace(answer, finish_reason="length", attempts=(), batch_size=1)
    itl, tpot = of("itl_s", [made(fair)]), measure(fair).tpot_s
    if itl.n:
        assert itl.mean == pytest.approx(tpot, rel=1e-12)


def test_the_mean_of_the_gaps_between_deltas_is_another_one() -> None:
    """The planted error: a gap of a delta with three tokens is not the time of one."""
    assert of("icl_s", [made(STREAM)]).mean == pytest.approx(0.055)
    assert of("itl_s", [made(STREAM)]).mean == pytest.approx(0.22 / 7)


def test_an_answer_whose_gaps_cannot_be_told_is_missing() -> None:
    """One that came whole, one in a single delta, one of which nobody counted the tokens."""
    whole = generation([(9 * MS, None, "all")], output_tokens=3, ended_ns=9 * MS, streamed=False)
    single = generation([(9 * MS, 1, "x")], output_tokens=1, ended_ns=9 * MS)
    uncounted = replace(STREAM, output_tokens=None)
    outcomes = [made(answer, repeat) for repeat, answer in enumerate((whole, single, uncounted))]
    assert (of("icl_s", outcomes).n, of("icl_s", outcomes).missing) == (4, 2)
    assert (of("itl_s", outcomes).n, of("itl_s", outcomes).missing) == (0, 3)


def test_an_answer_without_times_has_no_gaps_either() -> None:
    """What failed, was retried or decoded together with others has stamps, and they do not count."""
    for answer in (replace(STREAM, batch_size=2), replace(STREAM, finish_reason="error")):
        assert (of("icl_s", [made(answer)]).n, of("icl_s", [made(answer)]).missing) == (0, 0)


def test_the_tail_within_an_answer_is_summarised_over_answers() -> None:
    """So that a long answer does not drown a short one; below a hundred gaps there is no such tail."""
    slow = generation(
        [(20 * MS * place, 1, "x") for place in range(1, 102)], output_tokens=101, ended_ns=3_000 * MS
    )
    tail = of("icl_p99_s", [made(LONGER), made(slow, 1), made(STREAM, 2)])
    assert (tail.n, tail.missing, tail.minimum, tail.maximum) == (2, 1, 0.01, 0.02)
    assert tail.p50 == pytest.approx(0.015)
    assert tail.maximum == np.percentile(icl_s(slow), 99)
    assert of("itl_p99_s", [made(slow)]).p50 == 0.02


# --- answers that were ended at a limit --------------------------------------------------------------


def ended(after_s: float, *, first: bool = False, scheduled_s: float | None = None) -> Outcome:
    """Return the outcome of an answer that was ended then, with its first token after 0.1 s or without."""
    answer = generation(
        [(100 * MS, 1, "x")] if first else [],
        output_tokens=None,
        ended_ns=round(after_s * 1e9),
        finish_reason="timeout",
    )
    if scheduled_s is not None:
        answer = replace(answer, scheduled_ns=SENT - round(scheduled_s * 1e9))
    return replace(made(answer), failure=FAILURE, scores=())


def answered(e2e_s: float, repeat: int) -> Outcome:
    """Return the outcome of a whole answer that took so long."""
    at = round(e2e_s * 1e9)
    return made(generation([(0, 1, "a"), (at, 1, "b")], output_tokens=2, ended_ns=at), repeat)


def test_an_answer_that_was_ended_at_a_limit_is_longer_than_the_others() -> None:
    """The median of five is the third, however long the two would have taken; the tail lies among them."""
    outcomes = [answered(each, repeat) for repeat, each in enumerate((0.1, 0.2, 0.3))]
    found = of("e2e_s", [*outcomes, ended(10.0), ended(10.0)])
    assert (found.n, found.missing, found.censored, found.limit) == (3, 2, 2, 10.0)
    assert (found.p50, found.minimum) == (0.3, 0.1)
    unknown = (found.mean, found.sd, found.maximum, found.mad, found.ci_low, found.p90)
    assert unknown == (None,) * len(unknown)
    assert found.interval == "none"
    assert of("e2e_s", [*outcomes, *[ended(10.0)] * 3]).p50 is None


def test_to_leave_out_the_slowest_would_be_seen() -> None:
    """The planted error: the median of those that came in time."""
    outcomes = [answered(each, repeat) for repeat, each in enumerate((0.1, 0.2, 0.3))]
    dropped, right = of("e2e_s", outcomes), of("e2e_s", [*outcomes, ended(10.0), ended(10.0)])
    assert (dropped.p50, right.p50) == (0.2, 0.3)


def test_a_first_token_that_came_before_the_limit_is_a_datum() -> None:
    """Only an answer without one is censored in the time to the first token."""
    found = of("ttft_s", [ended(10.0, first=True), ended(10.0)])
    assert (found.n, found.minimum, found.censored, found.limit) == (1, 0.1, 1, 10.0)
    assert of("e2e_s", [ended(10.0, first=True), ended(10.0)]).censored == 2
    assert of("ttfo_s", [ended(10.0)]).censored == 1


def test_a_limit_in_an_open_loop_counts_from_when_the_request_was_due() -> None:
    """Three seconds in the line and ten with the engine; without a due time there is nothing to censor."""
    assert of("e2e_sched_s", [ended(10.0, scheduled_s=3.0)]).limit == 13.0
    assert of("e2e_s", [ended(10.0, scheduled_s=3.0)]).limit == 10.0
    assert of("e2e_sched_s", [ended(10.0)]).censored == 0


def test_other_metrics_of_such_an_answer_are_missing_and_not_longer() -> None:
    """A time per token of an answer that was ended may be as short as any."""
    found = of("tpot_s", [answered(0.1, 0), ended(10.0)])
    assert (found.n, found.missing, found.censored, found.mean) == (1, 1, 0, 0.1)


@pytest.mark.parametrize("finish_reason", ["error", "timeout"])
def test_a_request_that_was_not_measured_is_not_censored(finish_reason: FinishReason) -> None:
    """Neither an error, nor the end of one that warmed up, was retried or was decoded with others."""
    answer = generation([], output_tokens=None, ended_ns=10 * MS, finish_reason=finish_reason)
    batched = replace(made(replace(answer, batch_size=2)), failure=FAILURE)
    assert of("e2e_s", [batched]).censored == 0


GROUP = Group(model="m", profile="p", template="t")
VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=60)


@given(
    VALUES,
    st.lists(st.floats(1, 100), min_size=1, max_size=20),
    st.lists(st.floats(0, 1000), min_size=20, max_size=20),
)
def test_a_percentile_that_is_given_holds_however_long_the_ended_ones_would_have_taken(
    values: list[float], limits: list[float], more: list[float]
) -> None:
    """The oracle: NumPy over the values and any ends beyond the limits."""
    assert holds(summary_of, values, limits, more)


def holds(
    summarised: Callable[..., Summary], values: list[float], limits: list[float], more: list[float]
) -> bool:
    """Say whether the percentiles of a summary are those of the values with the true ends."""
    found = summarised(GROUP, "e2e_s", [*values, *(None for _ in limits)], censored=limits)
    whole = [*values, *(limit + later for limit, later in zip(limits, more, strict=False))]
    given = ((0, found.minimum), (50, found.p50), (90, found.p90), (95, found.p95), (99, found.p99))
    return all(
        value is None or value == pytest.approx(float(np.percentile(whole, at)), rel=1e-12, abs=1e-12)
        for at, value in given
    )


def test_the_oracle_of_limits_catches_who_forgets_them_or_takes_them_for_the_end() -> None:
    """Planted errors: only the values, the limits as values, and values beyond a limit."""

    def only_values(group: Group, metric: str, data: Sequence[float | None], **_: object) -> Summary:
        return summary_of(group, metric, data)

    def limits_as_values(
        group: Group, metric: str, data: Sequence[float | None], *, censored: Sequence[float]
    ) -> Summary:
        return summary_of(group, metric, [*(value for value in data if value is not None), *censored])

    def beyond(
        group: Group, metric: str, data: Sequence[float | None], *, censored: Sequence[float]
    ) -> Summary:
        return summary_of(group, metric, data, censored=[1e9 for _ in censored])

    values, limits, more = [1.0, 2.0, 3.0], [2.5, 2.5], [0.0, 0.1]
    assert holds(summary_of, values, limits, more)
    assert not holds(only_values, values, limits, more)
    assert not holds(limits_as_values, [1.0], limits, [5.0, 5.0])
    assert not holds(beyond, values, limits, more)


@given(VALUES)
def test_the_ends_and_the_deviation_are_those_of_numpy(values: list[float]) -> None:
    """The median distance from the median is not scaled to a standard deviation."""
    found = summary_of(GROUP, "e2e_s", values)
    assert (found.minimum, found.maximum) == (np.min(values), np.max(values))
    assert found.mad == pytest.approx(
        float(np.median(np.abs(np.array(values) - np.median(values)))), abs=1e-12
    )
    assert (found.censored, found.limit) == (0, None)
