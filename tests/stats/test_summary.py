"""What is summarised over what: the case for scores, the generation for costs, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gemma_eval.records import (
    Case,
    CaseKind,
    Cell,
    Check,
    Failure,
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
from gemma_eval.stats.summary import COSTS, METRICS, summarise

METRIC_ORDER = ("score", "ttft_s", "tpot_s", "output_tokens_per_s", "e2e_s", "peak_memory_bytes")


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


def of(metric: str, outcomes: Sequence[Outcome]) -> Summary:
    """Return the summary of a metric over outcomes of one group."""
    (found,) = (summary for summary in summarise(outcomes) if summary.metric == metric)
    return found


def test_every_group_has_every_metric_in_a_fixed_order() -> None:
    """Groups as they first occur, each with the six metrics."""
    outcomes = [outcome("a", 1.0, model="second"), outcome("a", 1.0, model="first")]
    found = [(summary.group.model, summary.metric) for summary in summarise([*outcomes, outcomes[0]])]
    assert found == [(model, metric) for model in ("second", "first") for metric in METRIC_ORDER]
    assert ("score", *COSTS) == METRICS == METRIC_ORDER
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
