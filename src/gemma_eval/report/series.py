"""What was varied between the cases of one kind, and the score at each value of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from gemma_eval.records import Group, Outcome, Report
from gemma_eval.report.groups import Interval, group_of
from gemma_eval.stats.intervals import of_clustered_scores
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.summary import case_scores

LENGTH = "length"
"""The variable whose values are also told in prompt tokens."""
LIKELIHOOD = "likelihood"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The score of one group where the variables have `at`: the mean over its cases, `n` of which have one.

    For the interval the cases of one cluster are one datum: a needle at three depths is not three needles.
    `perplexity` is that of all tokens that were read there, `prompt_tokens` the mean length of the prompts.
    """

    group: Group
    at: tuple[float, ...]
    value: float | None
    interval: Interval | None
    method: str
    n: int
    missing: int
    prompt_tokens: float | None
    perplexity: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """The scores of one series of cases over one variable, or over two."""

    suite: str
    series: str | None
    variables: tuple[str, ...]
    is_likelihood: bool
    points: tuple[Point, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups in the order they ran."""
        return tuple(dict.fromkeys(point.group for point in self.points))

    def values(self, place: int = 0) -> tuple[float, ...]:
        """Return the values that a variable took, ascending."""
        return tuple(sorted({point.at[place] for point in self.points}))

    def prompt_tokens(self, value: float, place: int = 0) -> float | None:
        """Return the mean length of the prompts where a variable has a value, over all groups."""
        known = [each for each in self.points if each.at[place] == value and each.prompt_tokens is not None]
        return mean([point.prompt_tokens for point in known if point.prompt_tokens is not None])


def variations(report: Report) -> tuple[Variation, ...]:
    """Return, for each series, the scores over each variable that took more than one value."""
    return tuple(_variation(members, (name,)) for members in _series(report) for name in _varied(members))


def planes(report: Report) -> tuple[Variation, ...]:
    """Return, for each series, the scores over each pair of its variables; length goes first."""
    return tuple(
        _variation(members, pair) for members in _series(report) for pair in combinations(_varied(members), 2)
    )


def point_of(group: Group, at: tuple[float, ...], outcomes: Sequence[Outcome]) -> Point:
    """Return the score of a group over some of its outcomes."""
    scores = case_scores(outcomes)
    known = [score for score in scores if score is not None]
    interval = of_clustered_scores(_clusters(outcomes))
    ends = None if interval.low is None or interval.high is None else (interval.low, interval.high)
    return Point(
        group=group,
        at=at,
        value=mean(known),
        interval=ends,
        method=interval.method,
        n=len(known),
        missing=len(scores) - len(known),
        prompt_tokens=mean(_known(outcomes, _prompt_tokens)),
        perplexity=_perplexity(outcomes),
    )


def _series(report: Report) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each series that has variables and checks, in the order they ran."""
    series: dict[tuple[str, str | None], list[Outcome]] = defaultdict(list)
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        if cell.case.variables and cell.case.checks:
            series[cell.suite, cell.case.series].append(outcome)
    yield from series.values()


def _varied(members: Sequence[Outcome]) -> tuple[str, ...]:
    values: dict[str, set[float]] = defaultdict(set)
    for outcome in members:
        for name, value in outcome.trial.cell.case.variables.items():
            values[name].add(value)
    names = [name for name, found in values.items() if len(found) > 1]
    return tuple(sorted(names, key=lambda name: name != LENGTH))


def _variation(members: Sequence[Outcome], names: tuple[str, ...]) -> Variation:
    places: dict[tuple[Group, tuple[float, ...]], list[Outcome]] = defaultdict(list)
    for outcome in members:
        variables = outcome.trial.cell.case.variables
        if all(name in variables for name in names):
            places[group_of(outcome), tuple(variables[name] for name in names)].append(outcome)
    order = list(dict.fromkeys(group for group, _ in places))
    ordered = sorted(places.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    cell = members[0].trial.cell
    checks = {check.scorer for outcome in members for check in outcome.trial.cell.case.checks}
    return Variation(
        suite=cell.suite,
        series=cell.case.series,
        variables=names,
        is_likelihood=checks == {LIKELIHOOD},
        points=tuple(point_of(group, at, outcomes) for (group, at), outcomes in ordered),
    )


def _clusters(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """Return the known scores of the cases of each cluster; a case without one is its own."""
    clusters: dict[tuple[str, str | None, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.trial.cell
        own = cell.case.id if cell.case.cluster is None else ""
        clusters[cell.suite, cell.case.cluster, own].append(outcome)
    found = ([score for score in case_scores(each) if score is not None] for each in clusters.values())
    return [scores for scores in found if scores]


def _known(outcomes: Sequence[Outcome], read: Callable[[Outcome], int | None]) -> list[float]:
    return [float(value) for outcome in outcomes if (value := read(outcome)) is not None]


def _prompt_tokens(outcome: Outcome) -> int | None:
    if outcome.generation is not None and outcome.generation.prompt_tokens is not None:
        return outcome.generation.prompt_tokens
    return None if outcome.prompt is None else outcome.prompt.n_tokens


def _perplexity(outcomes: Sequence[Outcome]) -> float | None:
    """Return exp(-mean) over the log-probabilities of all tokens; `None` without any, or past all floats."""
    generations = [outcome.generation for outcome in outcomes if outcome.generation is not None]
    known = [value for generation in generations for value in generation.log_probabilities or ()]
    if not known:
        return None
    exponent = -math.fsum(known) / len(known)
    return math.exp(exponent) if exponent < 700 else None
