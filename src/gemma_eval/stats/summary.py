"""One summary per model, profile, template, retrieval and metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

from gemma_eval.records import Generation, Group, Outcome, Summary
from gemma_eval.stats import judged
from gemma_eval.stats.censored import LONGER, limits, percentiles
from gemma_eval.stats.clusters import cluster_of, of_case_scores
from gemma_eval.stats.intervals import NONE, Interval, of_median, of_scores
from gemma_eval.stats.percentiles import mean, median_absolute_deviation, percentile, standard_deviation
from gemma_eval.stats.reduction import case_score

COSTS = (
    *("ttft_s", "ttft_sched_s", "ttfo_s", "tpot_s", "ntpot_s", "output_tokens_per_s", "prompt_tokens_per_s"),
    *("e2e_s", "e2e_sched_s", "queue_delay_s", "max_stall_s"),
    *("peak_memory_bytes", "peak_anonymous_bytes", "peak_file_bytes", "cpu_s_per_output_token"),
)
"""The metrics of which the datum is the generation and the interval that of the median."""

METRICS = ("score", *COSTS)

MEANS = ("score", *judged.JUDGED)
"""The metrics of which the value is a mean, and not a median."""

Gaps = Callable[[Generation], Sequence[float] | None]
"""The times between the pieces of one answer in seconds, `None` where they cannot be told."""


def summarise(outcomes: Sequence[Outcome], *, gaps: Mapping[str, Gaps] | None = None) -> tuple[Summary, ...]:
    """Summarise every metric over every group, groups in the order in which they first occur.

    The datum of `score` is the case: its trials, reduced as it says; of its interval, the cluster. A case
    with a check and a trial that
    failed or could not be judged is *missing*, not 0 and not the mean of what is left; a case without checks
    is neither. The datum of a cost is the generation; when a group has benchmark trials only those count, and
    those under a load only when there are no others; requests that a load begins or ends with never do.
    `gaps` are further metrics, of which every gap of every timed answer is a datum; a second summary of each
    (`icl_p99_s` of `icl_s`) has the 99th percentile within each answer as its data. A group without any datum
    of a metric has a summary with `n` 0; those of `judged.JUDGED` are there where a judge was asked.
    """
    groups: dict[Group, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.trial.cell.group].append(outcome)
    return tuple(
        summary
        for group, members in groups.items()
        for summary in (*_of_group(group, members), *_of_gaps(group, timed(members), gaps or {}))
    )


def timed(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return those of one group whose times count: benchmarks before others, one by one before loads."""
    measured = [outcome for outcome in outcomes if outcome.phase == "measured"]
    benchmarks = [outcome for outcome in measured if outcome.trial.cell.case.kind == "benchmark"]
    alone = [outcome for outcome in benchmarks if outcome.trial.cell.case.load is None]
    return tuple(alone or benchmarks or measured)


def _of_group(group: Group, outcomes: Sequence[Outcome]) -> Iterator[Summary]:
    yield summary_of(group, "score", case_scores(outcomes), clusters=case_clusters(outcomes))
    counted = timed(outcomes)
    for metric in COSTS:
        data = [_cost(outcome, metric) for outcome in counted]
        yield summary_of(group, metric, data, censored=limits(counted, metric))
    if judged.has_judges(outcomes):
        yield from _of_judges(group, outcomes)


def _of_judges(group: Group, outcomes: Sequence[Outcome]) -> Iterator[Summary]:
    yield summary_of(group, "unscored", tuple(judged.unscored_shares(outcomes).values()))
    yield summary_of(group, "flip_rate", judged.flip_shares(outcomes))
    value, n = judged.alpha(outcomes)
    yield replace(summary_of(group, "alpha", [] if value is None else [value]), n=n)


def _of_gaps(group: Group, outcomes: Sequence[Outcome], gaps: Mapping[str, Gaps]) -> Iterator[Summary]:
    whole = [
        outcome.generation
        for outcome in outcomes
        if outcome.generation is not None and _cost(outcome, "e2e_s") is not None
    ]
    for metric, gaps_of in gaps.items():
        found = [gaps_of(generation) or () for generation in whole]
        pooled = [gap for each in found for gap in each]
        yield summary_of(group, metric, [*pooled, *(None for each in found if not each)])
        within = [percentile(each, 99) for each in found]
        yield summary_of(group, f"{metric.removesuffix('_s')}_p99_s", within)


def case_scores(outcomes: Sequence[Outcome]) -> tuple[float | None, ...]:
    """Return the score of each case that has checks, `None` where one of its trials has no score."""
    cases: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.trial.cell
        if cell.case.checks:
            cases[cell.suite, cell.case.id].append(outcome)
    return tuple(case_score(repeats) for repeats in cases.values())


def case_clusters(outcomes: Sequence[Outcome]) -> tuple[Hashable, ...]:
    """Return the cluster of each case that has checks, in the order of `case_scores`."""
    cells = (outcome.trial.cell for outcome in outcomes)
    return tuple({(c.suite, c.case.id): cluster_of(c) for c in cells if c.case.checks}.values())


def _cost(outcome: Outcome, metric: str) -> float | None:
    if outcome.measurement is None or (outcome.failure is not None and metric not in LONGER):
        return None
    value: float | None = getattr(outcome.measurement, metric)
    return value


def summary_of(
    group: Group,
    metric: str,
    data: Sequence[float | None],
    *,
    censored: Sequence[float] = (),
    clusters: Sequence[Hashable] | None = None,
) -> Summary:
    """Summarise the data of one metric, `None` for those that are missing.

    `clusters` has a key for each of `data`, which are scores; those of one are one datum of the interval.
    `censored` are the limits of further data that are larger than theirs; these are counted among `data` as
    missing. What they may be part of is not known: the mean, and percentiles beyond the lowest limit.
    """
    values = [float(value) for value in data if value is not None]
    interval = NONE if censored else _interval(metric, data, clusters)
    limit = min(censored, default=None)
    at = percentiles(values, beyond=censored)
    return Summary(
        group=group,
        metric=metric,
        n=len(values),
        missing=len(data) - len(values),
        mean=None if censored else mean(values),
        sd=None if censored else standard_deviation(values),
        p50=at[50],
        p90=at[90],
        p95=at[95],
        p99=at[99],
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        minimum=min((value for value in values if limit is None or value <= limit), default=None),
        maximum=None if censored else max(values, default=None),
        mad=None if censored else median_absolute_deviation(values),
        censored=len(censored),
        limit=limit,
    )


def _interval(metric: str, data: Sequence[float | None], clusters: Sequence[Hashable] | None) -> Interval:
    values = [float(value) for value in data if value is not None]
    if clusters is None:
        return _INTERVALS.get(metric, of_median)(values)
    keys = [key for key, value in zip(clusters, data, strict=True) if value is not None]
    return of_case_scores(values, keys)


_INTERVALS: Mapping[str, Callable[[Sequence[float]], Interval]] = {
    "score": of_scores,
    "unscored": of_scores,
    "flip_rate": of_scores,
}
