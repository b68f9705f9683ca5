"""The geometry of charts: scales, ticks, curves and label places, as pure functions of numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Maps `low..high` of the data to `start..stop` on the paper; values outside stop at the edge."""

    low: float
    high: float
    start: float
    stop: float
    kind: Literal["linear", "log"] = "linear"

    def __call__(self, value: float) -> float:
        """Return the place of `value`; a log scale puts 0 at its lower edge."""
        inside = min(max(value, self.low), self.high)
        span = self._bent(self.high) - self._bent(self.low)
        share = (self._bent(inside) - self._bent(self.low)) / span if span else 0.5
        return self.start + share * (self.stop - self.start)

    def _bent(self, value: float) -> float:
        return math.log10(value) if self.kind == "log" else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A rectangle on the paper, x to the right and y downwards."""

    left: float
    top: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Return the area that both cover."""
        wide = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        high = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def distance(self, point: Point) -> float:
        """Return how far a point is from the box, 0 inside."""
        across = max(self.left - point[0], 0.0, point[0] - self.left - self.width)
        upwards = max(self.top - point[1], 0.0, point[1] - self.top - self.height)
        return math.hypot(across, upwards)

    def outside(self, frame: Box) -> float:
        """Return the area that does not lie in `frame`."""
        return self.width * self.height - self.overlap(frame)


def nice_ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """Return round numbers, 1, 2 or 5 times a power of ten apart, that span `low..high`: near `about`.

    Source: Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990.
    """
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1.0), low + 0.5 * (abs(low) or 1.0)
    step = _nice_step((high - low) / max(about - 1, 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 12) for index in range(first, last + 1))


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return 1, 2 and 5 times powers of ten that span `low..high`; powers alone when they are many.

    Raises ValueError unless 0 < low <= high.
    """
    if not 0 < low <= high:
        raise ValueError(f"a log axis needs 0 < low <= high, not {low}..{high}")
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    every = [round(digit * 10.0**decade, 12) for decade in decades for digit in (1, 2, 5)]
    ticks = _spanning(every, low, high)
    return ticks if len(ticks) <= 9 else _spanning([10.0**decade for decade in decades], low, high)


def ecdf(values: Sequence[float], *, most: int = 200) -> tuple[Point, ...]:
    """Return the steps (x, share of the values <= x) of the empirical distribution, one per distinct value.

    More than `most` steps are thinned to evenly spaced ranks, the first and the last kept; each kept step
    lies on the true curve.
    """
    ordered = sorted(values)
    if not ordered:
        return ()
    distinct = sorted(set(ordered))
    if len(distinct) > most:
        ranks = (round(index * (len(ordered) - 1) / (most - 1)) for index in range(most))
        distinct = sorted({ordered[rank] for rank in ranks})
    return tuple((value, bisect_right(ordered, value) / len(ordered)) for value in distinct)


def step_path(points: Sequence[Point], *, x: Scale, y: Scale) -> str:
    """Return the SVG path of a curve that rises from 0 at its first point and jumps up at each."""
    if not points:
        return ""
    start = f"M{paper(x(points[0][0]))} {paper(y(0))}"
    return start + "".join(f"H{paper(x(value))}V{paper(y(share))}" for value, share in points)


def rug_path(places: Sequence[float], *, height: float) -> str:
    """Return the SVG path of upright strokes at the given places, one per whole unit of the paper."""
    whole = sorted({round(place) for place in places})
    return "".join(f"M{place} 0v{paper(height)}" for place in whole)


def place_labels(
    points: Sequence[Point],
    widths: Sequence[float],
    *,
    height: float,
    frame: Box,
    obstacles: Sequence[Box] = (),
) -> tuple[Box, ...]:
    """Return a box for the label of each point, as near as may be without covering what is drawn.

    Labels are placed one after the other; each takes the first of the places around its point that costs
    least: area covered of points, obstacles and labels before it, and a fee for standing nearer to another
    point than to its own.
    """
    taken = [Box(left=x - 7, top=y - 7, width=14, height=14) for x, y in points] + list(obstacles)
    boxes: list[Box] = []
    for point, width in zip(points, widths, strict=True):
        places = _places_around(point, width, height)
        costs = [
            sum(map(box.overlap, taken)) + 4 * box.outside(frame) + _ambiguity(box, point, points)
            for box in places
        ]
        best = places[costs.index(min(costs))]
        taken.append(best)
        boxes.append(best)
    return tuple(boxes)


def leader_path(point: Point, box: Box, *, reach: float = 11) -> str:
    """Return the SVG path from a point to its label, empty when the label stands within `reach` of it."""
    if box.distance(point) <= reach:
        return ""
    x = min(max(point[0], box.left), box.left + box.width)
    y = box.top if point[1] < box.top else min(point[1], box.top + box.height)
    return f"M{paper(point[0])} {paper(point[1])}L{paper(x)} {paper(y)}"


def paper(value: float) -> str:
    """Write a coordinate: one decimal, no trailing zero, no minus zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _nice_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(digit * power for digit in (1, 2, 5, 10) if raw <= digit * power * (1 + 1e-9))


def _spanning(ticks: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Keep the ticks from the last at or below `low` to the first at or above `high`."""
    first = max(tick for tick in ticks if tick <= low * (1 + 1e-9))
    last = min(tick for tick in ticks if tick >= high * (1 - 1e-9))
    return tuple(tick for tick in ticks if first <= tick <= last)


def _ambiguity(box: Box, own: Point, points: Sequence[Point]) -> float:
    """Return 40 for a label that stands nearer to another point than to its own, else its distance."""
    distance = box.distance(own)
    nearer = any(box.distance(other) < distance for other in points if other != own)
    return distance / 2 + (40 if nearer else 0)


def _places_around(point: Point, width: float, height: float) -> tuple[Box, ...]:
    """Return boxes at the corners and sides of a point, near ones first."""
    x, y = point
    places = []
    for gap in (6, 12, 20, 32, 46):
        right, left, middle = x + gap, x - gap - width, x - width / 2
        level, above, below = y - height / 2, y - gap - height, y + gap
        corners = ((right, above), (right, below), (left, above), (left, below))
        sides = ((right + 4, level), (left - 4, level), (middle, above - 4), (middle, below + 4))
        places += [Box(left=a, top=b, width=width, height=height) for a, b in (*corners, *sides)]
    return tuple(places)
