"""Files and folders that people keep texts in, read into passages: Markdown, plain text, rows of JSON.

Rows are read one by one, so that a file of any size becomes passages without being in memory whole. What is
wrong is told with the file and the line, and nothing of a file that is wrong is used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gemma_eval.errors import Problem, UsageError
from gemma_eval.files.read import ReadError, decode, exists
from gemma_eval.memory.passages import WHOLE, Splitting, split
from gemma_eval.memory.text_rows import Row, row_of
from gemma_eval.records import Document, Piece

SUFFIXES = (".md", ".txt", ".jsonl")
"""The files of a folder that are read."""
MOST_TEXT_BYTES = 64 << 20
"""The largest Markdown or text file; rows of JSON may be any number."""
MOST_ROW_BYTES = 16 << 20
MOST_PASSAGES = 1_000_000
"""What `read` returns at most; more belong into a memory."""


def read(path: Path, splitting: Splitting = WHOLE) -> tuple[Piece, ...]:
    """Return the passages of a file or of a folder. Raises UsageError, also where there are none."""
    pieces: list[Piece] = []
    for piece in each(path, splitting=splitting):
        pieces.append(piece)
        if len(pieces) > MOST_PASSAGES:
            raise UsageError(
                f"{path}: has more than {MOST_PASSAGES:,} passages; keep them by gemma-eval memory add"
            )
    if not pieces:
        raise UsageError(f"{path}: holds no passage: it is empty, or has headings alone")
    return tuple(pieces)


def each(*paths: Path, splitting: Splitting = WHOLE) -> Iterator[Piece]:
    """Yield the passages of files, and of the files of folders by name, as they are read.

    A passage is named for its file: by its path below the folder. One without an id of its own that comes
    twice is yielded once. Raises UsageError: an id that is given twice, a file that is no text.
    """
    seen: dict[str, str] = {}
    for file, name in (each for path in paths for each in _files(path)):
        _refuse_nameless(file, name)
        for piece, line in _passages(file, name, splitting):
            where = f"{file}:{line}" if line else ""
            if piece.id not in seen:
                seen[piece.id] = where
                yield piece
            elif where or seen[piece.id]:
                raise _wrong(file, f'id "{piece.id}" is taken{_taken(seen[piece.id])}', line=line)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; opening never waits, as it would for a pipe. Raises ReadError."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ReadError("is not a regular file")
            yield file
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ReadError(f"cannot be read: {(reason or 'its path is not a possible one').lower()}") from error


def _taken(where: str) -> str:
    return f" by {where}; each id names one passage" if where else "; each id names one passage"


def _refuse_nameless(file: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise _wrong(file, "its name is not UTF-8, and a passage is named for its file; rename it") from error


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of a corpus and the names of their documents."""
    if exists(path, "folder"):
        root = path.resolve()
        found = sorted(each for each in _below(path) if each.suffix in SUFFIXES and each.is_file())
        if not found:
            raise UsageError(f"{path}: is a folder without a file of {', '.join(SUFFIXES)}")
        for file in found:
            if not file.resolve().is_relative_to(root):
                raise _wrong(file, "leads out of its folder by a link; put the file inside")
            yield file, file.relative_to(path).as_posix()
    elif path.suffix in SUFFIXES or not exists(path, "file"):
        yield path, path.name
    else:
        raise UsageError(f"{path}: is none of {', '.join(SUFFIXES)}; save it as one of them")


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and those below it. Raises UsageError where one cannot be looked into."""

    def fail(error: OSError) -> None:
        what = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise _wrong(Path(error.filename or folder), what) from error

    for place, _, names in os.walk(folder, onerror=fail):
        yield from (Path(place) / name for name in names)


def _passages(file: Path, name: str, splitting: Splitting) -> Iterator[tuple[Piece, int]]:
    """Yield the passages of a file with their lines, 0 where an id follows from the text."""
    try:
        if file.suffix == ".jsonl":
            yield from _rows(file, name, splitting)
        else:
            document = Document(name=name, text=_text(file))
            yield from ((piece, 0) for piece in split(document, splitting))
    except ReadError as error:
        raise _wrong(file, error.what, line=error.line) from error


def _text(file: Path) -> str:
    with opened(file) as source:
        data = source.read(MOST_TEXT_BYTES + 1)
    if len(data) > MOST_TEXT_BYTES:
        raise ReadError(f"is larger than {MOST_TEXT_BYTES >> 20} MB; split it, or make rows of it (.jsonl)")
    text = decode(data)
    if "\0" in text:
        raise ReadError("is no text: it has a NUL character", line=text.count("\n", 0, text.index("\0")) + 1)
    return text


def _rows(file: Path, name: str, splitting: Splitting) -> Iterator[tuple[Piece, int]]:
    with opened(file) as source:
        line = 0
        while data := source.readline(MOST_ROW_BYTES + 1):
            line += 1
            if len(data) > MOST_ROW_BYTES:
                raise ReadError(f"is a row of more than {MOST_ROW_BYTES >> 20} MB; split it", line=line)
            if data.strip():
                row = _row(data, name, line=line)
                yield from ((piece, line if row.has_id else 0) for piece in row.passages(splitting))


def _row(data: bytes, name: str, *, line: int) -> Row:
    try:
        return row_of(decode(data), document=name)
    except ReadError as error:
        raise ReadError(error.what, line=line) from error


def _wrong(path: Path, what: str, *, line: int = 0) -> UsageError:
    return UsageError(str(Problem(path=path, line=line, what=what)))
