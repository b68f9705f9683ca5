"""Earlier versions of the files that people edit, kept in `.backups` beside them, the newest first."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from gemma_eval.errors import ConfigError
from gemma_eval.files import read, writing

T = TypeVar("T")
Clock = Callable[[], int]
"""Returns nanoseconds since 1970."""

FOLDER = ".backups"
_STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z", re.ASCII)
_FORMAT = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """One version of a file, and when it was kept."""

    path: Path
    at: datetime

    @property
    def when(self) -> str:
        """The time as a person reads it."""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Good(Generic[T]):
    """A version of a file that can be read: its text, and the value of that."""

    backup: Backup
    text: str
    value: T


def folder_of(path: Path) -> Path:
    """Return where the versions of a file are; those of a link are beside what it leads to."""
    return Path(os.path.realpath(path)).parent / FOLDER


def made_folder(path: Path) -> Path:
    """Return `folder_of`, made where it is not there, with a `.gitignore` of all of it. Raises OSError."""
    folder = folder_of(path)
    folder.mkdir(parents=True, exist_ok=True)
    if not (ignored := folder / ".gitignore").exists():
        ignored.write_bytes(b"*\n")
    return folder


def listed(path: Path) -> tuple[Backup, ...]:
    """Return the versions of a file that are kept, the newest first."""
    name = Path(os.path.realpath(path)).name
    return tuple(sorted(_stamped(folder_of(path), f"{name}."), key=lambda each: each.at, reverse=True))


def keep(path: Path, data: bytes, *, most: int, now: Clock = time.time_ns) -> Path:
    """Keep a version of a file as the newest one, and of all the newest `most`; return where.

    Raises WriteError, OSError. A version that is there already is not kept twice: it becomes the newest.
    """
    folder, name = made_folder(path), Path(os.path.realpath(path)).name
    there = listed(path)
    same = next((each for each in there if _holds(each.path, data)), None)
    if same is not None and same == there[0]:
        return same.path
    place = folder / f"{name}.{_later(now, than=there)}"
    if same is None:
        writing.write(place, data, like=path)
    else:
        same.path.rename(place)
    _forget(listed(path)[most:])
    return place


def set_aside(path: Path, data: bytes, *, most: int, now: Clock = time.time_ns) -> Path:
    """Keep what was found in the place of a file and can not be read as `NAME.damaged-TIME`; return where.

    Raises WriteError, OSError.
    """
    folder, prefix = made_folder(path), f"{Path(os.path.realpath(path)).name}.damaged-"
    there = sorted(_stamped(folder, prefix), key=lambda each: each.at, reverse=True)
    place = folder / f"{prefix}{_later(now, than=there)}"
    writing.write(place, data, like=path)
    _forget(there[max(most - 1, 0) :])
    return place


def last_good(path: Path, parse: Callable[[str], T]) -> Good[T] | None:
    """Return the newest version that `parse` takes, `None` where there is none."""
    for backup in listed(path):
        with suppress(read.ReadError, ConfigError):
            text = read.decode(read.read_bytes(backup.path))
            return Good(backup=backup, text=text, value=parse(text))
    return None


def _stamped(folder: Path, prefix: str) -> list[Backup]:
    """Return the files of a folder that are named by a prefix and a time."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are enough, and the folder may not be there
    except OSError:
        return []
    found = ((name, _time(name.removeprefix(prefix))) for name in names if name.startswith(prefix))
    return [Backup(path=folder / name, at=at) for name, at in found if at is not None]


def _time(stamp: str) -> datetime | None:
    """Return the time that a name has, `None` when it is none."""
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(stamp, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _later(now: Clock, *, than: tuple[Backup, ...] | list[Backup]) -> str:
    """Return the time as names have it, always after that of the newest, also where a clock was set back."""
    micros = now() // 1000
    if than:
        micros = max(micros, round(than[0].at.timestamp() * 1_000_000) + 1)
    return (
        datetime.fromtimestamp(micros // 1_000_000, UTC)
        .replace(microsecond=micros % 1_000_000)
        .strftime(_FORMAT)
    )


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and read.read_bytes(path) == data
    except (OSError, read.ReadError):
        return False


def _forget(backups: tuple[Backup, ...] | list[Backup]) -> None:
    for backup in backups:
        with suppress(OSError):
            backup.path.unlink()
