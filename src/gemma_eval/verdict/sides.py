"""Two sets of outcomes are held together group by group: what both have, and what sets them apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.errors import UsageError
from gemma_eval.records import NOBODY, Group, Outcome

Axis = Literal["model", "profile", "template", "retrieval"]
AXES: tuple[Axis, ...] = ("model", "profile", "template", "retrieval")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The outcomes of a base and of a candidate that agree in what `shared` names."""

    shared: str
    base: tuple[Outcome, ...]
    candidate: tuple[Outcome, ...]


def name_on(axis: Axis, outcome: Outcome) -> str:
    """Return the name of an outcome's model, profile, template or retrieval, "" where that has none."""
    name: str = getattr(outcome.trial.cell, axis).name
    return name


def on(axis: Axis, outcomes: Sequence[Outcome], *, name: str) -> tuple[Outcome, ...]:
    """Return the outcomes with that model, profile, template or retrieval."""
    return tuple(outcome for outcome in outcomes if name_on(axis, outcome) == name)


def pairs(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[Pair, ...]:
    """Hold the groups together that agree on every axis, in the order of the base.

    An axis on which each side has one name, and the two differ, is what is compared: there groups need not
    agree. Raises UsageError when no group of the one side has its like on the other.
    """
    held = _held(base, candidate)
    ours, theirs = _groups(base, held), _groups(candidate, held)
    found = tuple(
        Pair(shared=_label(key, held, base), base=tuple(ours[key]), candidate=tuple(theirs[key]))
        for key in ours
        if key in theirs
    )
    if not found:
        axes = [axis for axis in AXES if any(_names(axis, (*base, *candidate)))]
        told = "; ".join(_told(axis, base, candidate) for axis in axes)
        kinds = f"{', '.join(axes[:-1])} and {axes[-1]}"
        raise UsageError(f"the two sides have no {kinds} in common: {told}")
    return found


def group_of(outcome: Outcome) -> Group:
    """Return the model, profile, template and retrieval of an outcome."""
    return outcome.trial.cell.group


def label_of(group: Group, groups: Sequence[Group]) -> str:
    """Name a group by the axes on which there are several, or by all."""
    if not group.has_model:
        return group.shown
    asked = [each for each in groups if each.has_model]
    several = [axis for axis in AXES if len({getattr(each, axis) for each in asked}) > 1] or AXES
    return " · ".join(name for axis in several if (name := getattr(group, axis)))


def changes(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[str, ...]:
    """Say what sets the sides apart by name: `template plain → rag`; nothing for two runs of the same."""
    return tuple(
        f"{axis} {_shown(name_on(axis, base[0]))} → {_shown(name_on(axis, candidate[0]))}"
        for axis in AXES
        if _is_compared(axis, base, candidate)
    )


def unpaired(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[str, ...]:
    """Name the groups that only one side has."""
    held = _held(base, candidate)
    ours, theirs = _groups(base, held), _groups(candidate, held)
    alone = [(key, "base") for key in ours if key not in theirs]
    alone += [(key, "candidate") for key in theirs if key not in ours]
    return tuple(f"{_told_of(key)} (of the {side} alone)" for key, side in alone)


def _held(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[Axis, ...]:
    return tuple(axis for axis in AXES if not _is_compared(axis, base, candidate))


def _label(key: Sequence[str], held: Sequence[Axis], base: Sequence[Outcome]) -> str:
    """Name a group by the axes on which the base has several names, or by all that are held together."""
    if NOBODY in key:
        return _told_of(key)
    asked = [each for each in base if each.trial.cell.group.has_model]
    several = [axis for axis in held if len(_names(axis, asked)) > 1] or held
    return " · ".join(name for axis, name in zip(held, key, strict=True) if name and axis in several)


def _told_of(key: Sequence[str]) -> str:
    """Name a group by all axes that are held together."""
    names = [name for name in key if name not in (NOBODY, "")]
    return " · ".join([*names, "passages alone"] if NOBODY in key else names)


def _is_compared(axis: Axis, base: Sequence[Outcome], candidate: Sequence[Outcome]) -> bool:
    ours, theirs = _names(axis, base), _names(axis, candidate)
    return len(ours) == len(theirs) == 1 and ours != theirs


def _names(axis: Axis, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name_on(axis, outcome) for outcome in outcomes))


def _groups(outcomes: Sequence[Outcome], axes: Sequence[Axis]) -> Mapping[tuple[str, ...], Sequence[Outcome]]:
    groups: dict[tuple[str, ...], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[tuple(name_on(axis, outcome) for axis in axes)].append(outcome)
    return groups


def _told(axis: Axis, base: Sequence[Outcome], candidate: Sequence[Outcome]) -> str:
    def listed(outcomes: Sequence[Outcome]) -> str:
        return ", ".join(map(_shown, _names(axis, outcomes)))

    return f"{axis} {listed(base)} against {listed(candidate)}"


def _shown(name: str) -> str:
    return name or "without a name"
