"""Decode TOML and JSON texts into plain tables, with the line of every key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import cast

from gemma_eval.files.locate import Later, Lines, json_lines, toml_lines
from gemma_eval.files.read import ReadError
from gemma_eval.files.tokens import DEEPEST, json_tokens, toml_tokens

Table = Mapping[str, object]

_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


def toml(text: str) -> tuple[Table, Lines]:
    """Return the table of a TOML text and its lines, which are looked for late as those of JSON are.

    Raises ReadError.
    """
    if (plain := _plain_toml(text)) is not None:
        return plain, Lines(Later(lambda: toml_lines(toml_tokens(text)).of))
    tokens = toml_tokens(text)
    table = _guarded(lambda: tomllib.loads(text), last_line=text.count("\n") + 1)
    return table, toml_lines(tokens)


def json_table(text: str) -> tuple[Table, Lines]:
    """Return the object of a JSON text and its lines. Raises ReadError.

    NaN and infinities pass, for the field that has one is the better place to complain. The lines are looked
    for when the first is asked for: of a file that is right nobody asks, and finding them takes longer than
    all else.
    """
    if (plain := _plain_json(text)) is not None:
        return plain, Lines(Later(lambda: json_lines(json_tokens(text)).of))
    tokens = json_tokens(text)
    table = _guarded(lambda: json.loads(text), last_line=text.count("\n") + 1)
    if not isinstance(table, dict):
        raise ReadError("is not a JSON object: it should begin with {", line=1)
    if (index := _lone_surrogate(text)) is not None:
        raise ReadError("has half of a surrogate pair", line=text.count("\n", 0, index) + 1)
    return cast(Table, table), json_lines(tokens)


def _plain_json(text: str) -> Table | None:
    """Return the object of a text that nothing is to be said of, `None` of one that needs a closer look."""

    def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key is given twice")
        return table

    try:
        table = json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return None
    if not isinstance(table, dict) or _is_too_deep(table) or _lone_surrogate(text) is not None:
        return None
    return table


def _plain_toml(text: str) -> Table | None:
    """Return the same of a TOML text, whose parser is spared what might exhaust it."""
    for line in text.split("\n"):
        opened = line.count("[") + line.count("{")
        if opened != line.count("]") + line.count("}") or opened > DEEPEST or line.count(".") >= DEEPEST:
            return None
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return None
    return None if _is_too_deep(table) else table


def _is_too_deep(table: object) -> bool:
    level, depth = [table], 0
    while level:
        depth += 1
        within = [each.values() if isinstance(each, dict) else cast("list[object]", each) for each in level]
        level = [value for values in within for value in values if isinstance(value, dict | list)]
    return depth > DEEPEST


def _guarded(parse: Callable[[], dict[str, object]], *, last_line: int) -> dict[str, object]:
    try:
        return parse()
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else last_line
        raise ReadError(f"is not TOML: {_lowered(_PLACE.sub('', str(error)))}", line=line) from error
    except json.JSONDecodeError as error:
        raise ReadError(f"is not JSON: {_lowered(error.msg)}", line=error.lineno) from error
    except ValueError as error:
        raise ReadError("has a number with too many digits") from error
    except (RecursionError, MemoryError, OverflowError) as error:
        raise ReadError("is nested too deep or has too large a number") from error


def _lone_surrogate(text: str) -> int | None:
    pair = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    if "\\u" not in text:
        return None
    for match in re.finditer(rf"\\\\|{pair}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{{2}})", text):
        if match["lone"]:
            return match.start()
    return None


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
