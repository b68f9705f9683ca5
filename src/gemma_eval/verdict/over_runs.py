"""What a metric came to run by run: a series for each machine and group, and where its level changes.

Values are held together only where they are of the same cases, measured by the same formulas. Between two
stretches of such values nothing is compared, for other questions have other answers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise

from gemma_eval.records import MICROBENCHMARK, Group, Host, Outcome, Run, Where
from gemma_eval.stats.change_points import change_points
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.summary import case_scores, timed
from gemma_eval.verdict import microbenchmarks
from gemma_eval.verdict.cases import cases
from gemma_eval.verdict.comparable import is_same_machine
from gemma_eval.verdict.costs import sign_of, typical
from gemma_eval.verdict.sides import Pair, group_of
from gemma_eval.verdict.where import fits

EVERYTHING = Where()


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What a metric came to in one run, over so many cases.

    `left_out` says why it takes no part in the search for changes, empty when it does. One that `begins` a
    stretch is of other cases, or of other formulas, than those before it.
    """

    run: str
    started_utc: str
    commit: str | None
    value: float
    cases: int
    left_out: str = ""
    begins: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Another level from a run on: the number of its point, both levels, and by how much it is worse."""

    run: str
    point: int
    before: float
    after: float
    difference: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """The values of one metric of one group on one machine, oldest first.

    `changes` are `None` where no stretch is long enough to say anything.
    """

    metric: str
    group: Group
    host: Host
    points: tuple[Point, ...]
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, slots=True)
class _Value:
    """A point with one answer to each of its cases, by which it is held against others."""

    point: Point
    asked: tuple[Outcome, ...]
    definitions_version: int


def over_runs(
    recorded: Iterable[tuple[Run, Sequence[Outcome]]],
    metric: str,
    *,
    where: Where = EVERYTHING,
    bases: Collection[str] = (),
) -> tuple[Series, ...]:
    """Return the series of a metric over runs that are given oldest first.

    A score is the mean over the cases, a cost the geometric mean of their medians, and each micro-benchmark
    has a series of its own. Runs that are noisy, unfinished or one of the `bases`, measured again beside a
    candidate, are shown and not searched.
    """
    hosts: list[Host] = []
    found: dict[tuple[int, Group], list[_Value]] = defaultdict(list)
    for run, outcomes in recorded:
        host = next(
            (number for number, each in enumerate(hosts) if is_same_machine(each, run.host)), len(hosts)
        )
        if host == len(hosts):
            hosts.append(run.host)
        left_out = "; ".join(_reasons(run, is_base=run.id in bases))
        for group, value in _values(run, outcomes, metric, where=where, left_out=left_out):
            found[host, group].append(value)
    return tuple(
        _series(metric, group, hosts[host], _in_stretches(values)) for (host, group), values in found.items()
    )


def _values(
    run: Run, outcomes: Sequence[Outcome], metric: str, *, where: Where, left_out: str
) -> Iterator[tuple[Group, _Value]]:
    """Yield what a run has of a metric, by group."""
    if metric == MICROBENCHMARK:
        for name, median_s in microbenchmarks.medians(run).items():
            if fnmatchcase(name, where.case or "*"):
                point = _point(run, median_s, cases=1, left_out=left_out)
                # Formulas of ours are no part of these times.
                yield microbenchmarks.group_of(name), _Value(point, (), 0)
        return
    for group, members in _groups(outcomes, where):
        value = _value(run, members, metric, left_out=left_out)
        if value is not None:
            yield group, value


def _groups(outcomes: Sequence[Outcome], where: Where) -> Iterator[tuple[Group, Sequence[Outcome]]]:
    groups: dict[Group, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if fits(where, outcome.trial.cell):
            groups[group_of(outcome)].append(outcome)
    yield from groups.items()


def _value(run: Run, outcomes: Sequence[Outcome], metric: str, *, left_out: str) -> _Value | None:
    by_case: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes if metric == "score" else timed(outcomes):
        by_case[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    valued = [repeats for repeats in by_case.values() if _of(repeats, metric) is not None]
    value = _of([outcome for repeats in valued for outcome in repeats], metric)
    if value is None:
        return None
    point = _point(run, value, cases=len(valued), left_out=left_out)
    asked = tuple(replace(repeats[0], prompt=None, generation=None) for repeats in valued)
    return _Value(point, asked, run.definitions_version)


def _point(run: Run, value: float, *, cases: int, left_out: str) -> Point:
    return Point(
        run=run.id,
        started_utc=run.started_utc,
        commit=run.commit,
        value=value,
        cases=cases,
        left_out=left_out,
    )


def _of(outcomes: Sequence[Outcome], metric: str) -> float | None:
    if metric != "score":
        return typical(outcomes, metric)
    scores = case_scores(outcomes)
    return mean([score for score in scores if score is not None])


def _reasons(run: Run, *, is_base: bool) -> Iterator[str]:
    if run.state != "done":
        yield run.state
    if is_base:
        yield "measured as the base of another run"
    if run.noise is not None and run.noise.reasons:
        yield f"noisy: {', '.join(run.noise.reasons)}"


def _in_stretches(values: Sequence[_Value]) -> tuple[Point, ...]:
    """Return the points, each that asks what those before it do not marked as the begin of a stretch.

    One that asks otherwise than the one before and the one after it, where these agree, is left out alone.
    """
    points = [value.point for value in values]
    fair = [number for number, point in enumerate(points) if not point.left_out]
    last: int | None = None
    for place, number in enumerate(fair):
        if last is None or _is_alike(values[last], values[number]):
            last = number
        elif place + 1 < len(fair) and _is_alike(values[last], values[fair[place + 1]]):
            points[number] = replace(points[number], left_out="of other cases than before and after it")
        else:
            points[number] = replace(points[number], begins=True)
            last = number
    return tuple(points)


def _is_alike(one: _Value, other: _Value) -> bool:
    found = cases(Pair(shared="", base=one.asked, candidate=other.asked))
    is_same = not (found.changed or found.base_alone or found.candidate_alone)
    return is_same and one.definitions_version == other.definitions_version


def _series(metric: str, group: Group, host: Host, points: tuple[Point, ...]) -> Series:
    stretches: list[list[int]] = [[]]
    for number, point in enumerate(points):
        if point.begins:
            stretches.append([])
        if not point.left_out:
            stretches[-1].append(number)
    found = [_changes(metric, points, stretch) for stretch in stretches]
    told = [changes for changes in found if changes is not None]
    return Series(
        metric=metric,
        group=group,
        host=host,
        points=points,
        changes=tuple(change for changes in told for change in changes) if told else None,
    )


def _changes(metric: str, points: Sequence[Point], stretch: Sequence[int]) -> tuple[Change, ...] | None:
    """Return the changes within one stretch, `None` where it is too short."""
    is_score = metric == "score"
    values = [points[number].value for number in stretch]
    places = change_points(values if is_score else [math.log(value) for value in values])
    if places is None:
        return None
    edges = (0, *places, len(values))
    levels = [_level(values[start:end], is_score=is_score) for start, end in pairwise(edges)]
    return tuple(
        Change(
            run=points[stretch[at]].run,
            point=stretch[at],
            before=before,
            after=after,
            difference=before - after if is_score else sign_of(metric) * math.log(after / before),
        )
        for at, (before, after) in zip(places, pairwise(levels), strict=True)
    )


def _level(values: Sequence[float], *, is_score: bool) -> float:
    if is_score:
        return math.fsum(values) / len(values)
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))
