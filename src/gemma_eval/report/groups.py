"""The groups of a report in the order they ran, with their summaries at hand and their names in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gemma_eval.records import Group, Outcome, Report, Summary
from gemma_eval.stats.clusters import cluster_of, of_case_scores
from gemma_eval.stats.reduction import case_score
from gemma_eval.stats.summary import MEANS
from gemma_eval.stats.summary import timed as timed_of

Interval = tuple[float, float]
Way = tuple[str, str]
"""A template and a retrieval, which is "" where it has no name: what a prompt is made by."""
CaseScores = Mapping[tuple[str, str], float | None]
"""The score of each case, by suite and id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A group with one value and the interval around it, `None` where the value has none."""

    group: Group
    value: float
    interval: Interval | None

    @property
    def ends(self) -> Interval:
        """The interval, or the value itself twice."""
        return self.interval or (self.value, self.value)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """What was compared: the names on each axis, and every group that has a summary.

    `retrievals` are those that have a name, and `ways` the templates, each with the retrievals that it had.
    Where models were asked, groups of cases that ask for passages alone are not among them.
    """

    models: tuple[str, ...]
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    retrievals: tuple[str, ...]
    ways: tuple[Way, ...]
    order: tuple[Group, ...]
    _summaries: Mapping[tuple[Group, str], Summary] = field(repr=False)
    _cases: Mapping[Group, CaseScores] = field(repr=False)
    _clusters: Mapping[tuple[str, str], Hashable] = field(repr=False)

    @property
    def tells_retrievals(self) -> bool:
        """Whether groups differ in their retrieval."""
        return len({retrieval for _, retrieval in self.ways}) > 1

    @property
    def same_cases(self) -> bool:
        """Whether every group was asked the same scored cases, so that their scores compare as they stand."""
        return len({frozenset(self._cases_of(group)) for group in self.order}) <= 1

    def score_intervals(self, one: Group, other: Group) -> tuple[Interval | None, Interval | None]:
        """Return the intervals of two scores over the same cases.

        Where both groups have the same cases these are the intervals of their summaries, otherwise those of
        the cases that both have; `None` for both when there is no such case.
        """
        mine, theirs = self._cases_of(one), self._cases_of(other)
        if set(mine) == set(theirs):
            return interval_of(self.summary(one, "score")), interval_of(self.summary(other, "score"))
        shared = [case for case in mine if mine[case] is not None and theirs.get(case) is not None]
        clusters = [self._clusters[case] for case in shared]
        ours = [mine[case] for case in shared], [theirs[case] for case in shared]
        return _interval(ours[0], clusters), _interval(ours[1], clusters)

    def _cases_of(self, group: Group) -> CaseScores:
        return self._cases.get(group, {})

    def summary(self, group: Group, metric: str) -> Summary | None:
        """Return the summary of one metric over one group, `None` where there is none."""
        return self._summaries.get((group, metric))

    def label(self, group: Group) -> str:
        """Name a group by what tells it from the others: `greedy · rag`, and the model when there are two."""
        if not group.has_model:
            return group.retrieval or "passages alone"
        parts = (
            group.model if len(self.models) > 1 else "",
            group.profile if len(self.profiles) > 1 else "",
            group.template if len(self.templates) > 1 else "",
            group.retrieval if self.tells_retrievals else "",
        )
        return " · ".join(part for part in parts if part) or group.model

    def way_name(self, way: Way) -> str:
        """Name a template, and its retrieval where there are several: `rag · hybrid`."""
        template, retrieval = way
        if not self.tells_retrievals:
            return template
        return " · ".join(filter(None, (template if len(self.templates) > 1 else "", retrieval))) or template

    def measured(self, metric: str) -> Iterator[Measured]:
        """Yield each group that has a value of `metric`, with the value and its interval."""
        for group in self.order:
            summary = self.summary(group, metric)
            value = centre(summary)
            if value is not None:
                yield Measured(group=group, value=value, interval=interval_of(summary))


def groups_of(report: Report) -> Groups:
    """Collect the groups of a report, each name once, in the order of the summaries."""
    every = tuple(dict.fromkeys(summary.group for summary in report.summaries))
    order = tuple(group for group in every if group.has_model) or every
    cells = (outcome.trial.cell for outcome in report.outcomes)
    return Groups(
        models=tuple(dict.fromkeys(group.model for group in order)),
        profiles=tuple(dict.fromkeys(group.profile for group in order)),
        templates=tuple(dict.fromkeys(group.template for group in order)),
        retrievals=tuple(dict.fromkeys(group.retrieval for group in order if group.retrieval)),
        ways=tuple(dict.fromkeys(map(way_of, order))),
        order=order,
        _summaries={(summary.group, summary.metric): summary for summary in report.summaries},
        _cases=_case_scores(report),
        _clusters={(cell.suite, cell.case.id): cluster_of(cell) for cell in cells},
    )


def way_of(group: Group) -> Way:
    """Return the template and the retrieval of a group."""
    return group.template, group.retrieval


def group_of(outcome: Outcome) -> Group:
    """Return the group that an outcome belongs to."""
    return outcome.trial.cell.group


def timed(report: Report) -> dict[Group, tuple[Outcome, ...]]:
    """Return, by group, what its timings are summarised over."""
    members: dict[Group, list[Outcome]] = {}
    for outcome in report.outcomes:
        members.setdefault(group_of(outcome), []).append(outcome)
    return {group: timed_of(outcomes) for group, outcomes in members.items()}


def centre(summary: Summary | None) -> float | None:
    """Return the value that a summary's interval is of: the mean of a score, the median of a timing."""
    if summary is None:
        return None
    return summary.mean if summary.metric in MEANS or summary.p50 is None else summary.p50


def interval_of(summary: Summary | None) -> Interval | None:
    """Return the ends of a summary's interval, `None` where it has none."""
    if summary is None or summary.ci_low is None or summary.ci_high is None:
        return None
    return summary.ci_low, summary.ci_high


def overlap(one: Interval | None, other: Interval | None) -> bool:
    """Tell whether two intervals share a value; an interval that is not known may lie anywhere."""
    if one is None or other is None:
        return True
    return one[0] <= other[1] and other[0] <= one[1]


def _case_scores(report: Report) -> dict[Group, dict[tuple[str, str], float | None]]:
    """Return, by group, the score of each case that has checks, `None` when a trial has none."""
    trials: dict[Group, dict[tuple[str, str], list[Outcome]]] = {}
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        if cell.case.checks:
            repeats = trials.setdefault(group_of(outcome), {}).setdefault((cell.suite, cell.case.id), [])
            repeats.append(outcome)
    return {group: {key: case_score(each) for key, each in cases.items()} for group, cases in trials.items()}


def _interval(scores: Sequence[float | None], clusters: Sequence[Hashable]) -> Interval | None:
    """Return the ends of the interval of scores, of which none is missing."""
    interval = of_case_scores([score for score in scores if score is not None], clusters)
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)
