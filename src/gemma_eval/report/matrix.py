"""The scores of one model as a matrix, profiles down and templates across, each held against the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from gemma_eval.records import Group, Summary
from gemma_eval.report import charts, numbers
from gemma_eval.report.groups import Groups, Way, centre, interval_of, overlap
from gemma_eval.report.visible import visible

BAR_WIDTH = 96
HEAT_STEPS = 10

Standing = Literal["best", "overlaps", "below", "alone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A score and its interval on a line from 0 to 1."""

    at: float
    low: float
    high: float
    width: int = BAR_WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixCell:
    """The score of a group, its shade (0..10), and how its interval stands to the best of the matrix."""

    score: str
    interval: str
    bar: Bar | None
    shade: int
    standing: Standing
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRow:
    """A profile with a cell for each column, `None` where that pair did not run."""

    profile: str
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """The scores of one model, profiles down and templates across, each with the retrievals that it had."""

    model: str
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def matrix(groups: Groups, model: str) -> Matrix:
    """Return the scores of one model, each held against the highest of them."""
    known = [each for each in groups.measured("score") if each.group.model == model]
    top = max(known, key=lambda each: each.value).group if known else None
    alone = len(known) == 1

    def cell(profile: str, way: Way) -> MatrixCell | None:
        group = Group(model=model, profile=profile, template=way[0], retrieval=way[1])
        return _cell(groups, group, top, alone=alone)

    rows = (
        MatrixRow(profile=profile, cells=tuple(cell(profile, way) for way in groups.ways))
        for profile in groups.profiles
    )
    return Matrix(model=model, columns=tuple(map(groups.way_name, groups.ways)), rows=tuple(rows))


def link(groups: Groups, group: Group) -> str:
    """Return the address on this page that filters the table of cases to one group."""
    chosen = {"model": visible(group.model)} if len(groups.models) > 1 else {}
    chosen |= {"profile": visible(group.profile), "template": visible(group.template)}
    chosen |= {"retrieval": visible(group.retrieval)} if group.retrieval else {}
    return "#" + urlencode(chosen)


def ends(summary: Summary | None) -> tuple[float | None, float | None]:
    """Return the ends of a summary's interval, `None` twice where it has none."""
    return interval_of(summary) or (None, None)


def bar_of(score: Summary | None) -> Bar | None:
    """Return a score on a line, `None` where there is none."""
    value = centre(score)
    if value is None:
        return None
    x = charts.Scale(low=0.0, high=1.0, start=0.0, stop=BAR_WIDTH)
    low, high = interval_of(score) or (value, value)
    return Bar(at=x(value), low=x(low), high=x(high))


def _cell(groups: Groups, group: Group, top: Group | None, *, alone: bool) -> MatrixCell | None:
    score = groups.summary(group, "score")
    value = centre(score)
    if value is None or top is None:
        return None
    return MatrixCell(
        score=numbers.score(value),
        interval="" if interval_of(score) is None else numbers.interval(*ends(score)),
        bar=bar_of(score),
        shade=round(min(max(value, 0.0), 1.0) * HEAT_STEPS),
        standing="alone" if alone else _standing(groups, group, top),
        link=link(groups, group),
    )


def _standing(groups: Groups, group: Group, top: Group) -> Standing:
    if group == top:
        return "best"
    return "overlaps" if overlap(*groups.score_intervals(group, top)) else "below"
