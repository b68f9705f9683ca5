"""The figures of a report, as places on paper and words: distributions of latency, and quality against speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Generation, Group, Outcome, Report
from gemma_eval.report import charts, numbers
from gemma_eval.report.groups import Groups, Measured, timed
from gemma_eval.stats.percentiles import Percent, percentile

SHAPES = 6
"""How many marker shapes the templates of the page can draw."""
COLOURS = 8
MOST_NAMED_POINTS = 16
PERCENTS: tuple[Percent, ...] = (50, 90, 95, 99)
PANEL = charts.Box(left=56, top=12, width=434, height=188)
PLANE = charts.Box(left=56, top=20, width=926, height=346)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One distribution: its name, its colour, its path, and its figures as words."""

    name: str
    colour: int
    path: str
    n: int
    percentiles: tuple[str, ...]
    largest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """Cumulative curves over one axis of time."""

    id: str
    title: str
    unit: str
    kind: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    width: float = 500
    height: float = 250
    frame: charts.Box = PANEL


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A group with its speed and its score."""

    speed: Measured
    score: Measured

    @property
    def group(self) -> Group:
        """The group that both are of."""
        return self.score.group


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A group as a point with its intervals as a cross, and where its label stands."""

    label: str
    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    colour: int
    shape: int
    label_x: float
    label_y: float
    leader: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """An entry of a legend: what a colour or a shape stands for."""

    name: str
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scatter:
    """Quality against speed."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    colours: tuple[Key, ...]
    shapes: tuple[Key, ...]
    numbered: bool
    width: float = 1000
    height: float = 420
    frame: charts.Box = PLANE


def distributions(report: Report, groups: Groups) -> tuple[Distribution, ...]:
    """Return, for each model, the times to first token by template and the times per token by profile."""
    members = timed(report)
    drawn: list[Distribution | None] = []
    for index, model in enumerate(groups.models):
        suffix = f", {model}" if len(groups.models) > 1 else ""
        by_template = _pooled(members, model, groups.templates, lambda group: group.template, _ttfts_s)
        by_profile = _pooled(members, model, groups.profiles, lambda group: group.profile, _gaps_s)
        drawn.append(_distribution(f"ttft-{index}", f"Time to first token by template{suffix}", by_template))
        drawn.append(_distribution(f"gaps-{index}", f"Time per later token by profile{suffix}", by_profile))
    return tuple(figure for figure in drawn if figure is not None)


def token_gaps_s(generation: Generation) -> tuple[float, ...]:
    """Return the time of each token after the first delta, in seconds.

    A delta of k tokens is k equal gaps; one that does not know its tokens counts as one.
    """
    gaps: list[float] = []
    for before, after in zip(generation.deltas, generation.deltas[1:], strict=False):
        tokens = 1 if after.n_tokens is None else after.n_tokens
        gaps += [(after.at_ns - before.at_ns) / 1e9 / tokens] * tokens if tokens else []
    return tuple(gaps)


def scatter(groups: Groups) -> Scatter | None:
    """Return score against output tokens per second, `None` when fewer than two groups have both."""
    speeds = {each.group: each for each in groups.measured("output_tokens_per_s")}
    points = [
        Point(speed=speeds[score.group], score=score)
        for score in groups.measured("score")
        if score.group in speeds
    ]
    if len(points) < 2:
        return None
    numbered = len(points) > MOST_NAMED_POINTS
    ticks = _speed_ticks(points)
    x, y = _across(PLANE, ticks), _upwards(PLANE)
    names = [
        str(groups.order.index(point.group) + 1) if numbered else groups.label(point.group) for point in points
    ]
    boxes = charts.place_labels(
        [(x(point.speed.value), y(point.score.value)) for point in points],
        [6.4 * len(name) for name in names],
        height=14,
        frame=PLANE,
        obstacles=[box for point in points for box in _cross(point, x, y)],
    )
    marks = tuple(
        _mark(groups, point, name, box, x, y) for point, name, box in zip(points, names, boxes, strict=True)
    )
    return Scatter(
        x_ticks=tuple(Tick(at=x(tick), label=f"{tick:g}") for tick in ticks),
        y_ticks=_share_ticks(y),
        marks=marks,
        colours=tuple(Key(name=name, index=index % COLOURS) for index, name in enumerate(groups.profiles)),
        shapes=tuple(Key(name=name, index=index % SHAPES) for index, name in enumerate(groups.templates)),
        numbered=numbered,
    )


def _speed_ticks(points: Sequence[Point]) -> tuple[float, ...]:
    ends = [end for point in points for end in point.speed.ends]
    room = 0.04 * (max(ends) - min(ends))
    return charts.nice_ticks(max(min(ends) - room, 0.0), max(ends) + room, about=8)


def _cross(point: Point, x: charts.Scale, y: charts.Scale) -> tuple[charts.Box, charts.Box]:
    """Return the two strokes of a point's intervals as thin boxes."""
    left, right = map(x, point.speed.ends)
    bottom, top = map(y, point.score.ends)
    across = charts.Box(left=left, top=y(point.score.value) - 1, width=right - left, height=2)
    upwards = charts.Box(left=x(point.speed.value) - 1, top=top, width=2, height=bottom - top)
    return across, upwards


def _mark(
    groups: Groups,
    point: Point,
    name: str,
    box: charts.Box,
    x: charts.Scale,
    y: charts.Scale,
) -> Mark:
    group = point.group
    speed, score = numbers.number(point.speed.value), numbers.score(point.score.value)
    return Mark(
        label=name,
        x=x(point.speed.value),
        y=y(point.score.value),
        x_low=x(point.speed.ends[0]),
        x_high=x(point.speed.ends[1]),
        y_low=y(point.score.ends[0]),
        y_high=y(point.score.ends[1]),
        colour=groups.profiles.index(group.profile) % COLOURS,
        shape=groups.templates.index(group.template) % SHAPES,
        label_x=box.left,
        label_y=box.top + 11,
        leader=charts.leader_path((x(point.speed.value), y(point.score.value)), box),
        words=f"{groups.label(group)}: score {score}, {speed} tokens/s",
    )


def _pooled(
    members: Mapping[Group, Sequence[Outcome]],
    model: str,
    names: Sequence[str],
    name_of: Callable[[Group], str],
    read: Callable[[Outcome], Sequence[float]],
) -> dict[str, list[float]]:
    """Pool what `read` finds in the outcomes of one model under the name of each outcome's group."""
    pooled: dict[str, list[float]] = {name: [] for name in names}
    for group, outcomes in members.items():
        if group.model == model and name_of(group) in pooled:
            pooled[name_of(group)] += [value for outcome in outcomes for value in read(outcome)]
    return pooled


def _ttfts_s(outcome: Outcome) -> tuple[float, ...]:
    measurement = outcome.measurement
    return () if measurement is None or measurement.ttft_s is None else (measurement.ttft_s,)


def _gaps_s(outcome: Outcome) -> tuple[float, ...]:
    return () if outcome.generation is None else token_gaps_s(outcome.generation)


def _distribution(figure_id: str, title: str, pooled: Mapping[str, Sequence[float]]) -> Distribution | None:
    values = [value for values in pooled.values() for value in values]
    if not values:
        return None
    unit, per_s = ("s", 1.0) if max(values) >= 2 else ("ms", 1e3)
    is_log = 0 < 8 * min(filter(None, values), default=0.0) < max(values)
    ticks = _time_ticks([value * per_s for value in values if value > 0 or not is_log], is_log=is_log)
    x = _across(PANEL, [tick / per_s for tick in ticks], is_log=is_log)
    y = _upwards(PANEL)
    return Distribution(
        id=figure_id,
        title=title,
        unit=unit,
        kind="log" if is_log else "linear",
        x_ticks=tuple(Tick(at=x(tick / per_s), label=f"{tick:g}") for tick in ticks),
        y_ticks=_share_ticks(y),
        curves=tuple(
            _curve(name, index, values_s, charts.step_path(charts.ecdf(values_s), x=x, y=y))
            for index, (name, values_s) in enumerate(pooled.items())
            if values_s
        ),
    )


def _time_ticks(values: Sequence[float], *, is_log: bool) -> tuple[float, ...]:
    if is_log:
        return charts.log_ticks(min(values), max(values))
    return charts.nice_ticks(min(values), max(values), about=6)


def _curve(name: str, index: int, values_s: Sequence[float], path: str) -> Curve:
    return Curve(
        name=name,
        colour=index % COLOURS,
        path=path,
        n=len(values_s),
        percentiles=tuple(numbers.seconds(percentile(values_s, percent)) for percent in PERCENTS),
        largest=numbers.seconds(max(values_s)),
    )


def _across(frame: charts.Box, ticks: Sequence[float], *, is_log: bool = False) -> charts.Scale:
    return charts.Scale(
        low=ticks[0],
        high=ticks[-1],
        start=frame.left,
        stop=frame.left + frame.width,
        kind="log" if is_log else "linear",
    )


def _upwards(frame: charts.Box) -> charts.Scale:
    return charts.Scale(low=0.0, high=1.0, start=frame.top + frame.height, stop=frame.top)


def _share_ticks(y: charts.Scale) -> tuple[Tick, ...]:
    return tuple(Tick(at=y(share), label=f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1))
