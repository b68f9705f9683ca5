"""Read a file that may be damaged: then its last good version is used, and that is said."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gemma_eval.config import backups
from gemma_eval.config.backups import Good
from gemma_eval.config.files import NotParsed, decoded, read_bytes
from gemma_eval.config.settings_keys import KEYS
from gemma_eval.errors import ConfigError, Problem
from gemma_eval.files import read

T = TypeVar("T")

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CUT = "breaks off here"


def read_or_last_good(path: Path, parse: Callable[[str], T]) -> tuple[T, str | None]:
    """Return what `parse` makes of the text of a file, or of its last good version and a line that says so.

    That is used where the file is damaged as a crash or another program does it. What a person may have
    written is read as it is, or is an error. Raises ConfigError.
    """
    data = read_bytes(path)
    try:
        value = parse(decoded(data, path=path))
    except ConfigError as error:
        return _recovered(path, data, parse, error)
    damage = damage_of(path, data)
    good = None if damage is None else backups.last_good(path, parse)
    return (value, None) if damage is None or good is None else (good.value, _notice(damage, good))


def damage_of(path: Path, data: bytes, error: ConfigError | None = None) -> Problem | None:
    """Return what a crash or another program has done to a file; `None` where a person may have written it.

    `error` is what was said of its text. Damaged is a file that is empty, has zero bytes, is not UTF-8,
    breaks off, or is something else altogether. A slip of the hand is none: whoever leaves a comma or the
    last brace out wants to be told where, and not to have last week's values measured.
    """
    if data.startswith(_MARKS):
        return None  # an editor writes those
    if (flaw := _flaw_of_bytes(data)) is not None:
        return Problem(path=path, line=flaw[0], what=flaw[1])
    is_read = not isinstance(error, NotParsed)
    if _is_beginning(path, data) and not (is_read and data.endswith(b"\n")):  # no edit by hand looks so
        return Problem(path=path, line=_line(data, len(data)), what=_CUT)
    if is_read or error is None or not (_is_cut(data, error) or _is_another(data, error)):
        return None
    return error.problems[0]


def refuse_damaged(path: Path, data: bytes, parse: Callable[[str], object]) -> None:
    """Raise ConfigError for a file that is to be restored before anything is written to it."""
    damage = damage_of(path, data)
    if damage is not None and backups.last_good(path, parse) is not None:
        raise ConfigError([_and(damage, f"nothing is written to it before {command(path)}")])


def command(path: Path) -> str:
    """Return the command that brings the last good version of a file back."""
    return f"gemma-eval config restore {shlex.quote(str(path))}"


def _flaw_of_bytes(data: bytes) -> tuple[int, str] | None:
    """Return the line and what is wrong, for bytes that are no text."""
    if not data.strip():
        return 0, "is empty"
    if b"\0" in data:
        return _line(data, data.index(b"\0")), "has zero bytes"
    try:
        data.decode()
    except UnicodeDecodeError as flaw:
        return _line(data, flaw.start), "is not UTF-8 here"
    return None


def _recovered(
    path: Path, data: bytes, parse: Callable[[str], T], error: ConfigError
) -> tuple[T, str | None]:
    damage = damage_of(path, data, error)
    if damage is None and not isinstance(error, NotParsed):
        raise error
    good = backups.last_good(path, parse)
    if good is None:
        raise error
    if damage is None:
        way_back = f"or bring its version of {good.backup.when} back: {command(path)}"
        raise ConfigError([_and(problem, way_back) for problem in error.problems]) from error
    return good.value, _notice(damage, good)


def _notice(damage: Problem, good: Good[T]) -> str:
    return f"{damage}; its version of {good.backup.when} is used; {command(damage.path)} brings that back"


def _and(problem: Problem, what: str) -> Problem:
    return Problem(path=problem.path, line=problem.line, what=f"{problem.what}; {what}")


def _is_cut(data: bytes, error: ConfigError) -> bool:
    """Whether what cannot be read is the last line, which has no end, with something left open in JSON."""
    if data.endswith(b"\n") or error.problems[0].line < _line(data, len(data)):
        return False
    between = _STRING.sub(b"", data)
    return not data.lstrip().startswith(b"{") or b'"' in between or between.count(b"{") > between.count(b"}")


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NAMES = "|".join(sorted({"version", "profiles", "model", *(key.path[0] for key in KEYS)}))
_OWN = re.compile(rf"^[\s{{\[\"']*(?:{_NAMES})\b".encode(), re.MULTILINE)
"""Begins a line of one of the files, also of one that has a slip in it or a conflict of git."""


def _is_another(data: bytes, error: ConfigError) -> bool:
    """Whether a text is not of its format from the first line on, and has nothing that these files have."""
    first = _line(data, len(data) - len(data.lstrip()))
    is_from_first_line = error.problems[0].line == first and not data.lstrip().startswith(b"{")
    return is_from_first_line and not _OWN.search(data)


def _is_beginning(path: Path, data: bytes) -> bool:
    """Whether this is the newest version without its end."""
    newest = backups.listed(path)[:1]
    try:
        kept = read.read_bytes(newest[0].path) if newest else b""
    except read.ReadError:
        return False
    return kept.startswith(data) and kept[len(data) :].strip() != b""


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
