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

    def outside(self, frame: Box) -> float:
        """Return the area that does not lie in `frame`."""
        return self.width * self.height - self.overlap(frame)


def nice_ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) from at or below `low` to at or above `high`.

    The number of ticks is near `about`. Source: Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990.
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


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values by linear interpolation (type 7). Raises ValueError when empty.

    Source: Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician, 1996.
    """
    if not ordered:
        raise ValueError("no quantile of nothing")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


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
    """Return the SVG path of a curve that is 0 before its first point and jumps up at each."""
    if not points:
        return ""
    moves = [f"M{paper(x.start)} {paper(y(0))}"]
    for value, share in points:
        moves.append(f"H{paper(x(value))}V{paper(y(share))}")
    return "".join(moves) + f"H{paper(x.stop)}"


def rug_path(places: Sequence[float], *, height: float) -> str:
    """Return the SVG path of upright strokes at the given places, one per whole unit of the paper."""
    whole = sorted({round(place) for place in places})
    return "".join(f"M{place} 0v{paper(height)}" for place in whole)


def place_labels(points: Sequence[Point], widths: Sequence[float], *, height: float, frame: Box) -> tuple[Box, ...]:
    """Return a box for the label of each point, as near as may be without covering points or other labels.

    Labels are placed one after the other; each takes the first of the places around its point that
    covers least.
    """
    taken = [Box(left=x - 6, top=y - 6, width=12, height=12) for x, y in points]
    boxes: list[Box] = []
    for point, width in zip(points, widths, strict=True):
        places = _places_around(point, width, height)
        best = min(places, key=lambda box: sum(map(box.overlap, taken)) + 4 * box.outside(frame))
        taken.append(best)
        boxes.append(best)
    return tuple(boxes)


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


def _places_around(point: Point, width: float, height: float) -> tuple[Box, ...]:
    """Return boxes to the right, left, above and below of a point, near ones first."""
    x, y = point
    places = []
    for gap in (9, 20, 34, 50):
        right, left, middle = x + gap, x - gap - width, x - width / 2
        level, above, below = y - height / 2, y - gap - height, y + gap
        corners = ((right, level), (left, level), (middle, above), (middle, below))
        diagonals = ((right - 4, above + 4), (right - 4, below - 4), (left + 4, above + 4), (left + 4, below - 4))
        places += [Box(left=a, top=b, width=width, height=height) for a, b in (*corners, *diagonals)]
    return tuple(places)
