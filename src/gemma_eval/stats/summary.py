"""One summary per model, profile, template and metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from gemma_eval.records import Group, Outcome, Summary
from gemma_eval.stats.intervals import Interval, of_median, of_scores
from gemma_eval.stats.percentiles import mean, percentile, standard_deviation

COSTS = ("ttft_s", "tpot_s", "output_tokens_per_s", "e2e_s", "peak_memory_bytes")
"""The metrics of which the datum is the generation and the interval that of the median."""

METRICS = ("score", *COSTS)


def summarise(outcomes: Sequence[Outcome]) -> tuple[Summary, ...]:
    """Summarise every metric over every group, groups in the order in which they first occur.

    The datum of `score` is the case: the mean over its trials. A case with a check and a trial that failed
    or could not be judged is *missing*, not 0 and not the mean of what is left; a case without checks is
    neither. The datum of a cost is the generation; when a group has benchmark trials only those count.
    A group without any datum of a metric has a summary with `n` 0.
    """
    groups: dict[Group, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.trial.cell
        group = Group(model=cell.model.name, profile=cell.profile.name, template=cell.template.name)
        groups[group].append(outcome)
    return tuple(
        _summary(group, metric, _data(metric, members))
        for group, members in groups.items()
        for metric in METRICS
    )


def _data(metric: str, outcomes: Sequence[Outcome]) -> tuple[float | None, ...]:
    if metric == "score":
        return case_scores(outcomes)
    benchmarks = [outcome for outcome in outcomes if outcome.trial.cell.case.kind == "benchmark"]
    return tuple(_cost(outcome, metric) for outcome in benchmarks or outcomes)


def case_scores(outcomes: Sequence[Outcome]) -> tuple[float | None, ...]:
    """Return the score of each case that has checks, `None` where one of its trials has no score."""
    cases: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.trial.cell
        if cell.case.checks:
            cases[cell.suite, cell.case.id].append(None if outcome.failure else outcome.score)
    return tuple(_mean_of_all(scores) for scores in cases.values())


def _mean_of_all(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return mean(known) if len(known) == len(scores) else None


def _cost(outcome: Outcome, metric: str) -> float | None:
    if outcome.measurement is None or outcome.failure is not None:
        return None
    value: float | None = getattr(outcome.measurement, metric)
    return value


def _summary(group: Group, metric: str, data: Sequence[float | None]) -> Summary:
    values = [float(value) for value in data if value is not None]
    interval = _INTERVALS.get(metric, of_median)(values)
    return Summary(
        group=group,
        metric=metric,
        n=len(values),
        missing=len(data) - len(values),
        mean=mean(values),
        sd=standard_deviation(values),
        p50=percentile(values, 50),
        p90=percentile(values, 90),
        p95=percentile(values, 95),
        p99=percentile(values, 99),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
    )


_INTERVALS: Mapping[str, Callable[[Sequence[float]], Interval]] = {"score": of_scores}
