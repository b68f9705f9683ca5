"""Check a table against a row, a pydantic model of what a person may write, and say all that is wrong."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails

from gemma_eval.errors import suggestion
from gemma_eval.files.locate import Path
from gemma_eval.records import Option


class Row(BaseModel):
    """A table of a file: unknown keys and loose types are refused, and every key may be absent.

    Which keys are needed is the business of whoever reads the row, so that one missing key does not
    hide what is wrong with the others.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


R = TypeVar("R", bound=Row)

ALTERNATIVE = "one of: "
"""Tags of a pydantic union begin so and go on with what is expected; they are no part of a path."""

_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,100}")
_EXPECTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, as [ … ]",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a finite number",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_SIZES = {
    "too_long": ("max_length", "at most"),
    "too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
    "string_too_short": ("min_length", "at least"),
}
_KINDS = {"List": "a list", "Dictionary": "a table"}
_KEY = "[key]"
"""The last part of a pydantic path that is about the key of a table itself."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at one path of a table; `what` goes on after the name of the key, unless `whole`."""

    path: Path
    what: str
    whole: bool = False

    def text(self, *, below: int = 0) -> str:
        """Return the flaw as a clause; the key is named from the part number `below` of the path on."""
        return self.what if self.whole else f"{dotted(self.path[below:])} {self.what}".lstrip()


def check(kind: type[R], table: Mapping[str, object]) -> tuple[R, tuple[Flaw, ...]]:
    """Return the row of a table and its flaws; what is flawed is left out of the row."""
    flaws: list[Flaw] = []
    rest = dict(table)
    for _ in range(_MOST_ROUNDS):
        try:
            return kind.model_validate(rest), tuple(flaws)
        except ValidationError as error:
            details = error.errors(include_url=False)
        if not flaws:
            rest = copy.deepcopy(rest)  # what is flawed is taken out of it
        flaws.extend(_flaw(kind, detail) for detail in details)
        for detail in details:
            _remove(rest, _path(detail))
    return kind(), tuple(flaws)


def show(value: object) -> str:
    """Return a value as a message may print it: short, on one line, without control characters."""
    if isinstance(value, str):
        letters = (letter if letter.isprintable() else _escaped(letter) for letter in value[:_LONGEST_SHOWN])
        text = '"' + "".join(letters).replace('"', '\\"') + '"'
    else:
        text = _repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def dotted(path: Path) -> str:
    """Return `checks[0].pass_at` for `("checks", 0, "pass_at")`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return show(text)[1:-1]


def unknown(noun: str, given: str, known: Collection[str]) -> str:
    """Return `no model named "x"; did you mean "y"?`."""
    return f"no {noun} named {show(given)}{suggestion(given[:_LONGEST_SHOWN], known)}"


def name_flaw(name: str) -> str | None:
    """Say what is wrong with a name that becomes part of a test id, `None` when nothing is."""
    if _NAME.fullmatch(name):
        return None
    return f"is {show(name)}, which cannot be a name; use letters, digits and _ . + - (at most 100)"


def _slug(name: str) -> str:
    if what := name_flaw(name):
        raise ValueError(what)
    return name


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _distinct(items: list[str]) -> list[str]:
    if not items:
        raise ValueError("is an empty list; name at least one, or leave the key out")
    repeated = sorted({show(item) for item in items if items.count(item) > 1})
    if repeated:
        raise ValueError(f"names {', '.join(repeated)} more than once")
    return items


def _option(value: object) -> Option:
    items = value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, str | bool | int | float):
            raise ValueError(
                f"is {show(value)}; an option is a text, a number, true, false or a list of these"
            )
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"is {show(value)}; it should be finite")
        if isinstance(item, int) and abs(item) > _LARGEST_WHOLE:
            raise ValueError("is too large a number")
    return cast(Option, tuple(items) if isinstance(value, list) else value)


NAME = f"^{_NAME.pattern}$"
"""What a name is, as a pattern of JSON Schema."""
_SCALAR: JsonDict = {"type": ["string", "number", "boolean"]}

Name = Annotated[str, AfterValidator(_slug), WithJsonSchema({"type": "string", "pattern": NAME})]
"""A text that becomes part of a test id."""
Text = Annotated[str, AfterValidator(_filled), WithJsonSchema({"type": "string", "pattern": r"\S"})]
"""A text that is not blank."""
Names = Annotated[list[Name], Field(max_length=1000), AfterValidator(_distinct)]
"""A list of different names, at least one."""
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A seed that every engine can carry."""
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
"""A number in 0..1."""
OptionValue = Annotated[
    object,
    AfterValidator(_option),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}),
]
"""What `records.Option` can hold; lists become tuples."""

_MOST_ROUNDS = 8
_LARGEST_WHOLE = 2**63 - 1
_LONGEST_SHOWN = 80


def _repr(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as TOML and JSON write it
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{show(key)}: {show(item)}' for key, item in value.items())}}}"
    try:
        return repr(value)
    except ValueError:  # Python does not write whole numbers of more than 4,300 digits
        return "a number with too many digits"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _path(detail: ErrorDetails) -> Path:
    parts = [part for part in detail["loc"] if not str(part).startswith(ALTERNATIVE)]
    return tuple(parts[:-1] if parts[-1:] == [_KEY] else parts)


def _flaw(kind: type[Row], detail: ErrorDetails) -> Flaw:
    path, code = _path(detail), detail["type"]
    if code == "extra_forbidden":
        known = _row_at(kind, path[:-1]).model_fields
        near = suggestion(str(path[-1])[:_LONGEST_SHOWN], known)
        return Flaw(path, f"unknown key {show(path[-1])}{near}", whole=True)
    if code == "value_error":
        return Flaw(path, str(detail.get("ctx", {})["error"]))
    if detail["loc"][-1] == _KEY:
        return Flaw(path[:-1], f"has the key {show(detail['input'])}; a key should be {_wanted(detail)}")
    return Flaw(path, f"is {show(detail['input'])}; it should be {_wanted(detail)}")


def _wanted(detail: ErrorDetails) -> str:
    code, context = detail["type"], detail.get("ctx", {})
    if code in _LIMITS:
        name, words = _LIMITS[code]
        return f"{words} {context[name]:,}".removesuffix(".0")
    if code in _SIZES:
        name, words = _SIZES[code]
        return f"{_KINDS.get(context.get('field_type', ''), 'a text')} of {words} {context[name]:,}"
    if code == "literal_error":
        return str(context["expected"]).replace("'", '"')
    innermost = str(detail["loc"][-1])
    if innermost.startswith(ALTERNATIVE):
        return innermost.removeprefix(ALTERNATIVE)
    return _EXPECTED.get(code, detail["msg"])


def _row_at(kind: type[Row], path: Path) -> type[Row]:
    for part in path:
        if isinstance(part, str) and part in kind.model_fields:
            kind = _row_in(kind.model_fields[part].annotation) or kind
    return kind


def _row_in(annotation: object) -> type[Row] | None:
    if isinstance(annotation, type) and issubclass(annotation, Row):
        return annotation
    return next((row for part in get_args(annotation) if (row := _row_in(part))), None)


def _remove(table: dict[str, object], path: Path) -> None:
    """Remove the innermost key that `path` names; elements stay, so that the indices of others hold."""
    holder: object = table
    last: tuple[dict[str, object], str] | None = None
    for part in path:
        if isinstance(holder, dict) and isinstance(part, str):
            last = (holder, part)
            holder = holder.get(part)
        elif isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            holder = holder[part]
    if last is not None:
        last[0].pop(last[1], None)
