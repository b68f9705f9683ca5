"""JSON as its standard has it, read from text that a model wrote.

`json.loads` lets through what is no JSON (NaN), what has no one meaning (a key twice) and what breaks who
uses it (numbers beyond a double, nesting beyond the stack); here each is refused with its reason.
Source: RFC 8259, and RFC 6901 for pointers.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

DEEPEST = 100
"""How many levels of arrays and objects are read."""


class NotJson(ValueError):
    """A text is not JSON; the message says why, and `position` how far it was read."""

    def __init__(self, why: str, position: int) -> None:
        """Keep both."""
        super().__init__(why)
        self.position = position


def parsed(text: str) -> Json:
    """Return the value of a text that is JSON and nothing else. Raises NotJson."""
    stripped = _Uncounted(text.strip(_SPACE))
    value, end = _first_value(stripped, 0)
    if end < len(stripped):
        end = len(stripped) - len(stripped[end:].lstrip(_SPACE))
        raise NotJson(f"more text after the value, at character {end + 1}", end)
    return value


def values_within(text: str) -> Iterator[Json]:
    """Yield the objects and arrays in a text that holds other things too, outermost ones only.

    Raises NotJson when so many brackets open what is no JSON that a search would take too long.
    """
    text, position, effort = _Uncounted(text), 0, 16 * len(text) + 10_000
    while (bracket := _BRACKET.search(text, position)) is not None:
        start = bracket.start()
        try:
            value, position = _first_value(text, start)
        except NotJson as error:
            position = start + 1
            effort -= error.position - start
            if effort < 0:
                raise NotJson("too many brackets that open no JSON", start) from error
        else:
            yield value


def canonical(value: Json) -> str:
    """Return one text for all values that are equal as JSON has it: 1 and 1.0, keys in any order."""
    return json.dumps(_whole_as_int(value), sort_keys=True)


def at(value: Json, pointer: str) -> Json:
    """Return what the JSON pointer leads to (`/a/0`, "" for the whole). Raises KeyError."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise KeyError(key)
    return value


def first_difference(found: Json, wanted: Json, *, pointer: str = "") -> str:
    """Return the JSON pointer to the first place where two different values differ."""
    pairs: Iterable[tuple[object, Json, Json]] = ()
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        pairs = ((key, found[key], wanted[key]) for key in wanted)
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = ((index, *pair) for index, pair in enumerate(zip(found, wanted, strict=True)))
    for key, left, right in pairs:
        if canonical(left) != canonical(right):
            step = str(key).replace("~", "~0").replace("/", "~1")
            return first_difference(left, right, pointer=f"{pointer}/{step}")
    return pointer


_SPACE = " \t\r\n"
_BRACKET = re.compile(r"[\[{]")
_INDEX = re.compile("0|[1-9][0-9]{0,8}")


def _first_value(text: _Uncounted, start: int) -> tuple[Json, int]:
    """Return the value that begins at `start`, and where it ends. Raises NotJson."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg}, at character {error.pos + 1}", error.pos) from error
    except RecursionError as error:
        raise NotJson(_TOO_DEEP, len(text)) from error
    except _Refused as error:
        raise NotJson(str(error), len(text)) from error
    if _depth(value) > DEEPEST:
        raise NotJson(_TOO_DEEP, end)
    return value, end


class _Uncounted(str):
    """A text whose lines are not counted: an error of `json` counts them, from the beginning each time."""

    __slots__ = ()

    def count(self, *_: object) -> int:
        """Say that there is one line."""
        return 0

    def rfind(self, *_: object) -> int:
        """Say that it begins with the text."""
        return 0


class _Refused(ValueError):
    """The standard library reads it, and it is refused all the same."""


def _no_constant(name: str) -> float:
    raise _Refused(f"{name} is no JSON")


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused("a number is beyond the range of a double")
    return value


def _integer(digits: str) -> int:
    _real(digits)
    return int(digits)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    table = dict(pairs)
    if len(table) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _Refused(f"the key {json.dumps(twice)} occurs twice in one object")
    return table


_DECODER = json.JSONDecoder(
    parse_float=_real, parse_int=_integer, parse_constant=_no_constant, object_pairs_hook=_unique
)
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


def _depth(value: Json) -> int:
    """Count the levels without recursion."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | dict)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _whole_as_int(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_as_int(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole_as_int(each) for key, each in value.items()}
    return value
