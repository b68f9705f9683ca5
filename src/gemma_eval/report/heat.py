"""Scores over two variables as a table of shaded cells, one for each group: the needle in its haystack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.records import Group
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups
from gemma_eval.report.lines import title, value_text
from gemma_eval.report.series import LENGTH, Point, Variation

STEPS = 10
"""How many shades there are beside the lightest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatCell:
    """One score, its shade (0..10), and in words how sure it is."""

    score: str
    shade: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatRow:
    """A value of the variable that goes down, with a cell for each value of the one that goes across."""

    value: str
    cells: tuple[HeatCell | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heat:
    """The scores of one group; `tokens` are the mean prompt tokens of each column, if those are lengths."""

    name: str
    columns: tuple[str, ...]
    tokens: tuple[str, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatFigure:
    """The same two variables for every group."""

    title: str
    across: str
    down: str
    maps: tuple[Heat, ...]


def heat_figures(planes: Sequence[Variation], groups: Groups) -> tuple[HeatFigure, ...]:
    """Return a figure for each variation over two variables."""
    several = len({plane.suite for plane in planes}) > 1
    return tuple(
        HeatFigure(
            title=title(plane, several=several),
            across=plane.variables[0],
            down=plane.variables[1],
            maps=tuple(_heat(plane, group, groups.label(group)) for group in plane.groups),
        )
        for plane in planes
    )


def _heat(plane: Variation, group: Group, name: str) -> Heat:
    points = {point.at: point for point in plane.points if point.group == group}
    columns, downwards = plane.values(0), plane.values(1)
    tokens = [plane.prompt_tokens(value) for value in columns] if plane.variables[0] == LENGTH else []
    known = any(count is not None for count in tokens)
    return Heat(
        name=name,
        columns=tuple(value_text(value) for value in columns),
        tokens=tuple(numbers.count(None if n is None else round(n)) for n in tokens) if known else (),
        rows=tuple(
            HeatRow(
                value=value_text(down), cells=tuple(_cell(points.get((value, down))) for value in columns)
            )
            for down in downwards
        ),
    )


def _cell(point: Point | None) -> HeatCell | None:
    if point is None or point.value is None:
        return None
    interval = "no interval" if point.interval is None else numbers.interval(*point.interval)
    cases = "1 case" if point.n == 1 else f"{point.n} cases"
    missing = f", {point.missing} missing" if point.missing else ""
    return HeatCell(
        score=numbers.score(point.value),
        shade=round(min(max(point.value, 0.0), 1.0) * STEPS),
        words=f"{interval}, {cases}{missing}",
    )
