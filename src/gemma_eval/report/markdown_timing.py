"""Benchmarks and loads as tables of Markdown, each row in one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gemma_eval.records import Report
from gemma_eval.report.benchmarks import Benchmarks, alone, benchmarks
from gemma_eval.report.cells import timed_cells
from gemma_eval.report.groups import Groups
from gemma_eval.report.serving_rows import Loads, loads

Cells = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TimingTable:
    """A table under its title, with the sentences below it."""

    title: str
    header: Cells
    rows: tuple[Cells, ...]
    sentences: tuple[str, ...]


def timing_tables(report: Report, groups: Groups) -> tuple[TimingTable, ...]:
    """Return the tables of a report: one of benchmarks, one of loads, where there are any."""
    cells = timed_cells(report, groups)
    return tuple(_tables(benchmarks(alone(cells), groups), loads(cells, groups)))


def _tables(found: Benchmarks | None, under_load: Loads | None) -> Iterator[TimingTable]:
    if found is not None:
        rows = ((case.name, row) for case in found.cases for row in case.rows)
        left_out = (f"{found.left_out} more rows are in results.json.",) if found.left_out else ()
        yield TimingTable(
            title="Benchmarks",
            header=("case", "group", *found.columns, "n"),
            rows=tuple((name, row.label, *(each.line for each in row.figures), row.n) for name, row in rows),
            sentences=(*left_out, *found.notes, *found.lacks),
        )
    if under_load is not None:
        yield TimingTable(
            title="Under load",
            header=("case", "group", "load", *under_load.columns),
            rows=tuple(
                (row.case, row.label, row.load, *(each.line for each in row.figures))
                for row in under_load.rows
            ),
            sentences=(*under_load.warnings, *under_load.notes, *under_load.lacks),
        )
