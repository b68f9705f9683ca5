"""Read a file that somebody else wrote: regular, of bounded size, plain UTF-8."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import Literal

LARGEST_BYTES = 1 << 20
"""No suite, profile, model or document file is larger than 1 MiB."""

_MARKS = (
    (codecs.BOM_UTF8, "starts with a byte order mark; save it as UTF-8 without one"),
    (codecs.BOM_UTF16_LE, "looks like UTF-16; save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "looks like UTF-16; save it as UTF-8"),
)


class ReadError(Exception):
    """A file cannot be used; `what` says why and what would be right, `line` is 0 when none can be named."""

    def __init__(self, what: str, *, line: int = 0) -> None:
        """Keep what is wrong and its line."""
        self.what = what
        self.line = line
        super().__init__(what)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file of at most `LARGEST_BYTES`. Raises ReadError.

    The file is opened first and judged by its descriptor, and opening never waits: a pipe, a device or a
    file that is swapped meanwhile can neither hang nor mislead the reader.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ReadError("is not a regular file")
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot be read: {_reason(error)}") from error
    if len(data) > LARGEST_BYTES:
        raise ReadError(f"is larger than {LARGEST_BYTES:,} bytes; split it into smaller files")
    return data


def decode(data: bytes) -> str:
    """Return `data` as text with `\\n` line ends. Raises ReadError when it is not UTF-8 without a mark."""
    for mark, what in _MARKS:
        if data.startswith(mark):
            raise ReadError(what, line=1)
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReadError("is not UTF-8 here; save it as UTF-8", line=line) from error


def expanded(path: str) -> Path:
    """Return a path that a person typed, `~` made a home; that of an unknown user stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def exists(path: Path, kind: Literal["file", "folder"]) -> bool:
    """Whether there is such a file or folder; a name that cannot be one, as it is too long, is none."""
    try:
        return path.is_file() if kind == "file" else path.is_dir()
    except (OSError, ValueError):
        return False


def stands(path: Path) -> bool:
    """Whether there is anything; of what one may not look at this says yes, so that reading it says why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def unlistable(folder: Path) -> str | None:
    """Say why what is in a folder cannot be told, `None` where it can."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return f"cannot be read: {_reason(error)}"
    return None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "its path is not a possible one"
