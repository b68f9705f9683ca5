"""Copies of a memory's file: taken while it is in use, checked, and put back in its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gemma_eval.errors import StoreError, UsageError
from gemma_eval.files.read import ReadError
from gemma_eval.memory.reading import opened
from gemma_eval.memory.sqlite.connection import lock, open_to_read, refuse_foreign, store_errors
from gemma_eval.memory.writing import Existing, beside, refuse_existing, sync

_MAGIC = b"SQLite format 3\0"
_WITH_IT = ("-wal", "-shm", "-journal")


def is_copy(path: Path) -> bool:
    """Whether a file is one of SQLite, by its first bytes. Raises StoreError when it cannot be read."""
    try:
        with opened(path) as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except ReadError as error:
        raise StoreError(f"{path}: {error.what}") from error


def backup(path: Path, target: Path, *, existing: Existing = "refuse") -> int:
    """Copy the memory at `path` to one file, also while it is written to; return how many passages it has.

    Raises StoreError, UsageError where the file is there.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no memory")
    if _is_same(path, target):
        raise UsageError(f"{target}: is the memory itself; name another file")
    with beside(target, existing=existing) as place, _opened(path) as source:
        return _copied(source, place)


def restore(source: Path, path: Path, *, existing: Existing = "refuse") -> int:
    """Put a copy in the place of the memory at `path`, and return how many passages it has.

    Who has that open sees the passages of the copy from then on. Where it is damaged beyond opening, it is
    kept beside as `NAME.damaged`. Raises StoreError, UsageError where there is a memory that is not to be
    replaced.
    """
    refuse_existing(path, existing)
    if _is_same(path, source):
        raise UsageError(f"{source}: is the memory itself; name a copy")
    with lock(path), _folder_beside(path) as folder:
        place = folder / path.name
        with _opened(source) as copy:
            n = _copied(copy, place)
        _make_another(place)
        if not _filled(path, place):
            _moved_aside(path)
            sync(place)
            place.replace(path)
    return n


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    try:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:64]}.") as folder:
            yield Path(folder)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with store_errors(path), closing(open_to_read(path)) as connection:
        yield connection


def _copied(source: sqlite3.Connection, place: Path) -> int:
    """Copy a database to a file and look for damage. Raises sqlite3.Error."""
    with closing(sqlite3.connect(place, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"the file is damaged: {found}")
        (n,) = copy.execute("SELECT count(*) FROM passage").fetchone()
        return int(n)


def _make_another(place: Path) -> None:
    """Give a copy a lineage of its own, so that no mirror of vectors takes it for what it has read."""
    with store_errors(place), closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("UPDATE state SET lineage = randomblob(16)")


def _filled(path: Path, place: Path) -> bool:
    """Write a copy into the file at `path`, as one change; False where there is none or it is damaged.

    Raises StoreError where that is of another program or newer.
    """
    if not path.exists():
        return False
    try:
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as target,
            closing(sqlite3.connect(place, isolation_level=None)) as copy,
        ):
            target.execute("PRAGMA busy_timeout = 30000")
            refuse_foreign(path, target)
            copy.backup(target)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return False
        with store_errors(path):
            raise
    return True


def _moved_aside(path: Path) -> None:
    """Keep a damaged file, and what SQLite has beside it, out of the way of the one that takes its place."""
    for suffix in ("", *_WITH_IT):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.replace(path.with_name(f"{path.name}.damaged{suffix}"))
