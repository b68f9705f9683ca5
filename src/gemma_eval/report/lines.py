"""Score against a variable: a line of points with intervals for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gemma_eval.report import charts, numbers
from gemma_eval.report.axes import Tick, across, share_ticks, upwards
from gemma_eval.report.groups import Groups
from gemma_eval.report.scatter import COLOURS, SHAPES
from gemma_eval.report.series import LENGTH, Point, Variation

PANEL = charts.Box(left=56, top=12, width=434, height=188)
MOST_VALUE_TICKS = 12
"""Up to so many values of a variable, each has its own tick."""
LABEL_GAP = 6
DODGE = 5
"""How far apart on paper the points of two lines stand at one value, lest one hide the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """A point with its interval on paper, and in words."""

    x: float
    y: float
    y_low: float
    y_high: float
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The points of one group, joined where none between them is missing."""

    name: str
    colour: int
    shape: int
    path: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """One point in words."""

    name: str
    at: tuple[str, ...]
    prompt_tokens: str
    score: str
    perplexity: str
    n: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LineFigure:
    """Score against one variable."""

    id: str
    title: str
    variable: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    rows: tuple[TableRow, ...]
    is_likelihood: bool
    has_tokens: bool
    scored: str
    width: float = 500
    height: float = 264
    frame: charts.Box = PANEL


def line_figures(
    variations: Sequence[Variation], groups: Groups, *, id_: str = "variable"
) -> tuple[LineFigure, ...]:
    """Return a figure for each variation over one variable; on a page their names begin with `id_`."""
    several = len({variation.suite for variation in variations}) > 1
    return tuple(
        _figure(f"{id_}-{index}", variation, groups, title=title(variation, several=several))
        for index, variation in enumerate(variations)
    )


def title(variation: Variation, *, several: bool) -> str:
    """Name a variation: what is scored, over which variables, of which series."""
    what = "Probability per token" if variation.is_likelihood else "Score"
    suite = (variation.suite,) if several or variation.series is None else ()
    of = ", ".join((*suite, *((variation.series,) if variation.series else ())))
    return f"{what} by {' and '.join(variation.variables)}: {of}"


def rows(variation: Variation, groups: Groups) -> tuple[TableRow, ...]:
    """Return every point in words, group by group."""
    return tuple(
        TableRow(
            name=groups.label(point.group),
            at=tuple(value_text(value) for value in point.at),
            prompt_tokens=_tokens(point.prompt_tokens),
            score=_score(point),
            perplexity=numbers.MISSING if point.perplexity is None else numbers.number(point.perplexity),
            n=f"{point.n} ({point.missing} missing)" if point.missing else str(point.n),
        )
        for point in variation.points
    )


def value_text(value: float) -> str:
    """Write a value of a variable: whole numbers whole."""
    return numbers.count(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"


def _figure(figure_id: str, variation: Variation, groups: Groups, *, title: str) -> LineFigure:
    name, values = variation.variables[0], variation.values()
    is_log = _spans_orders(values)
    x, y = across(PANEL, _ends(values, is_log=is_log), is_log=is_log), upwards(PANEL)
    has_tokens = name == LENGTH and any(variation.prompt_tokens(value) is not None for value in values)
    scale = ", log scale" if is_log else ""
    below = "; below: mean prompt tokens" if has_tokens else ""
    order = variation.groups
    apart = min([DODGE, *((x(b) - x(a)) / 2 / len(order) for a, b in pairwise(values))])
    return LineFigure(
        id=figure_id,
        title=title,
        variable=name,
        x_title=f"{name}{scale}{below}",
        y_title="probability per token" if variation.is_likelihood else "score, mean",
        x_ticks=_ticks(variation, values, x, has_tokens=has_tokens),
        y_ticks=share_ticks(y),
        lines=tuple(
            _line(
                [point for point in variation.points if point.group == group],
                groups.label(group),
                index,
                _Plane(x=x, y=y, shift=apart * (index - (len(order) - 1) / 2)),
            )
            for index, group in enumerate(order)
        ),
        rows=rows(variation, groups),
        is_likelihood=variation.is_likelihood,
        has_tokens=has_tokens,
        scored="probability" if variation.is_likelihood else "score",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plane:
    """Where values lie on paper, the points of one line moved aside a little."""

    x: charts.Scale
    y: charts.Scale
    shift: float

    def dot(self, point: Point, value: float, name: str) -> Dot:
        low, high = point.interval or (value, value)
        return Dot(
            x=self.x(point.at[0]) + self.shift,
            y=self.y(value),
            y_low=self.y(low),
            y_high=self.y(high),
            words=f"{name}, {value_text(point.at[0])}: {_score(point)}",
        )


def _line(points: Sequence[Point], name: str, index: int, plane: _Plane) -> Line:
    dots: list[Dot] = []
    path, joined = "", False
    for point in points:
        if point.value is None:
            joined = False
            continue
        dot = plane.dot(point, point.value, name)
        path += f"{'L' if joined else 'M'}{charts.paper(dot.x)} {charts.paper(dot.y)}"
        dots.append(dot)
        joined = True
    return Line(name=name, colour=index % COLOURS, shape=index % SHAPES, path=path, dots=tuple(dots))


def _spans_orders(values: Sequence[float]) -> bool:
    """Say whether a log axis shows the values better; shares, as the score is one, are even for longer."""
    apart = 4 if values[-1] > 1 else 100
    return values[0] > 0 and values[-1] >= apart * values[0]


def _ends(values: Sequence[float], *, is_log: bool) -> tuple[float, float]:
    """Return the ends of the axis, a little beyond the first and the last value."""
    low, high = values[0], values[-1]
    if is_log:
        room = (high / low) ** 0.06
        return low / room, high * room
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _ticks(
    variation: Variation, values: Sequence[float], x: charts.Scale, *, has_tokens: bool
) -> tuple[Tick, ...]:
    """Return a tick for each value, or round ones when there are many; labels do not touch."""
    if len(values) > MOST_VALUE_TICKS:
        spread = charts.log_ticks if x.kind == "log" else charts.nice_ticks
        inside = [tick for tick in spread(values[0], values[-1]) if x.low <= tick <= x.high]
        return tuple(Tick(at=x(tick), label=value_text(tick)) for tick in inside)
    ticks: list[Tick] = []
    end = float("-inf")
    for value in values:
        label = value_text(value)
        below = _tokens(variation.prompt_tokens(value)) if has_tokens else ""
        half = 3.2 * max(len(label), len(below))
        if x(value) - half < end + LABEL_GAP:
            label = below = ""
        else:
            end = x(value) + half
        ticks.append(Tick(at=x(value), label=label, below=below))
    return tuple(ticks)


def _score(point: Point) -> str:
    score = numbers.score(point.value)
    return score if point.interval is None else f"{score} {numbers.interval(*point.interval)}"


def _tokens(value: float | None) -> str:
    return numbers.MISSING if value is None else numbers.count(round(value))
