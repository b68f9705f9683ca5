"""The gates as Markdown: a section of the report, and of what a workflow shows of its step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gemma_eval.records import Gated, Gating
from gemma_eval.report import numbers
from gemma_eval.report.comparisons import figures
from gemma_eval.report.fitting import Part, fitting
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
from gemma_eval.report.markdown_text import inline, sentence

MOST_BYTES = 24 * 1024
"""The room that the gates have in a report."""

HEAD = ("verdict", "gate", "group", "metric", "base", "candidate", "change", "bounds", "n", "allowed", "tier")
_TOLD, _ROWS, _NOTES = 1 / 8, 1 / 2, 1 / 4
"""The shares of the room: what was compared, the rows of the table, the notes below it."""


def section(gating: Gating | None, *, most_bytes: int = MOST_BYTES, elsewhere: str = "results.json") -> str:
    """Return a section of at most `most_bytes` (16 KiB and more), empty without gates.

    The worst verdicts come first. What does not fit is left out row by row and counted, with where it stands.
    """
    return "" if gating is None else "\n".join(_lines(gating, most_bytes, elsewhere))


def _lines(gating: Gating, most_bytes: int, elsewhere: str) -> Iterator[str]:
    ordered = worst_first(gating.gated)
    yield "## Gates"
    yield ""
    yield f"**{tally(ordered)}**" if ordered else "No gate is about what was run."
    told = _fitted(map(sentence, compared(gating)), most_bytes * _TOLD)
    for each in told.kept:
        yield f"\n{each}"
    yield from _left_out(told, "sentences about what was compared", elsewhere)
    if not ordered:
        return
    yield ""
    yield _row(HEAD)
    yield _row(":--" for _ in HEAD)
    rows = _fitted((_row(_cells(each)) for each in ordered), most_bytes * _ROWS)
    yield from rows.kept
    yield from _left_out(rows, "gates", elsewhere)
    yield ""
    noted = _fitted((_note(each) for each in ordered[: len(rows.kept)]), most_bytes * _NOTES)
    yield from noted.kept
    yield from _left_out(noted, "notes", elsewhere)
    yield "\nWhat they mean, and what to do:\n"
    for verdict in present(ordered):
        yield f"- **{verdict}**: {sentence(WORDS[verdict].sentence)}"


def _cells(gated: Gated) -> Sequence[str]:
    base, candidate, change, bounds, n, verdict = figures(gated.comparison)
    names = (gate_of(gated), group_of(gated), metric_of(gated.gate))
    told = (*names, base, candidate, change, bounds, n, allowed(gated), gated.gate.tier)
    return (f"**{verdict}**", *map(inline, told))


def _note(gated: Gated) -> str:
    name = " · ".join(filter(None, (gate_of(gated), group_of(gated))))
    return f"- {gated.comparison.verdict} {inline(name)}: {sentence('; '.join(notes(gated)))}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fitted(lines: Iterable[str], most_bytes: float) -> Part[str]:
    return fitting(tuple(lines), lambda line: len(line.encode()) + 2, int(most_bytes))


def _left_out(part: Part[str], what: str, elsewhere: str) -> Iterator[str]:
    if part.left_out:
        yield f"\n{numbers.count(part.left_out)} more {what} are in `{elsewhere}`."
