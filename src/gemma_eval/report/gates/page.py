"""The gates on the page: a row for each with a picture of its interval, and what to do about each verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gemma_eval.records import Gated, Gating, Tier, Verdict
from gemma_eval.report.charts import Scale
from gemma_eval.report.comparisons import figures
from gemma_eval.report.gates.words import (
    WORDS,
    allowed,
    compared,
    gate_of,
    group_of,
    metric_of,
    notes,
    present,
    tally,
    worst_first,
)

MOST_ROWS = 500
"""A longer table is cut; every gate is in results.json."""

WIDTH, EDGE = 150.0, 8.0
"""The paper of a picture: its width, and the room at its edges for what goes on beyond them."""
_LEFT, _RIGHT = -1.5, 2.5
"""What the paper shows, in margins: 0 is no change, 1 is what is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IntervalMark:
    """An interval on paper, better to the left: the allowed change is a line that all rows share.

    `at` is the difference, `None` where there is none. `is_cut_left` and `is_cut_right` tell where the
    interval goes on beyond the paper. `zero` is where no change stands, `None` for a gate that has a limit.
    """

    at: float | None
    low: float
    high: float
    is_cut_left: bool
    is_cut_right: bool
    zero: float | None
    margin: float
    width: float = WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class GateRow:
    """A gate in words, with a picture where it has bounds."""

    verdict: Verdict
    tier: Tier
    gate: str
    group: str
    metric: str
    base: str
    candidate: str
    change: str
    bounds: str
    n: str
    allowed: str
    mark: IntervalMark | None
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSection:
    """All gates of a run, the worst first, and what each verdict among them means."""

    tally: str
    compared: tuple[str, ...]
    rows: tuple[GateRow, ...]
    left_out: int
    words: Mapping[Verdict, str]


def gate_section(gating: Gating | None) -> GateSection | None:
    """Arrange the gates of a run for the page; `None` without any."""
    if gating is None:
        return None
    ordered = worst_first(gating.gated)
    return GateSection(
        tally=tally(ordered),
        compared=tuple(compared(gating)),
        rows=tuple(map(_row, ordered[:MOST_ROWS])),
        left_out=max(len(ordered) - MOST_ROWS, 0),
        words={verdict: WORDS[verdict].sentence for verdict in present(ordered)},
    )


def interval_mark(gated: Gated) -> IntervalMark | None:
    """Place the bounds of a difference beside what is allowed; `None` without bounds.

    One margin is as long in every picture, so that a bar which crosses the line is seen at once. Against a
    limit, where the margin is 0, the longer side of the interval is as long as that.
    """
    each = gated.comparison
    ends = [end for end in (each.low, each.high) if end is not None]
    if not ends:
        return None
    is_limit = each.margin <= 0
    unit = each.margin if not is_limit else max(abs(end - each.margin) for end in ends) or 1.0
    across = Scale(low=_LEFT, high=_RIGHT, start=EDGE, stop=WIDTH - EDGE)
    low, at, high = (_share(end, each.margin, unit) for end in (each.low, each.difference, each.high))
    return IntervalMark(
        at=None if at is None else across(at),
        low=across(_LEFT if low is None else low),
        high=across(_RIGHT if high is None else high),
        is_cut_left=low is None or low < _LEFT,
        is_cut_right=high is None or high > _RIGHT,
        zero=None if is_limit else across(0.0),
        margin=across(1.0),
    )


def _share(value: float | None, margin: float, unit: float) -> float | None:
    """Return a difference in margins: 0 is no change, 1 is what is allowed."""
    return None if value is None else 1.0 + (value - margin) / unit


def _row(gated: Gated) -> GateRow:
    base, candidate, change, bounds, n, _ = figures(gated.comparison)
    return GateRow(
        verdict=gated.comparison.verdict,
        tier=gated.gate.tier,
        gate=gate_of(gated),
        group=group_of(gated),
        metric=metric_of(gated.gate),
        base=base,
        candidate=candidate,
        change=change,
        bounds=bounds,
        n=n,
        allowed=allowed(gated),
        mark=interval_mark(gated),
        notes=notes(gated),
    )
