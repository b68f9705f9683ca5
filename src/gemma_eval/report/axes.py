"""The axes of the figures: where values and their ticks stand on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.report import charts


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark on an axis, with a second line `below` its label where there is more to say."""

    at: float
    label: str
    below: str = ""


def across(frame: charts.Box, ticks: Sequence[float], *, is_log: bool = False) -> charts.Scale:
    """Return the scale of an x axis from its first to its last tick."""
    return charts.Scale(
        low=ticks[0],
        high=ticks[-1],
        start=frame.left,
        stop=frame.left + frame.width,
        kind="log" if is_log else "linear",
    )


def upwards(frame: charts.Box) -> charts.Scale:
    """Return the scale of a y axis from 0 to 1."""
    return charts.Scale(low=0.0, high=1.0, start=frame.top + frame.height, stop=frame.top)


def share_ticks(y: charts.Scale) -> tuple[Tick, ...]:
    """Return the ticks of a y axis from 0 to 1."""
    return tuple(Tick(at=y(share), label=f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1))
