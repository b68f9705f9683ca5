"""What became of the scores of a run that was scored again, check by check and group by group."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Case, Group, Outcome, Run, Scoring
from gemma_eval.report import numbers
from gemma_eval.report.columns import columns
from gemma_eval.report.groups import group_of
from gemma_eval.stats.intervals import ALPHA
from gemma_eval.stats.paired import bounds, paired
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.reduction import case_score, check_value

_SPAN = 1.0
"""The most that two scores differ by."""

_OF_CHECKS = ("check", "cases", "before", "now", "answers changed")
_OF_GROUPS = ("score", "cases", "before", "now", "change", "95 % interval")

Pair = tuple[tuple[Outcome, ...], tuple[Outcome, ...]]
"""The outcomes of one case in one group, as they were and as they are scored now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckChange:
    """What became of one check: the mean over its cases before and now, and how many answers it changed for.

    A mean is `None` where there is no such check, or no case has a value of it, and `changed` where no answer
    was checked by it both times.
    """

    check: str
    cases: int
    before: float | None
    now: float | None
    changed: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupChange:
    """What became of the score of one group, over the cases that have one before and now.

    `low` and `high` are a 95 % interval of the change, which is paired by case, `None` where nothing gives
    one. `gained` and `lost` cases have a score only now, or no more.
    """

    group: Group
    n: int
    before: float | None
    now: float | None
    low: float | None
    high: float | None
    gained: int
    lost: int


def changed(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> int:
    """Return how many answers have another score now, by the keys of their trials."""
    return sum(before[key].score != outcome.score for key, outcome in now.items())


def check_changes(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> tuple[CheckChange, ...]:
    """Return what became of each check, in the order in which they first occur.

    A check is known by its name, and a further one of that name in the same case by its number.
    """
    values: dict[str, list[tuple[float | None, float | None]]] = defaultdict(list)
    cases: dict[str, set[tuple[str, str]]] = defaultdict(set)
    differ: Counter[str] = Counter()
    for old, new in _pairs(before, now):
        cell = new[0].trial.cell
        then, today = _places(old[0].trial.cell.case), _places(cell.case)
        for name in dict.fromkeys((*then, *today)):
            values[name].append((_reduced(old, then.get(name)), _reduced(new, today.get(name))))
            cases[name].add((cell.suite, cell.case.id))
            if name in then and name in today:
                differ[name] += sum(
                    _value(one, then[name]) != _value(other, today[name])
                    for one, other in zip(old, new, strict=True)
                )
    return tuple(
        CheckChange(
            check=name,
            cases=len(cases[name]),
            before=mean([value for value, _ in found if value is not None]),
            now=mean([value for _, value in found if value is not None]),
            changed=differ.get(name),
        )
        for name, found in values.items()
    )


def group_changes(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> tuple[GroupChange, ...]:
    """Return what became of the score of each group, in the order of the run."""
    groups: dict[Group, list[Pair]] = defaultdict(list)
    for pair in _pairs(before, now):
        groups[group_of(pair[1][0])].append(pair)
    return tuple(_group_change(group, pairs) for group, pairs in groups.items())


def lines(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> Iterator[str]:
    """Write what became of the checks that were asked again, and of the scores of the whole run, as tables.

    `before` has all outcomes of a run, `now` those that were scored again.
    """
    checks, groups = check_changes(before, now), group_changes(before, {**before, **now})
    if checks:
        yield from columns([_OF_CHECKS, *map(_check_row, checks)])
    if groups:
        yield from ("", *columns([_OF_GROUPS, *map(_row, groups)]))
    for each in groups:
        if each.gained or each.lost:
            only = f"{each.gained} cases have a score only now, {each.lost} have none any more"
            yield f"{_label(each.group)}: {only}"


def told(run: Run) -> Iterator[str]:
    """Say when a run was scored again, and how to see the scores that it was made with."""
    if not run.scorings:
        return
    newest = run.scorings[-1]
    suites, counts = " and ".join(sorted(newest.suites)), (newest.changed, newest.answers)
    yield (
        f"on {day(newest)}, by the checks of suite {suites} as they were then; "
        f"{' of '.join(map(numbers.count, counts))} answers have another score. "
        f"The original scores are kept: gemma-eval report {run.id} --scoring 0"
    )


def day(scoring: Scoring) -> str:
    """Write when a scoring was made, to the minute."""
    return f"{scoring.at_utc[:16].replace('T', ' ')} UTC"


def _pairs(before: Mapping[str, Outcome], now: Mapping[str, Outcome]) -> Iterator[Pair]:
    """Yield the outcomes of each case and group that has checks, before and now, in the order of the run."""
    keys: dict[tuple[str, str, Group], list[str]] = defaultdict(list)
    for key, outcome in now.items():
        cell = outcome.trial.cell
        if cell.case.checks or before[key].trial.cell.case.checks:
            keys[cell.suite, cell.case.id, group_of(outcome)].append(key)
    for each in keys.values():
        yield tuple(before[key] for key in each), tuple(now[key] for key in each)


def _places(case: Case) -> dict[str, int]:
    """Return the place of each check by its name, and from the second one of it on by its number too."""
    seen: Counter[str] = Counter()
    places: dict[str, int] = {}
    for place, check in enumerate(case.checks):
        seen[check.name] += 1
        number = seen[check.name]
        places[check.name if number == 1 else f"{check.name} {number}"] = place
    return places


def _reduced(outcomes: Sequence[Outcome], place: int | None) -> float | None:
    return None if place is None else check_value(outcomes, place)


def _value(outcome: Outcome, place: int) -> float | None:
    return outcome.scores[place].value if place < len(outcome.scores) else None


def _group_change(group: Group, pairs: Sequence[Pair]) -> GroupChange:
    scores = [(case_score(old), case_score(new), new[0].trial.cell) for old, new in pairs]
    both = [(old, new, cell) for old, new, cell in scores if old is not None and new is not None]
    clusters = [
        (cell.suite, cell.case.id) if cell.case.cluster is None else cell.case.cluster for _, _, cell in both
    ]
    # Differences are turned so that + is worse.
    of = paired([old - new for old, new, _ in both], clusters=clusters, span=_SPAN)
    worse = None if of is None else bounds(of, level=ALPHA / 2)
    return GroupChange(
        group=group,
        n=len(both),
        before=mean([old for old, _, _ in both]),
        now=mean([new for _, new, _ in both]),
        low=None if worse is None or worse.high is None else max(-_SPAN, -worse.high),
        high=None if worse is None or worse.low is None else min(_SPAN, -worse.low),
        gained=sum(old is None and new is not None for old, new, _ in scores),
        lost=sum(old is not None and new is None for old, new, _ in scores),
    )


def _check_row(each: CheckChange) -> tuple[str, ...]:
    means = numbers.score(each.before), numbers.score(each.now)
    return each.check, str(each.cases), *means, numbers.count(each.changed)


def _row(each: GroupChange) -> tuple[str, ...]:
    change = None if each.before is None or each.now is None else each.now - each.before
    interval = numbers.MISSING
    if each.low is not None and each.high is not None:
        interval = f"[{_points(each.low)}, {_points(each.high)}]"
    values = numbers.score(each.before), numbers.score(each.now)
    return _label(each.group), str(each.n), *values, _points(change), interval


def _points(value: float | None) -> str:
    return numbers.MISSING if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _label(group: Group) -> str:
    return group.shown
