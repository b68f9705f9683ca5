"""The figures of a report, as places on paper and words: distributions of latency, and quality against speed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Generation, Group, Outcome, Report
from gemma_eval.report import charts, numbers
from gemma_eval.report.groups import Groups, Interval, timed

SHAPES = 6
"""How many marker shapes the templates of the page can draw."""
COLOURS = 8
MOST_NAMED_POINTS = 16
SHARES = (0.5, 0.9, 0.95, 0.99)
PANEL = charts.Box(left=44, top=12, width=440, height=188)
PLANE = charts.Box(left=48, top=14, width=934, height=352)


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
    quantiles: tuple[str, ...]
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
class Mark:
    """A group as a point with its intervals as a cross, and where its label stands."""

    label: str
    number: int
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
    speeds = {group: (value, interval) for group, value, interval in groups.measured("output_tokens_per_s")}
    points = [
        (group, *speeds[group], score, interval)
        for group, score, interval in groups.measured("score")
        if group in speeds
    ]
    if len(points) < 2:
        return None
    numbered = len(points) > MOST_NAMED_POINTS
    ends = [end for _, value, interval, _, _ in points for end in (value, *(interval or ()))]
    room = 0.04 * (max(ends) - min(ends))
    ticks = charts.nice_ticks(max(min(ends) - room, 0.0), max(ends) + room, about=8)
    x = _across(PLANE, ticks)
    y = _upwards(PLANE)
    names = [str(groups.order.index(group) + 1) if numbered else groups.label(group) for group, *_ in points]
    boxes = charts.place_labels(
        [(x(speed), y(score)) for _, speed, _, score, _ in points],
        [6.2 * len(name) for name in names],
        height=14,
        frame=PLANE,
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


def _mark(
    groups: Groups,
    point: tuple[Group, float, Interval | None, float, Interval | None],
    name: str,
    box: charts.Box,
    x: charts.Scale,
    y: charts.Scale,
) -> Mark:
    group, speed, speed_interval, score, score_interval = point
    x_low, x_high = speed_interval or (speed, speed)
    y_low, y_high = score_interval or (score, score)
    return Mark(
        label=name,
        number=groups.order.index(group) + 1,
        x=x(speed),
        y=y(score),
        x_low=x(x_low),
        x_high=x(x_high),
        y_low=y(y_low),
        y_high=y(y_high),
        colour=groups.profiles.index(group.profile) % COLOURS,
        shape=groups.templates.index(group.template) % SHAPES,
        label_x=box.left,
        label_y=box.top + 11,
        words=f"{groups.label(group)}: score {numbers.score(score)}, {numbers.number(speed)} tokens/s",
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
    unit, factor = ("s", 1.0) if max(values) >= 2 else ("ms", 1e3)
    positive = [value * factor for value in values if value > 0]
    is_log = bool(positive) and max(positive) > 8 * min(positive)
    if is_log:
        ticks = charts.log_ticks(min(positive), max(positive))
    else:
        ticks = charts.nice_ticks(min(values) * factor, max(values) * factor, about=6)
    x = _across(PANEL, ticks, is_log=is_log)
    y = _upwards(PANEL)
    return Distribution(
        id=figure_id,
        title=title,
        unit=unit,
        kind="log" if is_log else "linear",
        x_ticks=tuple(Tick(at=x(tick), label=f"{tick:g}") for tick in ticks),
        y_ticks=_share_ticks(y),
        curves=tuple(
            _curve(name, index, [value * factor for value in pooled[name]], factor, x, y)
            for index, name in enumerate(pooled)
            if pooled[name]
        ),
    )


def _curve(
    name: str, index: int, values: Sequence[float], factor: float, x: charts.Scale, y: charts.Scale
) -> Curve:
    ordered = sorted(values)
    return Curve(
        name=name,
        colour=index % COLOURS,
        path=charts.step_path(charts.ecdf(ordered), x=x, y=y),
        n=len(ordered),
        quantiles=tuple(_quantile(ordered, share, factor) for share in SHARES),
        largest=numbers.seconds(ordered[-1] / factor),
    )


def _quantile(ordered: Sequence[float], share: float, factor: float) -> str:
    """Write a quantile, or a dash where no value lies beyond it."""
    enough = len(ordered) * (1 - share) >= 1 - 1e-9
    return numbers.seconds(charts.quantile(ordered, share) / factor if enough else None)


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
