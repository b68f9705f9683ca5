"""Answers whose verdict people have given, read from a TOML file: what a judge is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from gemma_eval.errors import ConfigError, Problem, UsageError, suggestion
from gemma_eval.files import decode, read, rows
from gemma_eval.files.locate import Path as Place
from gemma_eval.records import Option, Options

NOT_GIVEN = ("judge", "judges", "reference")
"""Options of the scorer `judge` that are no business of such a file: the item and the caller give them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An answer and the label that is right for it; `people` are those that several people gave."""

    prompt: str
    answer: str
    label: str | None
    reference: str = ""
    people: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """The items of a file, and the options of the scorer `judge` that they are judged with."""

    items: tuple[Item, ...]
    options: Options = field(default_factory=dict)


class ItemRow(rows.Row):
    """One item; the keys are those of `Item`."""

    prompt: rows.Text | None = None
    reference: str | None = None
    answer: str | None = None
    label: rows.Text | None = None
    people: list[str] | None = None


class LabelledRow(rows.Row):
    """A whole file of items."""

    version: Literal[1] | None = None
    judge: dict[str, rows.OptionValue] | None = None
    item: list[ItemRow] | None = None


def demand_labels(labelled: Labelled, labels: Sequence[str], *, path: Path) -> None:
    """Raise UsageError for an item with a label that the judge cannot give."""
    for number, item in enumerate(labelled.items, start=1):
        for label in (item.label, *item.people):
            if label is not None and label not in labels:
                known = f"{rows.show(label)}, which is none of the judge's labels"
                near = suggestion(label, labels)
                raise UsageError(f"{path}: item number {number} has the label {known}{near}")


def load(path: Path) -> Labelled:
    """Return what a file holds. Raises ConfigError with every problem of it."""
    try:
        table, lines = decode.toml(read.decode(read.read_bytes(path)))
    except read.ReadError as error:
        raise ConfigError([Problem(path=path, line=error.line, what=error.what)]) from error
    row, flaws = rows.check(LabelledRow, table)
    said = [(flaw.path, flaw.text()) for flaw in flaws]
    said += _problems(row, table, flawed={flaw.path[:2] for flaw in flaws})
    if said:
        raise ConfigError([Problem(path=path, line=lines.at(at) or 1, what=what) for at, what in said])
    items = tuple(_item(each) for each in row.item or ())
    return Labelled(items=items, options=cast(Mapping[str, Option], row.judge or {}))


def _problems(
    row: LabelledRow, table: Mapping[str, object], *, flawed: Collection[Place]
) -> Iterator[tuple[Place, str]]:
    """Yield what a file lacks, and what it has that others give."""
    if "version" not in table:
        yield (), "needs version = 1"
    if not table.get("item"):
        yield (), "has no item; begin each one with [[item]]"
    for name in NOT_GIVEN:
        if name in (row.judge or {}):
            yield ("judge", name), f"[judge] has {name}, which is given elsewhere; leave it out"
    for index, item in enumerate(row.item or ()):
        if ("item", index) not in flawed:
            yield from ((("item", index), f"item number {index + 1} {what}") for what in _lacks(item))


def _lacks(row: ItemRow) -> list[str]:
    missing = [name for name in ("prompt", "answer") if getattr(row, name) is None]
    if row.label is None and not row.people:
        missing.append("label")
    return [f"needs {name}" for name in missing]


def _item(row: ItemRow) -> Item:
    people = tuple(row.people or ())
    return Item(
        prompt=row.prompt or "",
        answer=row.answer or "",
        label=row.label if row.label is not None else _most_say(people),
        reference=row.reference or "",
        people=people,
    )


def _most_say(people: tuple[str, ...]) -> str | None:
    """Return the label that most people gave, `None` where they are of two minds."""
    ranked = Counter(people).most_common(2)
    return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]
