"""A run as CSV: `outcomes.csv` and `scores.csv`."""

from __future__ import annotations

import csv
import io

from gemma_eval.records import Report
from gemma_eval.report.exports.files import ExportedFile, text_file
from gemma_eval.report.exports.rows import Table, Value, tables

_READ_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a text of an answer may begin with that a spreadsheet would calculate, and the mark itself."""


def csv_files(report: Report) -> tuple[ExportedFile, ...]:
    """Return both tables with a line of names: UTF-8, quotes where needed, nothing for what is not known.

    A text that a spreadsheet would take for a formula gets a `'` before it, and so does one that begins with
    a `'`: who takes one `'` off each text that begins with it has what was there. Numbers are never marked.
    Source: OWASP, CSV Injection.
    """
    return tuple(text_file(f"{table.name}.csv", _text(table)) for table in tables(report))


def marked(text: str) -> str:
    """Return a text that no spreadsheet calculates."""
    return f"'{text}" if text.startswith(_READ_AS_FORMULA) else text


def _text(table: Table) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(row[name]) for name in table.columns] for row in table.rows)
    return written.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return marked(value) if isinstance(value, str) else repr(value)
