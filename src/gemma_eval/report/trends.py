"""Whether a score at the last value of a variable differs from that at the first, in one sentence."""

from __future__ import annotations

from gemma_eval.records import Group
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups, overlap
from gemma_eval.report.lines import value_text
from gemma_eval.report.series import Point, Variation

MOST_NAMED = 4
"""How many groups a sentence names before it counts the rest."""


def trend(variation: Variation, groups: Groups) -> tuple[str, bool] | None:
    """Return the sentence and whether it tells of a difference; `None` when no group has both ends."""
    values = variation.values()
    ends = {
        group: (_at(variation, group, values[0]), _at(variation, group, values[-1]))
        for group in variation.groups
    }
    known = {group: (first, last) for group, (first, last) in ends.items() if first and last}
    if not known:
        return None
    told = [_change(groups.label(group), first, last) for group, (first, last) in known.items()]
    changes = [change for change in told if change is not None]
    silent = [groups.label(group) for group, change in zip(known, told, strict=True) if change is None]
    of = f"{variation.series}, " if variation.series else ""
    name = variation.variables[0]
    span = f"{of}from {name} {value_text(values[0])} to {value_text(values[-1])}: "
    rest = [f"no difference shown for {some(silent)}"] if silent else []
    return f"{span}{'; '.join([*_fewer(changes), *rest])}.", bool(changes)


def some(names: list[str]) -> str:
    """Name groups, or count them where they are many."""
    if len(names) > MOST_NAMED:
        return f"{len(names)} groups"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _at(variation: Variation, group: Group, value: float) -> Point | None:
    points = (point for point in variation.points if point.group == group and point.at[0] == value)
    return next((point for point in points if point.value is not None), None)


def _change(name: str, first: Point, last: Point) -> str | None:
    """Say how a score changed, `None` where the intervals overlap or are not known."""
    if overlap(first.interval, last.interval) or first.value is None or last.value is None:
        return None
    verb = "falls" if last.value < first.value else "rises"
    return f"{name} {verb} from {numbers.score(first.value)} to {numbers.score(last.value)}"


def _fewer(changes: list[str]) -> list[str]:
    more = len(changes) - MOST_NAMED
    return (
        [*changes[:MOST_NAMED], f"{more} more {'changes' if more == 1 else 'change'}, too"]
        if more > 0
        else changes
    )
