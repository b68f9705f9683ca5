"""What retrievals find and what is made of it, as tables of Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from gemma_eval.records import Report
from gemma_eval.report.fitting import Part, fitting
from gemma_eval.report.groups import Groups
from gemma_eval.report.lines import LineFigure
from gemma_eval.report.markdown_text import line_size, row_size
from gemma_eval.report.retrieval_rows import Table, retrievals

_ROWS, _NOTES = 60 * 1024, 10 * 1024
"""How many bytes the rows of all tables, and the notes, may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalTables:
    """The tables with the rows that fit, and the notes that do."""

    tables: tuple[tuple[Table, Part[tuple[str, ...]]], ...]
    notes: Part[str]


def retrieval_tables(report: Report, groups: Groups) -> RetrievalTables | None:
    """Return the tables of the section, `None` where no retrieval has a name."""
    found = retrievals(report, groups)
    if found is None:
        return None
    tables = (*found.tables, *map(_of_lines, found.lines))
    room = _ROWS // max(len(tables), 1)
    return RetrievalTables(
        tables=tuple((each, fitting(each.rows, row_size, room)) for each in tables),
        notes=fitting(found.notes, line_size, _NOTES),
    )


def _of_lines(figure: LineFigure) -> Table:
    return Table(
        caption=figure.title,
        header=("group", figure.variable, f"{figure.scored} [95 %]", "cases"),
        rows=tuple((row.name, *row.at, row.score, row.n) for row in figure.rows),
    )
