"""How the file of a memory is opened, who may write to it, and what its errors say to a person.

Readers have a connection each, so that two searches run beside each other. SQLite before 3.51.3 can damage a
database in WAL mode when two connections write or checkpoint at the same moment: whoever writes or closes
holds a lock of the operating system on a file beside it, which ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock

from gemma_eval.errors import StoreError
from gemma_eval.files import database
from gemma_eval.memory.sqlite.schema import APPLICATION_ID, VERSION, migrate

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables."""

_WAIT_S = 30.0
_PRAGMAS = (
    f"PRAGMA busy_timeout = {int(1000 * _WAIT_S)}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
_READ_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA cache_size = -16384")
_WRITE_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -65536")
_ADVICE = {
    **database.ADVICE,
    sqlite3.SQLITE_FULL: "the disk is full; free some space, all that was kept before is there",
    sqlite3.SQLITE_NOTADB: "this is no memory; give another path",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a backup, or `sqlite3 FILE .recover` may save some",
}


def store_errors(path: Path) -> AbstractContextManager[None]:
    """Turn what SQLite raises into StoreErrors that name the file and the way out."""
    return database.store_errors(path, _ADVICE)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the right to write; waits while another process has it. Raises StoreError.

    It belongs to the file, by whatever link that is reached.
    """
    beside = Path(os.path.realpath(path) + ".lock")
    descriptor = _acquire(beside, path)
    try:
        yield
    finally:
        with suppress(OSError):  # what was written is written; the next finds the file and takes it
            beside.unlink()
        os.close(descriptor)


def refuse_foreign(path: Path, connection: sqlite3.Connection) -> None:
    """Raise StoreError for the file of another program or a newer version; it is left untouched."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path}: this is a database of another program, no memory; give another path")
    if version > VERSION:
        raise StoreError(
            f"{path}: made by a newer gemma_eval (memory {version}, this one reads up to {VERSION}); "
            "update gemma_eval or give another path"
        )


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a memory that is there. Raises StoreError where it is of another program or newer."""
    try:
        connection = _connect(path, "mode=ro", *_PRAGMAS, *_READ_PRAGMAS)
    except sqlite3.OperationalError:
        # In a folder that cannot be written a file in WAL mode lacks its index; without a WAL nobody writes.
        if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
            raise
        connection = _connect(path, "immutable=1", *_PRAGMAS, *_READ_PRAGMAS)
    try:
        refuse_foreign(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


class Connections:
    """The connections to one file: as many that read as are reading, and one that writes when one is."""

    def __init__(self, path: Path) -> None:
        """Check the file, or make it. Raises StoreError: of another program, newer, or not to be opened."""
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(f"{path}: Python's SQLite is {sqlite3.sqlite_version}, 3.37 or newer is needed")
        if path.is_dir():
            raise StoreError(f"{path}: this is a folder; give the path of a file in it")
        if path.exists() and not path.is_file():
            raise StoreError(f"{path}: this is not a regular file; give another path")
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._guard, self._writing = Lock(), Lock()
        self._is_closed = False
        if not path.exists() or path.stat().st_size == 0:
            self._make()
        with self.reading() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < VERSION:  # it is older, or who made it was killed
            self._make()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all statements see one state."""
        with store_errors(self._path):
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection that writes; commit on success, roll back on any error."""
        with self._writing, store_errors(self._path), lock(self._path):
            connection = self._open_writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite itself has rolled back when the disk is full
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close all; the file is left as one unless another process has it open. Twice does nothing."""
        with self._writing, self._guard:
            self._is_closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            writer, self._writer = self._writer, None
            if writer is not None:
                with suppress(StoreError, sqlite3.Error), lock(self._path):
                    _leave_one_file(writer)
                writer.close()

    def _make(self) -> None:
        try:
            self._path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._path}: its folder cannot be made ({error.strerror})") from error
        try:
            with self.transaction():
                pass
        except StoreError:
            self.close()
            raise

    def _borrow(self) -> sqlite3.Connection:
        with self._guard:
            if self._is_closed:
                raise StoreError(f"{self._path}: the memory is closed")
            if self._idle:
                return self._idle.pop()
        return open_to_read(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def _open_writer(self) -> sqlite3.Connection:
        if self._is_closed:
            raise StoreError(f"{self._path}: the memory is closed")
        if self._writer is None:
            is_new = not self._path.exists()
            try:
                self._writer = _open_to_write(self._path)
            except BaseException:
                if is_new:  # who writes holds the lock: it is this process that has made it
                    _remove(self._path)
                raise
        return self._writer


def _open_to_write(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "mode=rwc", *_PRAGMAS)
    try:
        refuse_foreign(path, connection)
        for pragma in _WRITE_PRAGMAS:
            connection.execute(pragma)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for pragma in pragmas:
            connection.execute(pragma)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _leave_one_file(writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA busy_timeout = 0")
    writer.execute("PRAGMA journal_mode = DELETE")


def _acquire(beside: Path, path: Path) -> int:
    until_s = time.monotonic() + _WAIT_S
    while True:
        try:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror} ({beside.name})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), beside.stat()):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass  # held by another, or removed by who held it
        except OSError as error:
            os.close(descriptor)
            raise StoreError(
                f"{path}: cannot be locked: {error.strerror}; keep it on another disk"
            ) from error
        os.close(descriptor)
        if time.monotonic() > until_s:
            raise StoreError(f"{path}: another process has been writing to it for {_WAIT_S:.0f} s")
        time.sleep(0.002)
