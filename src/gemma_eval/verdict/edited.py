"""What two sides call by one name and is not the same: what was edited between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from gemma_eval.records import NOBODY, Cell, Outcome, identity
from gemma_eval.verdict.sides import AXES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MOST_KEYS = 3
_MOST_CASES = 3
_UNTOLD = ("name", "version", "description", "first_lines")
"""What changes no answer."""


def edited(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[str, ...]:
    """Name what was edited between the sides, with its keys: `profile greedy: temperature 0 → 1.5`.

    Held together is what both use in the same case, for a case may limit a profile.
    """
    ours, theirs = _cells(base), _cells(candidate)
    both = [(ours[of], cell) for of, cell in theirs.items() if of in ours]
    return (*_chosen(both), *_asked(both))


def _cells(outcomes: Sequence[Outcome]) -> dict[tuple[str, ...], Cell]:
    """Return a cell for each case and each name on an axis."""
    found: dict[tuple[str, ...], Cell] = {}
    for cell in (outcome.trial.cell for outcome in outcomes):
        for axis in AXES:
            found.setdefault((axis, getattr(cell, axis).name, cell.suite, cell.case.id), cell)
    return found


def _chosen(both: Sequence[tuple[Cell, Cell]]) -> Iterator[str]:
    told: dict[tuple[str, str], None] = {}
    for axis in AXES:
        for one, other in both:
            ours, theirs = getattr(one, axis), getattr(other, axis)
            if ours.name != theirs.name or ours.name == NOBODY or (axis, ours.name) in told:
                continue
            if keys := tuple(_keys(ours, theirs)):
                told[axis, ours.name] = None
                more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
                yield f"{axis} {ours.name or 'without a name'}: {', '.join(keys[:_MOST_KEYS])}{more}"


def _asked(both: Sequence[tuple[Cell, Cell]]) -> Iterator[str]:
    cases = ((one.case, other.case) for one, other in both if one.case != other.case)
    names = dict.fromkeys(one.id for one, other in cases if identity(one) != identity(other))
    if names:
        shown = ", ".join(list(names)[:_MOST_CASES])
        more = f" and {len(names) - _MOST_CASES} more" if len(names) > _MOST_CASES else ""
        yield f"{'case' if len(names) == 1 else 'cases'} {shown}{more} edited"


def _keys(ours: object, theirs: object) -> Iterator[str]:
    """Yield what differs between two records of one kind, with both values where they are short."""
    for name in (each.name for each in fields(cast("DataclassInstance", ours))):
        one, other = getattr(ours, name), getattr(theirs, name)
        if name == "location" and PurePath(one).name == PurePath(other).name:
            continue  # the same file in the checkout of another commit
        if one != other and name not in _UNTOLD:
            yield f"{name} {_value(one)} → {_value(other)}" if _is_short(one, other) else f"other {name}"


def _is_short(*values: object) -> bool:
    return all(value is None or isinstance(value, bool | int | float) for value in values)


def _value(value: object) -> str:
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value).lower()
