"""The right to write to a database: one process at a time, and free again the moment that process is gone.

The lease is a lock of the operating system on a file beside the database. The kernel drops it with the
process, even on `kill -9`, so that there is nothing to expire and no clock to trust. It is not a lock on
the database file itself: closing a second descriptor of that file would drop SQLite's own locks.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gemma_eval.errors import StoreError


class Lease:
    """The held right to write to one database."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """`path` is the lock file, `descriptor` its open and locked descriptor."""
        self._path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give the right back and remove the lock file; a second call does nothing."""
        if self._descriptor is None:
            return
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def acquire(database: Path) -> Lease:
    """Take the right to write to `database`. Raises StoreError when another process has it."""
    path = database.absolute().with_name(database.name + ".lock")
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if _lock(descriptor, path, database):
                return Lease(path, descriptor)
            os.close(descriptor)
    except OSError as error:
        raise StoreError(
            f"{database}: cannot be opened for writing: {error.strerror} ({path.name}); "
            "give a path in a folder that exists and can be written"
        ) from error


def _lock(descriptor: int, path: Path, database: Path) -> bool:
    """Lock the file; False when its last owner removed it meanwhile, so that it must be made anew."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreError(
            f"{database}: process {owner or '?'} is writing to it; wait until it ends or give another path"
        ) from None
    if not _is_still(descriptor, path):
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return True


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
