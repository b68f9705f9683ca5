"""What a template may do, within limits: each function here accounts for what it makes before it makes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from jinja2.filters import do_round
from jinja2.runtime import Undefined

MOST_CHARACTERS = 1 << 20
"""The longest text that a template may make."""
MOST_WORK = 8 * MOST_CHARACTERS
"""The characters and list items that one rendering may make in all."""
MOST_ITEMS = 10_000
MOST_STEPS = 100_000
MOST_BITS = 256

MOST_DIGITS = 308

_LEAST = 8
"""A piece of a text is charged as so many characters at least, for it takes time however short it is."""
_OF_AN_ITEM = 4
"""An item that is compared is charged as so many characters."""
_AT_ONCE = 64
"""So many characters of a text are compared in the time in which one is made."""

P = ParamSpec("P")
R = TypeVar("R")


class RefusedError(Exception):
    """A template asked for something that it may not have; the message goes on after its line."""


@dataclass(slots=True)
class Meter:
    """What one rendering has used up."""

    steps: int = 0
    work: int = 0

    def step(self) -> None:
        """Account for one turn of a loop or one call."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise RefusedError(f"it takes more than {MOST_STEPS:,} loop turns and calls")

    def charge(self, size: int) -> None:
        """Account for a text or list of this size, before it is made where that can be known."""
        self.work += size
        if size > MOST_CHARACTERS or self.work > MOST_WORK:
            raise RefusedError(
                f"it makes more than {MOST_CHARACTERS:,} characters, or makes and compares too many in all"
            )


METER: ContextVar[Meter] = ContextVar("meter of the rendering under way")


def short_range(*limits: int) -> range:
    """Return a range that is not too long: `range` in a template."""
    numbers = range(*limits)
    if len(numbers) > MOST_ITEMS:
        raise RefusedError(f"range() of more than {MOST_ITEMS:,} numbers is not allowed")
    return numbers


def raise_exception(message: str) -> None:
    """Stop, as a chat template does that cannot write a conversation."""
    raise RefusedError(f"the template says: {printable(message)}")


def printable(value: object) -> object:
    """Return what may be printed; an undefined value raises when it becomes text."""
    if value is None or isinstance(value, str | bool | int | float | Undefined):
        return value
    raise RefusedError(f"a {type(value).__name__} cannot be printed; use join or tojson")


def present(value: object) -> object:
    """Return what may be printed and is there; a null of a row is none."""
    if value is None:
        raise RefusedError("a null is no text; give another one, as default('…', true) does")
    return printable(value)


def concat(pieces: Iterable[str]) -> str:
    """Join what a template, a macro or a block has written, and stop as soon as it is too much."""
    meter, kept, size = METER.get(), [], 0
    for piece in pieces:
        meter.charge(max(len(piece), _LEAST))
        size += len(piece)
        if size > MOST_CHARACTERS:
            raise RefusedError(f"it makes more than {MOST_CHARACTERS:,} characters")
        kept.append(piece)
    return "".join(kept)


def join(items: Iterable[object], separator: str = "") -> str:
    """Join what can be printed."""

    def pieces() -> Iterator[str]:
        for index, item in enumerate(items):
            if index:
                yield str(separator)
            yield str(printable(item))

    return concat(pieces())


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """Replace `old`, when the result is not too long."""
    text = str(printable(text))
    found = text.count(old) if count < 0 else min(count, text.count(old))
    METER.get().charge(len(text) + found * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def to_json(
    value: object, ensure_ascii: object = None, indent: int | None = None, sort_keys: object = None
) -> str:
    """Return JSON as Hugging Face's `tojson` does: letters as they are, no HTML escapes."""
    encoder = json.JSONEncoder(
        ensure_ascii=bool(ensure_ascii),
        indent=None if indent is None else min(int(indent), 8),
        sort_keys=bool(sort_keys),
    )
    return concat(encoder.iterencode(value))


def metered(items: Iterable[R]) -> Iterator[R]:
    """Yield the items and account for each."""
    meter = METER.get()
    for item in items:
        meter.step()
        yield item


def compared(value: object) -> object:
    """Account for all that is inside of a value, for it is looked at when it is compared or looked up."""
    meter = METER.get()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            meter.charge(len(each) // _AT_ONCE)
        elif isinstance(each, list | tuple | dict | range):
            meter.charge(len(each) * _OF_AN_ITEM)
            waiting += (*each, *each.values()) if isinstance(each, dict) else ()
            waiting += each if isinstance(each, list | tuple) else ()
    return value


def searched(value: object) -> object:
    """Account for a value in which something is looked up; where in a dictionary that is, takes no time."""
    return value if isinstance(value, dict) else compared(value)


def found_in(text: str, letters: object) -> None:
    """Account for a search that may look at a part of `letters` for each letter of a text."""
    METER.get().charge(len(text) * (1 + size(letters) // _AT_ONCE))


def comparing(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a test so that what it compares is accounted for."""

    @wraps(function)
    def comparing(*args: P.args, **kwargs: P.kwargs) -> R:
        for arg in args:
            compared(arg)
        return function(*args, **kwargs)

    return comparing


def rounded(number: float, precision: int = 0, method: str = "common") -> float:
    """Round to so many digits, which are not more than a number has."""
    if not -MOST_DIGITS <= precision <= MOST_DIGITS:
        raise RefusedError(f"round to {precision} digits is not allowed")
    return do_round(number, precision, method)  # type: ignore[arg-type]


def charged(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a filter so that the texts and lists it is given, and so may copy, are charged."""

    @wraps(function)
    def charged(*args: P.args, **kwargs: P.kwargs) -> R:
        METER.get().charge(sum(size(arg) for arg in args))
        return function(*args, **kwargs)

    return charged


def of_text(function: Callable[..., str]) -> Callable[..., str]:
    """Wrap a filter of texts so that it takes what can be printed and nothing else, and charge it."""

    @wraps(function)
    def checked(value: object, *args: object) -> str:
        for arg in (None, *args):
            found_in(str(printable(value)), arg)
        return function(printable(value), *args)

    return checked


def size(value: object) -> int:
    """Return how much a copy of a text or list would take; other values take nothing worth counting."""
    return len(value) if isinstance(value, str | list | tuple | dict | range) else 0


def bits(number: float) -> int:
    """Return the bits of a whole number, 64 for others."""
    return number.bit_length() if isinstance(number, int) else 64
