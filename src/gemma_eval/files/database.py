"""What SQLite files have in common: migrations as one transaction, and errors that name the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gemma_eval.errors import StoreError

ADVICE: Mapping[int, str] = {
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give a path in a folder that exists and can be written",
    sqlite3.SQLITE_PERM: "access is denied; give a path that can be written",
    sqlite3.SQLITE_BUSY: "another program holds it locked; close that program",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written; it may be full or failing",
    sqlite3.SQLITE_READONLY: "it is read-only; give a path that can be written",
}
"""What to do, by the primary code of an error; what a file is for has more to say of some."""


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], *, application_id: int
) -> None:
    """Bring a file to the newest version in one transaction; does nothing when it is there."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself has rolled back when the disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def store_errors(path: Path, advice: Mapping[int, str]) -> Iterator[None]:
    """Turn what SQLite raises into StoreErrors that name the file and the way out, by its code."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        way_out = advice.get(code & 0xFF) if isinstance(code, int) else None
        raise StoreError(f"{path}: {way_out or error}") from error
    except (OverflowError, UnicodeError) as error:
        raise StoreError(f"{path}: a value cannot be stored: {error}") from error
