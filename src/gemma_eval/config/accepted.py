"""Regressions that people have accepted, from `gemma-accepted.toml`: read it, and add to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, FiniteFloat, PlainValidator

from gemma_eval.config.files import Problems, decoded, read_text
from gemma_eval.errors import ConfigError, Problem, UsageError
from gemma_eval.files import decode, locate, rows, writing
from gemma_eval.files.read import LARGEST_BYTES, ReadError
from gemma_eval.records import Acceptance

HEAD = "# Regressions that were accepted for a while; docs/gate_files.md tells how they are read.\n"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})([dw])", re.ASCII)
_DAYS = {"d": 1, "w": 7}
_OPTIONAL = ("low", "commit")
_EXAMPLES = {
    "gate": '"score"',
    "group": '"pocket/greedy/plain"',
    "difference": "0.03",
    "reason": '"…"',
    "author": '"…"',
    "run": '"…"',
    "accepted": '"2026-11-24"',
    "expires": '"2026-12-24"',
}


def _day(value: object) -> str:
    """Accept a day as TOML writes it, with quotes or without."""
    if type(value) is date:
        return value.isoformat()
    if isinstance(value, str) and is_day(value):
        return value
    raise ValueError(f'is {_shown(value)}; it should be a day, as "2026-12-24"')


_OF_A_TEST = "::"


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else rows.show(value)


def _group(text: str) -> str:
    parts = text.split("/")
    is_test = _OF_A_TEST in text
    if not is_test and (len(parts) not in (3, 4) or any(map(rows.name_flaw, parts))):
        wanted = '"model/profile/template", with "/retrieval" if that has a name, or the full name of a test'
        raise ValueError(f"is {rows.show(text)}; it should be {wanted}")
    return text


Day = Annotated[str, PlainValidator(_day)]


class AcceptanceRow(rows.Row):
    """`[[accepted]]`; the keys are those of `records.Acceptance`."""

    gate: rows.Name | None = None
    group: Annotated[str, AfterValidator(_group)] | None = None
    difference: FiniteFloat | None = None
    low: FiniteFloat | None = None
    reason: rows.Text | None = None
    author: rows.Text | None = None
    run: rows.Text | None = None
    commit: rows.Text | None = None
    accepted: Day | None = None
    expires: Day | None = None


class AcceptedRow(rows.Row):
    """A whole gemma-accepted.toml."""

    accepted: list[AcceptanceRow] | None = None


def load_accepted(path: Path) -> tuple[Acceptance, ...]:
    """Return the acceptances of a file in its order, the expired ones too; none when there is no file.

    Raises ConfigError with every problem of the file.
    """
    return _parsed(read_text(path), path) if path.exists() else ()


def accept(path: Path, acceptance: Acceptance) -> None:
    """Write an acceptance at the end of the file, which is made where there is none; all else stays as it is.

    The file is replaced in one step, and only by one that can be read. Raises ConfigError.
    """
    before = load_accepted(path)
    if flaw := _unwritable(acceptance):
        raise ConfigError([Problem(path=path, line=0, what=flaw)])
    try:
        text = path.read_bytes() if path.exists() else None
        data = (HEAD.encode() if text is None else text) + _addition(text or HEAD.encode(), acceptance)
        if len(data) > LARGEST_BYTES or _reread(data, path) != (*before, acceptance):
            what = "cannot be added to: give each acceptance as a table below [[accepted]], in a file of"
            raise ConfigError([Problem(path=path, line=0, what=f"{what} at most 1 MiB")])
        writing.write(path, data, seen=writing.ABSENT if text is None else writing.digest(text))
    except writing.WriteError as error:
        raise ConfigError([Problem(path=path, line=0, what=error.what)]) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError([Problem(path=path, line=0, what=f"cannot be read: {reason}")]) from error


def expiry(text: str, *, today: str) -> str:
    """Return the day that `30d`, `2w` or `2026-12-24` means. Raises UsageError: it is none, or is over."""
    if match := _SPAN.fullmatch(text):
        day = _later(today, days=int(match[1]) * _DAYS[match[2]])
    else:
        day = text if is_day(text) else None
    if day is None:
        raise UsageError(f"{rows.show(text)} is no time to expire; give days or weeks as 30d or 2w, or a day")
    if day < today:
        raise UsageError(f"{day} is over; an acceptance should expire on a later day")
    return day


def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar, as `2026-12-24`."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _later(today: str, *, days: int) -> str | None:
    try:
        return (date.fromisoformat(today) + timedelta(days=days)).isoformat() if days else None
    except OverflowError:
        return None


def _parsed(text: str, path: Path) -> tuple[Acceptance, ...]:
    try:
        table, lines = decode.toml(text)
    except ReadError as error:
        raise ConfigError([Problem(path=path, line=error.line, what=error.what)]) from error
    problems = Problems(path, lines)
    row, flaws = rows.check(AcceptedRow, table)
    given = row.accepted or []
    for flaw in flaws:
        _say_flaw(flaw, given, problems)
    flawed = {flaw.path[:3] for flaw in flaws}
    found = [_acceptance(index, each, flawed, problems) for index, each in enumerate(given)]
    problems.stop()
    return tuple(each for each in found if each is not None)


def _reread(data: bytes, path: Path) -> tuple[Acceptance, ...] | None:
    try:
        return _parsed(decoded(data, path=path), path)
    except ConfigError:
        return None


def _say_flaw(flaw: rows.Flaw, given: list[AcceptanceRow], problems: Problems) -> None:
    match flaw.path:
        case ("accepted", int(index), *_):
            row = given[index] if index < len(given) else AcceptanceRow()
            problems.say(flaw.path, _name(index, row) + flaw.text(below=2))
        case ("accepted",):
            problems.say(flaw.path, "accepted should be a list of tables; begin each with [[accepted]]")
        case _:
            problems.say(flaw.path, flaw.text())


def _acceptance(
    index: int, row: AcceptanceRow, flawed: Collection[locate.Path], problems: Problems
) -> Acceptance | None:
    at: locate.Path = ("accepted", index)
    absent = [key for key in AcceptanceRow.model_fields if getattr(row, key) is None and key not in _OPTIONAL]
    for key in absent:
        if (*at, key) not in flawed:
            problems.say(at, f"{_name(index, row)}needs {key}, as {key} = {_EXAMPLES[key]}")
    return None if absent else Acceptance(**{**dict.fromkeys(_OPTIONAL), **row.model_dump()})


def _name(index: int, row: AcceptanceRow) -> str:
    return f"accepted {rows.show(row.gate)}: " if row.gate else f"accepted number {index + 1}: "


def _addition(before: bytes, acceptance: Acceptance) -> bytes:
    """Return what follows the text of a file, with line ends like its own."""
    given = [(key, value) for key, value in asdict(acceptance).items() if value is not None]
    lines = ["", "[[accepted]]", *(f"{key} = {_written(value)}" for key, value in given), ""]
    if before and not before.endswith(b"\n"):
        lines = ["", *lines]
    return "\n".join(lines).replace("\n", "\r\n" if b"\r\n" in before else "\n").encode()


def _written(value: str | float) -> str:
    """Write a value as TOML, a text on one line: what JSON escapes TOML does, too, and DEL besides."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(float(value))


def _unwritable(acceptance: Acceptance) -> str | None:
    """Say which text no file can hold, `None` if all can be written."""
    for key, value in asdict(acceptance).items():
        if isinstance(value, str) and value.encode(errors="replace") != value.encode(errors="surrogatepass"):
            return f"cannot hold the {key} {rows.show(value)}, which has half of a letter"
    return None
