"""A file that is written beside its place and takes it when it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from gemma_eval.errors import StoreError, UsageError

Existing = Literal["refuse", "replace"]


@contextmanager
def written(path: Path, *, existing: Existing = "refuse") -> Iterator[BinaryIO]:
    """Give a file to write to; at the end it stands at `path`, after an error nothing does.

    Raises UsageError where there is a file that is not to be replaced, StoreError where it cannot be written.
    """
    with beside(path, existing=existing) as place, place.open("wb") as file:
        yield file


@contextmanager
def beside(path: Path, *, existing: Existing = "refuse") -> Iterator[Path]:
    """Give the path of an empty file beside `path` that takes its place at the end, as `written` does.

    A link stays one: the file that it leads to is replaced.
    """
    try:
        path = Path(os.path.realpath(path))
        refuse_existing(path, existing)
        place = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}")
        place.touch(exist_ok=False)  # with the rights that the user gives new files
        try:
            yield place
            sync(place)
            refuse_existing(path, existing)  # it may have come meanwhile
            place.replace(path)
        finally:
            with suppress(FileNotFoundError):
                place.unlink()
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error


def refuse_existing(path: Path, existing: Existing) -> None:
    """Raise UsageError where there is a file that is not to be replaced, or a device, which never is."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is not a regular file; name another file")
    if existing == "refuse" and path.exists():
        raise UsageError(f"{path}: exists already; name another file, or add --replace")


def sync(path: Path) -> None:
    """Have what was written to a file on the disk before the call returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
