"""Change a file that people edit: one writer at a time, checked before it is written, no version lost."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.config import backups as versions
from gemma_eval.config import recovery
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import read, writing

BACKUPS = 10
"""How many earlier versions of a file are kept where nothing else is chosen."""
PATIENCE_S = 10.0
"""How long another writer is waited for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """The text of a file before and after; before it is empty where there was no file."""

    path: Path
    before: str
    after: str

    @property
    def is_one(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after

    def diff(self) -> str:
        """Return the lines that differ, as `diff -u` shows them."""
        before, after = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        lines = difflib.unified_diff(before, after, fromfile=str(self.path), tofile=str(self.path))
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def change(
    path: Path,
    edit: Callable[[str], str],
    *,
    check: Callable[[str], object],
    backups: int = BACKUPS,
    seen: str | None = None,
    dry_run: bool = False,
) -> Change:
    """Give the text of a file to `edit`, and write what comes back if `check` takes it; return both texts.

    The text is empty where there is no file, which is made with its folder. What was there before is kept as
    a backup, beside a copy of what is written. Nothing is written where nothing changes or in a `dry_run`,
    nor where somebody else has changed the file since it was read; with `seen`, the digest of what the caller
    had read, since then. Raises ConfigError.
    """
    refuse_shipped(path)
    if dry_run:
        return _edited(path, _found(path, seen), edit, check)[0]
    with locked(path), said(path):
        found = _found(path, seen)
        edited, data = _edited(path, found, edit, check)
        if edited.is_one:
            replace(path, found, data, backups=backups)
    return edited


@contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Be the only one who changes a file; the lock ends with the process. Raises ConfigError."""
    from filelock import FileLock, Timeout

    with said(path):
        lock = versions.made_folder(path) / f"{Path(os.path.realpath(path)).name}.lock"
        held = FileLock(lock, timeout=patience_s, poll_interval=0.01)
        try:
            held.acquire()
        except Timeout:
            what = f"another process is changing it, and holds {lock}; wait for that to end and try again"
            raise ConfigError([Problem(path=path, line=0, what=what)]) from None
    try:
        yield
    finally:
        held.release()


def replace(
    path: Path, found: bytes | None, data: bytes, *, backups: int, is_damaged: bool = False
) -> Path | None:
    """Write a file that is locked and had `found` in it; return where that is kept, `None` for no file.

    A copy of what is written is kept as well: from that the file is restored when it is damaged. A disk that
    is full now costs the copy, and not the change. Raises WriteError, OSError.
    """
    for folder in (versions.folder_of(path).parent, versions.folder_of(path)):
        writing.clean(folder)
    place, most = None, backups + 1
    if found is not None:
        place = (versions.set_aside if is_damaged else versions.keep)(path, found, most=most)
    writing.write(path, data, seen=writing.ABSENT if found is None else writing.digest(found))
    with suppress(OSError, writing.WriteError):
        versions.keep(path, data, most=most)
    return place


@contextmanager
def said(path: Path) -> Iterator[None]:
    """Say what goes wrong with a file as a problem of it."""
    try:
        yield
    except (read.ReadError, writing.WriteError) as error:
        line = error.line if isinstance(error, read.ReadError) else 0
        raise ConfigError([Problem(path=path, line=line, what=error.what)]) from error
    except OSError as error:
        what = f"cannot be written: {(error.strerror or str(error)).lower()}"
        raise ConfigError([Problem(path=path, line=0, what=what)]) from error


def refuse_shipped(path: Path) -> None:
    """Raise ConfigError for a file that comes with the package."""
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(suites_directory())):
        what = "comes with gemma_eval and is not changed; what your own folder has of that name overrules it"
        raise ConfigError([Problem(path=path, line=0, what=what)])


def _found(path: Path, seen: str | None) -> bytes | None:
    """Return what is in a file, `None` where there is none. Raises ConfigError."""
    with said(path):
        found = read.read_bytes(path) if read.stands(path) else None
        if seen is not None and seen != (writing.ABSENT if found is None else writing.digest(found)):
            raise writing.Changed("was changed by somebody else meanwhile, and is left as it is; try again")
    return found


def _edited(
    path: Path, found: bytes | None, edit: Callable[[str], str], check: Callable[[str], object]
) -> tuple[Change, bytes]:
    """Return the change and the bytes of it, with line ends as the file has them. Raises ConfigError."""
    if found is not None:
        recovery.refuse_damaged(path, found, check)
    with said(path):
        before = read.decode(found or b"")
        after = edit(before)
        if not after.strip() or "\0" in after:  # which is what a damaged file looks like
            raise writing.WriteError("would be empty or have zero bytes; nothing is written")
        check(after)
        data = after.replace("\n", "\r\n") if _has_windows_ends(found or b"") else after
        if len(encoded := _encoded(data)) > read.LARGEST_BYTES:
            raise writing.WriteError(f"would be larger than {read.LARGEST_BYTES:,} bytes; nothing is written")
    return Change(path=path, before=before, after=after), encoded


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise writing.WriteError("cannot hold half of a letter; nothing is written") from error


def _has_windows_ends(data: bytes) -> bool:
    return b"\n" in data and data.count(b"\r\n") == data.count(b"\n")
