"""Put a file in the place of another in one step: who reads sees the old bytes or the new, never a third."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

ABSENT = ""
"""What is seen of a file that is not there, in the place of its digest."""


class WriteError(Exception):
    """A file cannot be written; `what` says so, and `reason` is the part of it that says why."""

    def __init__(self, what: str) -> None:
        """Keep what is wrong."""
        self.what = what
        super().__init__(what)

    @property
    def reason(self) -> str:
        """Why, for who says by himself what cannot be written."""
        return self.what.removeprefix("cannot be written: ")


class Changed(WriteError):
    """A file is no longer what the writer had seen of it, and is left alone."""


def digest(data: bytes) -> str:
    """Return the SHA-256 of what is in a file, by which another content is noticed."""
    return hashlib.sha256(data).hexdigest()


def write(
    path: Path, data: bytes, *, seen: str | None = None, durable: bool = True, like: Path | None = None
) -> None:
    """Write a whole file as `replacing` does. Raises WriteError, Changed."""
    with replacing(path, seen=seen, durable=durable, like=like) as file:
        file.write(data)


@contextmanager
def replacing(
    path: Path, *, seen: str | None = None, durable: bool = True, like: Path | None = None
) -> Iterator[BinaryIO]:
    """Give a file to write to that stands at `path` at the end; after an error all is as it was.

    A link stays one: the file that it leads to is replaced. That keeps its rights and its owner, and a new
    file gets those of `like`, or those that the user gives new files. With `durable` the bytes are on the
    disk when the block ends. With `seen`, the digest of what the writer had read or `ABSENT`, a file that was
    changed since is refused. Raises WriteError, Changed.
    """
    target = Path(os.path.realpath(path))
    try:
        rights = _replaceable(target) or _rights_of(like)
        with _beside(target, rights) as file:
            yield file
            file.flush()
            _keep_rights(file.fileno(), rights)
            if durable:
                os.fsync(file.fileno())
            _refuse_changed(target, seen)
            os.replace(file.name, target)  # noqa: PTH105 - its errors name both files
        if durable:
            _sync_folder(target.parent)
    except OSError as error:
        raise WriteError(f"cannot be written: {(error.strerror or str(error)).lower()}") from error


def clean(folder: Path) -> None:
    """Remove what writers have left in a folder that were killed; those that live hold a lock."""
    with suppress(OSError):
        for name in [entry.name for entry in os.scandir(folder) if _LEFT.fullmatch(entry.name)]:
            _remove_left(folder / name)


_LEFT = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.ASCII | re.DOTALL)


def _replaceable(target: Path) -> os.stat_result | None:
    """Return what stands at a path, `None` for nothing. Raises WriteError for what no file may replace."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(old.st_mode):
        raise WriteError("cannot be written: it is not a regular file")
    if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise WriteError("cannot be written: it is read-only")
    return old


def _rights_of(like: Path | None) -> os.stat_result | None:
    with suppress(OSError):
        return None if like is None else like.stat()
    return None


@contextmanager
def _beside(target: Path, old: os.stat_result | None) -> Iterator[BinaryIO]:
    """Give a new file in the folder of `target`, which is gone at the end unless it has been moved."""
    file = None
    while file is None:
        file = _made(target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.tmp"), old)
    try:
        with file:
            yield file
    finally:
        with suppress(OSError):
            Path(file.name).unlink()


def _made(path: Path, old: os.stat_result | None) -> BinaryIO | None:
    """Make a file and lock it; `None` when it was taken for a dead writer's in between."""
    mode = 0o666 if old is None else 0o600  # nobody opens it before it has the rights of the old one
    file = open(path, "x+b", opener=partial(os.open, mode=mode))  # noqa: SIM115 - it has a mode
    with suppress(OSError):  # a file system without locks, where nothing is cleaned either
        fcntl.flock(file, fcntl.LOCK_EX)  # waits for one who is about to remove it
    if os.fstat(file.fileno()).st_nlink:
        return file
    file.close()
    return None


def _remove_left(path: Path) -> None:
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _keep_rights(descriptor: int, old: os.stat_result | None) -> None:
    if old is None:
        return
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root gives files away
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _refuse_changed(target: Path, seen: str | None) -> None:
    if seen is None:
        return
    found = digest(target.read_bytes()) if target.is_file() else ABSENT
    if found != seen or (found == ABSENT and os.path.lexists(target)):
        raise Changed("was changed by somebody else meanwhile, and is left as it is now; try again")


def _sync_folder(folder: Path) -> None:
    """Have the name of a file on the disk, where the system can do that for a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
