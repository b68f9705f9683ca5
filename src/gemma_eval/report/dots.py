"""Benchmarks as pictures: a line for each case, and on it the median of each model with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Group
from gemma_eval.report import charts, numbers
from gemma_eval.report.axes import Tick, across
from gemma_eval.report.cells import TimedCell
from gemma_eval.report.groups import Groups
from gemma_eval.report.scatter import COLOURS, SHAPES

WIDTH, LEFT, RIGHT, TOP, BELOW = 500.0, 150.0, 14.0, 8.0, 50.0
"""The paper: its width, the room for names of cases, and the edges around the lines."""
ROW = 24.0
APART = 9.0
"""The height of a line with one model, and how much further one adds."""
MOST_NAME = 22
"""Longer names of cases are cut in the picture; the table has them whole."""
LOG_FROM = 8
"""An axis is logarithmic when its largest value is more than so many times its smallest."""
METRICS = (("ttft_s", "Time to first token"), ("tpot_s", "Time per output token"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DotRow:
    """A case: the place of its line and the name beside it."""

    y: float
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DotKey:
    """An entry of the legend: a model, its colour and its shape."""

    name: str
    colour: int
    shape: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DotMark:
    """The median of one model in one case, with its interval, on paper and in words."""

    x: float
    y: float
    x_low: float
    x_high: float
    colour: int
    shape: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DotFigure:
    """One metric over the cases that several models ran with one profile, template and retrieval."""

    id: str
    title: str
    x_title: str
    x_ticks: tuple[Tick, ...]
    rows: tuple[DotRow, ...]
    marks: tuple[DotMark, ...]
    models: tuple[DotKey, ...]
    frame: charts.Box
    height: float
    width: float = WIDTH


def dot_figures(cells: Sequence[TimedCell], groups: Groups) -> tuple[DotFigure, ...]:
    """Return the figures of each metric, none where no case has values of several models."""
    drawn: list[DotFigure] = []
    for settings, members in _by_settings(cells).items():
        for metric, title in METRICS:
            shared = _shared(members, metric)
            if shared:
                named = f"{title}{_suffix(settings, groups)}"
                drawn.append(_figure(f"dots-{len(drawn)}", named, shared, metric, groups))
    return tuple(drawn)


def _by_settings(cells: Sequence[TimedCell]) -> dict[Group, list[TimedCell]]:
    """Return the cells by what their groups are beside the model."""
    members: dict[Group, list[TimedCell]] = {}
    for cell in cells:
        members.setdefault(replace(cell.group, model=""), []).append(cell)
    return members


def _shared(cells: Sequence[TimedCell], metric: str) -> list[list[TimedCell]]:
    """Return the cells of each case of which several models have a value."""
    cases: dict[str, list[TimedCell]] = {}
    for cell in cells:
        if cell.summary(metric).p50 is not None:
            cases.setdefault(cell.name, []).append(cell)
    return [members for members in cases.values() if len(members) > 1]


def _suffix(settings: Group, groups: Groups) -> str:
    profile = settings.profile if len(groups.profiles) > 1 else ""
    template = settings.template if len(groups.templates) > 1 else ""
    retrieval = settings.retrieval if groups.tells_retrievals else ""
    return "".join(f", {name}" for name in (profile, template, retrieval) if name)


def _figure(
    figure_id: str, title: str, cases: Sequence[Sequence[TimedCell]], metric: str, groups: Groups
) -> DotFigure:
    ends_s = [end for cells in cases for cell in cells for end in _ends(cell, metric)]
    room = ROW + APART * (max(map(len, cases)) - 1)
    frame = charts.Box(left=LEFT, top=TOP, width=WIDTH - LEFT - RIGHT, height=room * len(cases))
    is_log = min(ends_s) > 0 and max(ends_s) > LOG_FROM * min(ends_s)
    unit, per_s = ("s", 1.0) if max(ends_s) >= 2 else ("ms", 1e3)
    spread = charts.log_ticks if is_log else charts.nice_ticks
    ticks = spread((min(ends_s) if is_log else 0.0) * per_s, max(ends_s) * per_s)
    x = across(frame, [tick / per_s for tick in ticks], is_log=is_log)
    middles = [TOP + room * (index + 0.5) for index in range(len(cases))]
    return DotFigure(
        id=figure_id,
        title=title,
        x_title=f"{unit}, median{', log scale' if is_log else ''}",
        x_ticks=tuple(Tick(at=x(tick / per_s), label=f"{tick:g}") for tick in ticks),
        rows=tuple(DotRow(y=y, name=_cut(cells[0].name)) for y, cells in zip(middles, cases, strict=True)),
        marks=tuple(
            _mark(cell, metric, groups, x=x, y=y + APART * (place - (len(cells) - 1) / 2))
            for y, cells in zip(middles, cases, strict=True)
            for place, cell in enumerate(cells)
        ),
        models=_legend(cases, groups),
        frame=frame,
        height=frame.top + frame.height + BELOW,
    )


def _legend(cases: Sequence[Sequence[TimedCell]], groups: Groups) -> tuple[DotKey, ...]:
    present = {cell.group.model for cells in cases for cell in cells}
    return tuple(
        DotKey(name=model, colour=index % COLOURS, shape=index % SHAPES)
        for index, model in enumerate(groups.models)
        if model in present
    )


def _ends(cell: TimedCell, metric: str) -> tuple[float, ...]:
    summary = cell.summary(metric)
    ends = (summary.p50, summary.ci_low, summary.ci_high)
    return tuple(end for end in ends if end is not None)


def _mark(cell: TimedCell, metric: str, groups: Groups, *, x: charts.Scale, y: float) -> DotMark:
    ends = _ends(cell, metric)
    summary, index = cell.summary(metric), groups.models.index(cell.group.model)
    interval = numbers.seconds_interval(summary.ci_low, summary.ci_high)
    return DotMark(
        x=x(ends[0]),
        y=y,
        x_low=x(min(ends)),
        x_high=x(max(ends)),
        colour=index % COLOURS,
        shape=index % SHAPES,
        words=" ".join(
            filter(None, (f"{cell.name}, {cell.group.model}:", numbers.seconds(ends[0]), interval))
        ),
    )


def _cut(name: str) -> str:
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"
