"""Rows that are lines of JSON, or of a table with commas or tabs, in a file of text.

Of a file is kept where each row begins, not the rows: they are read again from disk, one by one.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import os
import stat
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from gemma_eval.files.read import ReadError
from gemma_eval.files.rows import show

MOST_BYTES = 16 << 20
"""The largest row; no model reads one."""
TOO_LARGE = f"is a row of more than {MOST_BYTES >> 20} MB; leave it out, or make it shorter"
HAS_NUL = "has a NUL character, which no prompt can hold"

Columns = Mapping[str, object]
"""A row: the values of its columns, which are plain data."""
Visit = Callable[[int, Columns], str | None]
"""Is given each row with its line, and says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing wrong with a file, and the line it is on."""

    line: int
    what: str


@dataclass(kw_only=True)
class TextRows:
    """Where each row begins; `state` is the size and the time of the file that was read."""

    path: Path
    tabs: bool
    columns: list[str] = field(default_factory=list)
    sha256: str = ""
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lines: array[int] = field(default_factory=lambda: array("Q"))
    state: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.starts)

    def line(self, index: int) -> int:
        """Return the line on which a row begins."""
        return self.lines[index]

    def __getitem__(self, index: int) -> Columns:
        """Return a row, read from disk. Raises ReadError."""
        start = self.starts[index]
        end = self.starts[index + 1] if index + 1 < len(self.starts) else self.state[0]
        raw = _part(self.path, start, end - start, state=self.state)
        if self.path.suffix == ".jsonl":
            return _object(raw.strip())
        text = io.StringIO(raw.decode(), newline="")
        with _large_fields():
            return dict(zip(self.columns, next(_reader(text, tabs=self.tabs)), strict=True))


@dataclass(slots=True)
class _Line:
    """A line of a file as it stands there; one that is too long has no bytes."""

    number: int
    start: int
    raw: bytes | None


def scan_lines(rows: TextRows, visit: Visit, found: list[Found]) -> None:
    """Find the rows of a file with an object of JSON on each line; empty lines are none. Raises ReadError."""
    columns: dict[str, None] = {}
    for line in _lines(rows):
        raw = line.raw
        if raw is not None and not raw.strip():
            continue
        what: str | None = None
        try:
            row = _object(_sized(raw).strip())
        except ReadError as error:
            what = error.what
        else:
            columns |= dict.fromkeys(row)
            what = visit(line.number, row)
        if what:
            found.append(Found(line.number, what))
        rows.starts.append(line.start)
        rows.lines.append(line.number)
    rows.columns.extend(columns)


def scan_table(rows: TextRows, visit: Visit, found: list[Found]) -> None:
    """Find the rows of a table whose first row names the columns; one may go over several lines."""
    taken: list[_Line] = []
    with _large_fields():
        reader = _reader(_texts(rows, taken, found), tabs=rows.tabs)
        while True:
            taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                where = taken[0].number if taken else 1
                found.append(Found(where, _no_table(error)))
                return
            except ReadError as error:
                found.append(Found(error.line, error.what))
                return
            if cells is None:
                return
            if not cells:
                continue
            first = taken[0]
            what = _row_of_table(rows, cells, first, visit)
            if what:
                found.append(Found(first.number, what))


def _no_table(error: csv.Error) -> str:
    """Say what is wrong without the advice of csv, which is for who opens a file in Python."""
    if "new-line character" in str(error):
        return 'has a carriage return alone; save it with LF as line end, or quote the cell as "…"'
    return f'is no table from here on: {error}; quote a cell as "…"'


def _row_of_table(rows: TextRows, cells: list[str], first: _Line, visit: Visit) -> str | None:
    """Take in one row; say what is wrong with it."""
    if not rows.columns:
        rows.columns.extend(cells)
        twice = next((cell for cell in cells if cells.count(cell) > 1), None)
        if twice is not None:
            return f"names the column {show(twice)} more than once"
        return "is the row of the names of columns, and one is empty" if "" in cells else None
    rows.starts.append(first.start)
    rows.lines.append(first.number)
    if len(cells) != len(rows.columns):
        return f"has {len(cells)} cells, and there are {len(rows.columns)} columns"
    if any("\0" in cell for cell in cells):
        return HAS_NUL
    return visit(first.number, dict(zip(rows.columns, cells, strict=True)))


def _texts(rows: TextRows, taken: list[_Line], found: list[Found]) -> Iterator[str]:
    """Yield lines as text, and note in `taken` those that a row took. Raises ReadError for a row too long."""
    size = 0
    for line in _lines(rows):
        size = len(line.raw or b"") + (size if taken else 0)
        taken.append(line)
        if line.raw is None or size > MOST_BYTES:
            raise ReadError(TOO_LARGE, line=taken[0].number)
        try:
            yield line.raw.decode()
        except UnicodeDecodeError:
            found.append(Found(line.number, _NOT_UTF_8))
            yield line.raw.decode(errors="replace")


def _lines(rows: TextRows) -> Iterator[_Line]:
    """Yield every line, hash the whole file, and note its size and time. Raises ReadError."""
    whole = hashlib.sha256()
    with opened(rows.path) as file:
        status = os.fstat(file.fileno())
        rows.state = status.st_size, status.st_mtime_ns
        number = start = 0
        while raw := file.readline(MOST_BYTES + 1):
            number += 1
            whole.update(raw)
            first, size = start, len(raw)
            start += size
            if size > MOST_BYTES and not raw.endswith(b"\n"):
                start += _skipped(file, whole)
                yield _Line(number, first, None)
                continue
            if number == 1:
                if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise ReadError("looks like UTF-16; save it as UTF-8", line=1)
                mark = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
                first, raw = first + mark, raw[mark:]
            yield _Line(number, first, raw)
    rows.sha256 = whole.hexdigest()


def _skipped(file: io.BufferedReader, whole: hashlib._Hash) -> int:
    """Read to the end of a line that is too long, and return how many bytes that were."""
    size = 0
    while rest := file.readline(MOST_BYTES):
        whole.update(rest)
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return size


def opened(path: Path) -> io.BufferedReader:
    """Open a regular file without waiting for what is none. Raises ReadError."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no possible path"
        raise ReadError(f"cannot be read: {reason.lower()}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ReadError("is not a regular file")
    return file


def _part(path: Path, start: int, size: int, *, state: tuple[int, int]) -> bytes:
    """Return bytes of a file that is as it was. Raises ReadError."""
    with opened(path) as file:
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != state:
            raise ReadError("has changed since it was first read")
        return os.pread(file.fileno(), size, start)


def _sized(raw: bytes | None) -> bytes:
    if raw is None:
        raise ReadError(TOO_LARGE)
    return raw


def _object(raw: bytes) -> Columns:
    """Return the row that a line of JSON is. Raises ReadError."""
    try:
        row = _DECODER.decode(raw.decode())
        if b"\\u" in raw:
            _refuse_unwritable(row)
    except UnicodeDecodeError as error:
        raise ReadError(_NOT_UTF_8) from error
    except UnicodeEncodeError as error:
        raise ReadError("has half of a surrogate pair, which is no character") from error
    except RecursionError as error:
        raise ReadError("is nested too deep") from error
    except json.JSONDecodeError as error:
        raise ReadError(f"is not JSON from character {error.colno} on: {error.msg}") from error
    except ValueError as error:
        raise ReadError(f"is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ReadError(f'is {show(row)}; it should be an object, as {{"question": "…"}}')
    return cast(Columns, row)


def _refuse_unwritable(row: object) -> None:
    text = json.dumps(row, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text and _has_nul(row):
        raise ReadError(HAS_NUL)


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _reader(texts: Iterator[str] | io.StringIO, *, tabs: bool) -> Iterator[list[str]]:
    return csv.reader(texts, delimiter="\t" if tabs else ",", strict=True)


@contextmanager
def _large_fields() -> Iterator[None]:
    """Let a cell of a table be as large as a row; the limit is one for the whole process."""
    before = csv.field_size_limit(max(MOST_BYTES, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_NOT_UTF_8 = "is not UTF-8 here; save it as UTF-8"
