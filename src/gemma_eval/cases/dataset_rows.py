"""Read the rows of a file: once from end to end to find where they are, and then one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gemma_eval.cases.parquet_rows import parquet, plain_row
from gemma_eval.cases.text_rows import Columns, Found, TextRows, Visit, scan_lines, scan_table
from gemma_eval.errors import MissingDependency
from gemma_eval.files.read import ReadError

SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")


class Rows(Protocol):
    """A file of rows of which each can be read by itself."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that some row has, in the order in which they first appear."""

    @property
    def sha256(self) -> str:
        """The hash of the whole file."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def line(self, index: int) -> int:
        """Return the line on which a row begins, 0 where a format has no lines."""

    def __getitem__(self, index: int) -> Columns:
        """Return a row. Raises ReadError."""


def scan(path: Path, *, visit: Visit) -> tuple[Rows, tuple[Found, ...]]:
    """Read a whole file, and return its rows and all that is wrong with it. Raises ReadError.

    Of a file that has something wrong the rows are not all there.
    """
    if path.suffix not in SUFFIXES:
        raise ReadError(f"is no kind of file that has rows; give one of {', '.join(SUFFIXES)}")
    found: list[Found] = []
    rows = _parquet(path, visit, found) if path.suffix == ".parquet" else _text(path, visit, found)
    if not len(rows) and not found:
        raise ReadError("has no rows")
    return rows, tuple(found)


def _text(path: Path, visit: Visit, found: list[Found]) -> Rows:
    readers: Mapping[str, Callable[[TextRows, Visit, list[Found]], None]] = {".jsonl": scan_lines}
    rows = TextRows(path=path, tabs=path.suffix == ".tsv")
    readers.get(path.suffix, scan_table)(rows, visit, found)
    return rows


def _parquet(path: Path, visit: Visit, found: list[Found]) -> Rows:
    try:
        rows = parquet(path)
    except MissingDependency as error:
        raise ReadError(f"cannot be read: {error}") from error
    for number, row in enumerate(rows.each(), start=1):
        try:
            what = visit(number, plain_row(row))
        except ReadError as error:
            what = error.what
        if what:
            found.append(Found(0, f"row {number} {what}"))
    return rows
