"""The gates on a terminal of 80 columns: what was compared, a row for each gate, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from gemma_eval.records import Gated, Gating, Verdict
from gemma_eval.report.columns import columns
from gemma_eval.report.comparisons import HEAD, WIDTH, figures, wrapped
from gemma_eval.report.gates.words import (
    WORDS,
    compared,
    gate_of,
    group_of,
    metric_of,
    notes,
    present,
    tally,
    worst_first,
)

Line = tuple[str, Verdict | None]
"""A line of text, and the verdict that it tells of; `None` where it tells of none."""

MOST_ROWS = 40
"""A longer table is cut; the report has them all."""

_INDENT = "  "

# What GitHub's runner would take for a command: two colons where a line begins, and the older form anywhere.
_COMMAND = re.compile(r"^(\s*)::|##(?=\[)")


def lines(gating: Gating) -> Iterator[Line]:
    """Write the gates of a run, the worst verdicts first, in lines of at most 80 columns.

    No name in them is a command to the runner of a workflow.
    """
    for text, verdict in _lines(gating):
        yield _COMMAND.sub(lambda found: "# " if found[1] is None else f"{found[1]}∷", text), verdict


def _lines(gating: Gating) -> Iterator[Line]:
    for sentence in compared(gating):
        yield from _plain(wrap(sentence, WIDTH))
    ordered = worst_first(gating.gated)
    if not ordered:
        yield "No gate is about what was run.", None
        return
    yield "", None
    yield from _table(ordered[:MOST_ROWS])
    if left_out := ordered[MOST_ROWS:]:
        yield from _plain(wrap(f"and {tally(left_out)} more in the report", WIDTH))
    yield "", None
    for verdict in present(ordered):
        for line in wrap(f"{verdict}: {WORDS[verdict].sentence}", WIDTH, subsequent_indent=_INDENT):
            yield line, verdict
    yield from _plain(wrap(f"Gates: {tally(ordered)}", WIDTH))


def _table(shown: Sequence[Gated]) -> Iterator[Line]:
    """Write names and figures side by side, or below each other where that is too wide."""
    names = [("gate", "group"), *((gate_of(each), group_of(each)) for each in shown)]
    cells = [HEAD, *(figures(each.comparison) for each in shown)]
    whole = list(columns([(*name, *cell) for name, cell in zip(names, cells, strict=True)]))
    if max(map(len, whole)) <= WIDTH:
        yield from _rows(shown, whole)
        return
    below = [f"{_INDENT}{line}" for line in columns(cells)]
    if max(map(len, below)) <= WIDTH:
        yield from _rows(shown, below, named=True)
        return
    for each in shown:
        yield from _name(each)
        for line in wrapped(", ".join(map(" ".join, zip(HEAD, figures(each.comparison), strict=True)))):
            yield line, each.comparison.verdict
        yield from _plain(_noted(each))


def _rows(shown: Sequence[Gated], rows: Sequence[str], *, named: bool = False) -> Iterator[Line]:
    yield rows[0], None
    for each, row in zip(shown, rows[1:], strict=True):
        if named:
            yield from _name(each)
        yield row, each.comparison.verdict
        yield from _plain(_noted(each))


def _name(each: Gated) -> Iterator[Line]:
    yield from _plain(wrap(" · ".join(filter(None, (gate_of(each), group_of(each)))), WIDTH))


def _noted(each: Gated) -> Iterator[str]:
    metric = metric_of(each.gate)
    named = () if metric == gate_of(each) else (metric,)
    yield from wrapped("; ".join((*named, each.gate.tier, *notes(each))))


def _plain(texts: Sequence[str] | Iterator[str]) -> Iterator[Line]:
    for text in texts:
        yield text, None
