"""The small files in which Linux tells of itself; one that is not there, or may not be read, is empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path


def text(path: Path) -> str:
    """Return the text of a file without space around it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """Return the number that a file holds, `None` when it holds something else."""
    word = text(path)
    return int(word) if word.isdecimal() else None


def numbers(paths: Iterable[Path]) -> Iterator[int]:
    """Yield the numbers of the files that hold one."""
    yield from (found for path in paths if (found := number(path)) is not None)
