"""Read the rows of a data file: JSON Lines, a JSON array, CSV, TSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gemma_eval.errors import MissingDependency
from gemma_eval.files.read import ReadError, decode

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Columns = dict[str, Plain]

LARGEST_BYTES = 1 << 30
"""No data file that is imported is larger than 1 GiB."""
LONGEST_ROW = 1 << 20
"""Characters of a row; no template may make more of one either."""
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")

_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and the line of the file on which it begins; 0 where a format has no lines."""

    columns: Columns
    line: int


def read(path: Path, data: bytes) -> tuple[Row, ...]:
    """Return the rows of a file of which these are the bytes; its suffix says how it is written.

    A column that some rows lack is null there. Raises ReadError, MissingDependency.
    """
    readers = {".jsonl": _lines, ".json": _json, ".csv": _table, ".tsv": _table}
    if path.suffix == ".parquet":
        rows = list(_parquet(data))
    elif path.suffix in readers:
        rows = list(readers[path.suffix](decode(data), path.suffix))
    else:
        raise ReadError(f"is none of {', '.join(SUFFIXES)}")
    if not rows:
        raise ReadError("has no rows")
    names = dict.fromkeys(name for row in rows for name in row.columns)
    return tuple(Row({name: row.columns.get(name) for name in names}, row.line) for row in rows)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of an ordinary file. Raises ReadError."""
    try:
        if not path.is_file():
            raise ReadError("is no file")
        if path.stat().st_size > LARGEST_BYTES:
            raise ReadError(f"is larger than {LARGEST_BYTES:,} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def lines(rows: Sequence[Columns]) -> bytes:
    """Return rows as JSON Lines, the same bytes for the same rows."""
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()


def _lines(text: str, suffix: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_ROW:
            raise ReadError(f"has a row of more than {LONGEST_ROW:,} characters", line=number)
        if line.strip():
            yield Row(_columns(_parsed(line, first=number), number), number)


def _json(text: str, suffix: str) -> Iterator[Row]:
    """Yield the elements of an array; without one, the file is JSON Lines by another name."""
    if not text.lstrip().startswith("["):
        yield from _lines(text, suffix)
        return
    rows = _parsed(text, first=1)
    for number, row in enumerate(cast("list[Plain]", rows), start=1):
        if not isinstance(row, dict):
            raise ReadError(f"element {number} is not an object, as {{…}}", line=1)
        yield Row(_columns(row, 0), 0)


def _parsed(text: str, *, first: int) -> Plain:
    try:
        return cast(Plain, json.loads(text, parse_constant=_no_number))
    except json.JSONDecodeError as error:
        what = f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise ReadError(what, line=first + error.lineno - 1) from error
    except (ValueError, RecursionError) as error:
        what = str(error) if "NaN" in str(error) else "is nested too deep or has too large a number"
        raise ReadError(what, line=first) from error


def _no_number(name: str) -> None:
    raise ValueError(f"has {name}, which is no JSON; NaN and infinities have no place in data")


def _columns(row: Plain, line: int) -> Columns:
    if not isinstance(row, dict):
        raise ReadError("is not an object, as {…}", line=line)
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ReadError("has half of a surrogate pair", line=line) from error
    return row


def _table(text: str, suffix: str) -> Iterator[Row]:
    """Yield the rows of CSV; a column that has numbers alone is one of numbers, and an empty cell is null."""
    csv.field_size_limit(LONGEST_ROW)
    reader = csv.reader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",", strict=True)
    try:
        header = next(reader, [])
        cells = []
        for row in reader:
            if row and len(row) != len(header):
                what = f"has {len(row)} cells, the first row {len(header)}"
                raise ReadError(what, line=reader.line_num)
            if row:
                cells.append((row, reader.line_num))
    except csv.Error as error:
        raise ReadError(f"is not CSV: {error}", line=reader.line_num) from error
    if len(set(header)) != len(header):
        raise ReadError("names a column twice", line=1)
    columns = [_typed([row[index] for row, _ in cells]) for index in range(len(header))]
    for number, (_, line) in enumerate(cells):
        yield Row({name: column[number] for name, column in zip(header, columns, strict=True)}, line)


def _typed(cells: Sequence[str]) -> Sequence[Plain]:
    given = [cell for cell in cells if cell]
    if given and all(_WHOLE.fullmatch(cell) for cell in given):
        return [int(cell) if cell else None for cell in cells]
    if given and all(_NUMBER.fullmatch(cell) for cell in given):
        return [float(cell) if cell else None for cell in cells]
    return [cell or None for cell in cells]


def _parquet(data: bytes) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependency("reading Parquet", extra="analysis") from error
    try:
        rows = parquet.read_table(io.BytesIO(data)).to_pylist()
    except Exception as error:  # whatever Arrow raises for bytes that are none of its own
        raise ReadError(f"is not Parquet: {str(error).partition(chr(10))[0][:200]}") from error
    for number, row in enumerate(rows, start=1):
        if not _is_plain(row):
            raise ReadError(f"row {number} has a value that JSON has not (a date, bytes, NaN)")
        yield Row(row, 0)


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)
