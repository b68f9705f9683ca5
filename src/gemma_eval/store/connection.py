"""How a database is opened, and what its errors say to a person.

SQLite before 3.51.3 can damage a database in WAL mode when two connections write or checkpoint at the
same moment (fixed in 3.51.3, 3.50.7 and 3.44.6). A database here has one writing connection, guarded by
the lease, and readers open it read-only and never checkpoint: the versions that Python ships are safe.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from gemma_eval.errors import StoreError
from gemma_eval.files import database
from gemma_eval.store.schema import APPLICATION_ID, VERSION, migrate

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables."""

_BUSY_MS = 30_000
_PRAGMAS = (
    # First of all: in rollback mode even `PRAGMA synchronous` can find the database locked.
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
_WRITE_PRAGMAS = (
    # Where the file system cannot do WAL, SQLite stays in rollback mode: slower, and as durable.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
)
_ADVICE = {
    **database.ADVICE,
    sqlite3.SQLITE_FULL: "the disk is full; free some space and resume the run, all it had recorded is kept",
    sqlite3.SQLITE_NOTADB: "this is not a results database; give another path",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; `sqlite3 FILE .recover` may save what is left",
}


def store_errors(path: Path) -> AbstractContextManager[None]:
    """Turn what SQLite raises into StoreErrors that name the file and the way out."""
    return database.store_errors(path, _ADVICE)


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open or create a database of this version; the caller holds its lease. Raises StoreError."""
    _refuse_old_sqlite(path)
    if path.is_dir():
        raise StoreError(f"{path}: this is a folder; give the path of a file in it")
    is_new = not path.exists()
    wal = path.with_name(path.name + "-wal")
    was_killed = wal.exists() and wal.stat().st_size > 0
    if not is_new:
        open_to_read(path, allow_blank=True).close()
    try:
        with store_errors(path):
            return _connect_to_write(path, was_killed=was_killed)
    except StoreError:
        if is_new:
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        raise


def open_to_read(path: Path, *, allow_blank: bool = False) -> sqlite3.Connection:
    """Open a database read-only and check that it is ours and of this version. Raises StoreError."""
    _refuse_old_sqlite(path)
    if not path.is_file():
        raise StoreError(f"{path}: there is no results database; a run creates it, or give another path")
    with store_errors(path):
        try:
            return _connect_to_read(path, "mode=ro", allow_blank=allow_blank)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK):
                # A writer was killed in the middle of a change; to read the state before it, the change has
                # to be undone, which only a connection that may write can do.
                return _connect_to_read(path, "mode=rw", allow_blank=allow_blank)
            # In a folder that cannot be written, a database in WAL mode lacks its index file. When there
            # is no WAL either, nobody is writing, and the file may be read as one that never changes.
            if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
                raise
            return _connect_to_read(path, "immutable=1", allow_blank=allow_blank)


def check(connection: sqlite3.Connection, how: Literal["quick_check", "integrity_check"]) -> None:
    """Let SQLite look for damage; the quick check leaves out whether indexes fit. Raises sqlite3.Error."""
    (found,) = connection.execute(f"PRAGMA {how}(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"the file is damaged: {found}; `sqlite3 FILE .recover` may save some")


def leave_one_file(connection: sqlite3.Connection) -> None:
    """Close a writing connection so that the database is one plain file, unless a reader is in it now."""
    try:
        connection.execute("PRAGMA busy_timeout = 1000")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error:
        pass  # the WAL stays beside the database: complete, durable, and merged by the next writer
    finally:
        connection.close()


def _connect_to_write(path: Path, *, was_killed: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(_uri(path, "mode=rwc"), uri=True, isolation_level=None)
    try:
        for pragma in (*_PRAGMAS, *_WRITE_PRAGMAS):
            connection.execute(pragma)
        if was_killed:
            check(connection, "quick_check")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path, mode: str, *, allow_blank: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None)
    try:
        for pragma in (*_PRAGMAS, "PRAGMA query_only = ON"):
            connection.execute(pragma)
        _refuse_foreign(path, connection, allow_blank=allow_blank)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_foreign(path: Path, connection: sqlite3.Connection, *, allow_blank: bool) -> None:
    """Raise StoreError for the database of another program or another version; it is left untouched."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not (application or version or objects):
        if allow_blank:
            return
        raise StoreError(f"{path}: no run is recorded yet")
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this is a database of another program; give another path")
    if version > VERSION:
        raise StoreError(
            f"{path}: made by a newer gemma_eval (schema {version}, this one reads up to {VERSION}); "
            "update gemma_eval or give another path"
        )


def _refuse_old_sqlite(path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"{path}: Python's SQLite is {sqlite3.sqlite_version}, 3.37 or newer is needed")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"
