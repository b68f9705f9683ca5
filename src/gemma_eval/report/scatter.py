"""Quality against speed: every group as a point with its intervals, and a label that covers nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma_eval.records import Group
from gemma_eval.report import charts, numbers
from gemma_eval.report.axes import Tick, across, share_ticks, upwards
from gemma_eval.report.groups import Groups, Measured, way_of
from gemma_eval.report.pareto import front

SHAPES = 6
"""How many marker shapes the templates of the page can draw."""
COLOURS = 8
MOST_NAMED_POINTS = 16
LOG_FROM = 8
LONGEST_LABEL = 40
"""Beyond these, points carry the numbers of their rows in the summary instead of names."""
PLANE = charts.Box(left=56, top=20, width=926, height=346)


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A group with its speed, or its latency, and its score; what is no choice is on no front."""

    speed: Measured
    score: Measured
    is_choice: bool = True

    @property
    def group(self) -> Group:
        """The group that both are of."""
        return self.score.group


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What stands across: its words, how a value is written, and whether it is a latency.

    Of latencies less is better, and those that span orders stand on a logarithmic axis.
    """

    id: str
    title: str
    x_title: str
    write: Callable[[float], str]
    is_latency: bool = False


_SPEED = Look(
    id="scatter",
    title="Score against output tokens per second",
    x_title="output tokens per second, median",
    write=lambda value: f"{numbers.number(value)} tokens/s",
)


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
    """Quality against speed; `front` is the path of the edge beyond which no group lies."""

    id: str
    title: str
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    colours: tuple[Key, ...]
    shapes: tuple[Key, ...]
    numbered: bool
    front: str
    width: float = 1000
    height: float = 420
    frame: charts.Box = PLANE


def scatter(groups: Groups) -> Scatter | None:
    """Return score against output tokens per second, `None` when fewer than two groups have both."""
    speeds = {each.group: each for each in groups.measured("output_tokens_per_s")}
    points = [
        Point(speed=speeds[score.group], score=score)
        for score in groups.measured("score")
        if score.group in speeds
    ]
    return figure(groups, points, _SPEED)


def figure(groups: Groups, points: Sequence[Point], look: Look) -> Scatter | None:
    """Return score against what stands across, `None` of fewer than two points."""
    if len(points) < 2:
        return None
    labels = [groups.label(point.group) for point in points]
    numbered = len(points) > MOST_NAMED_POINTS or max(map(len, labels)) > LONGEST_LABEL
    is_log = look.is_latency and _spans_orders(points)
    ticks = _log_ticks(points) if is_log else _speed_ticks(points)
    x, y = across(PLANE, ticks, is_log=is_log), upwards(PLANE)
    if numbered:
        labels = [str(groups.order.index(point.group) + 1) for point in points]
    boxes = charts.place_labels(
        [(x(point.speed.value), y(point.score.value)) for point in points],
        [6.4 * len(label) for label in labels],
        height=14,
        frame=PLANE,
        obstacles=[box for point in points for box in _cross(point, x, y)],
    )
    marks = tuple(
        _mark(groups, point, (label, box), look, x=x, y=y)
        for point, label, box in zip(points, labels, boxes, strict=True)
    )
    return Scatter(
        id=look.id,
        title=look.title,
        x_title=f"{look.x_title}{', log scale' if is_log else ''}",
        x_ticks=tuple(Tick(at=x(tick), label=f"{tick:g}") for tick in ticks),
        y_ticks=share_ticks(y),
        marks=marks,
        colours=tuple(Key(name=name, index=index % COLOURS) for index, name in enumerate(groups.profiles)),
        shapes=tuple(
            Key(name=groups.way_name(way), index=index % SHAPES)
            for index, way in enumerate(groups.ways)
            if not look.is_latency or way in {way_of(point.group) for point in points}
        ),
        numbered=numbered,
        front=_front(points, look, x=x, y=y),
    )


def _front(points: Sequence[Point], look: Look, *, x: charts.Scale, y: charts.Scale) -> str:
    """Return the path of steps along the best: where more is better, from the best score to the best speed.

    Where less is better it goes from the lowest latency up to the best score.
    """
    values = [(point.speed.value, point.score.value) for point in points if point.is_choice]
    if not values:
        return ""
    signed = [(-speed if look.is_latency else speed, score) for speed, score in values]
    edge = sorted(value for value, is_on in zip(values, front(signed), strict=True) if is_on)
    bottom, right = PLANE.top + PLANE.height, PLANE.left + PLANE.width
    if look.is_latency:
        steps = "".join(f"H{charts.paper(x(latency))}V{charts.paper(y(score))}" for latency, score in edge)
        return f"M{charts.paper(x(edge[0][0]))} {charts.paper(bottom)}{steps}H{charts.paper(right)}"
    steps = "".join(f"V{charts.paper(y(score))}H{charts.paper(x(speed))}" for speed, score in edge)
    start = f"M{charts.paper(PLANE.left)} {charts.paper(y(edge[0][1]))}"
    return f"{start}{steps}V{charts.paper(bottom)}"


def _spans_orders(points: Sequence[Point]) -> bool:
    values = [point.speed.value for point in points]
    return min(values) > 0 and max(values) > LOG_FROM * min(values)


def _log_ticks(points: Sequence[Point]) -> tuple[float, ...]:
    """Return ticks that span the values; an interval may go beyond them only where it is not on paper."""
    ends = [end for point in points for end in (point.speed.value, *point.speed.ends) if end > 0]
    return charts.log_ticks(min(ends) / 1.2, max(ends) * 1.2)


def _speed_ticks(points: Sequence[Point]) -> tuple[float, ...]:
    """Return ticks that span a fifth of the speed at least, lest noise look like much."""
    ends = [end for point in points for end in point.speed.ends]
    span = max(ends) - min(ends)
    room = max(0.04 * span, (0.2 * max(ends) - span) / 2)
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
    named: tuple[str, charts.Box],
    look: Look,
    *,
    x: charts.Scale,
    y: charts.Scale,
) -> Mark:
    group, (label, box) = point.group, named
    speed, score = look.write(point.speed.value), numbers.score(point.score.value)
    return Mark(
        label=label,
        x=x(point.speed.value),
        y=y(point.score.value),
        x_low=x(point.speed.ends[0]),
        x_high=x(point.speed.ends[1]),
        y_low=y(point.score.ends[0]),
        y_high=y(point.score.ends[1]),
        colour=groups.profiles.index(group.profile) % COLOURS,
        shape=groups.ways.index(way_of(group)) % SHAPES,
        label_x=box.left,
        label_y=box.top + 11,
        leader=charts.leader_path((x(point.speed.value), y(point.score.value)), box),
        words=f"{groups.label(group)}: score {score}, {speed}",
    )
