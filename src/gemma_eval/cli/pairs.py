"""Values of the command line, as `top_k=40`, read by the types of the keys of a file."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.files.rows import Row, show

Path = tuple[str, ...]


def read(kind: type[Row], pairs: Iterable[str], *, noun: str) -> dict[Path, object]:
    """Return the values of `key=value` by key, each as the row has it; `key.inner=value` is for tables.

    A list may be given whole as JSON, or item by item with the key again. Raises UsageError, UnknownName.
    """
    given: dict[Path, object] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise UsageError(f"{show(pair)} is no key=value, as {_example(kind)}")
        at = key(kind, name, noun=noun)
        value = _value(kind, at, text)
        if at in given and isinstance(given[at], list) and isinstance(value, list):
            value = [*cast("list[object]", given[at]), *value]
        elif at in given:
            raise UsageError(f"{show(name)} is given twice; give it once")
        given[at] = value
    return given


def changes(
    kind: type[Row], pairs: Iterable[str], unset: Iterable[str], *, noun: str
) -> dict[Path, object | None]:
    """Return what `read` does, and `None` for each key to take out. Raises UsageError, UnknownName."""
    given: dict[Path, object | None] = dict(read(kind, pairs, noun=noun))
    for name in unset:
        at = key(kind, name, noun=noun)
        if at in given and given[at] is not None:
            raise UsageError(f"{show(name)} is given a value and taken out; do one of the two")
        given[at] = None
    return given


def key(kind: type[Row], name: str, *, noun: str) -> Path:
    """Return the path of a key; a key that is no table has no dots in it. Raises UnknownName, UsageError."""
    first, dot, rest = name.partition(".")
    if first not in kind.model_fields:
        raise UnknownName(f"key of a {noun}", name, kind.model_fields)
    if not dot:
        return (first,)
    if not _holds(kind, first, dict) or not rest:
        raise UsageError(f"{first} is no table, and has no key {show(rest)}; write {first}=…")
    return (first, rest)


def option(text: str) -> object:
    """Return a value whose type nobody names: JSON where it is that, else the text itself."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return text if value is None or isinstance(value, dict) else value


def _value(kind: type[Row], at: Path, text: str) -> object:
    if len(at) > 1:
        return option(text)
    first = at[0]
    if _holds(kind, first, str) and not _holds(kind, first, list):
        return text
    value = _number(text) if _holds(kind, first, float) else option(text)
    if _holds(kind, first, dict):
        return _table(first, text)
    if not _holds(kind, first, list) or isinstance(value, list):
        return value
    whole = _words(kind, first)
    return text if text in whole else text.split(",") if whole else [text]


def _number(text: str) -> object:
    """Return a number that is written as Python reads it (`.5`, `1_000`), else what JSON has."""
    value = option(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _table(name: str, text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(
            f'{name} is {show(text)}; it should be a JSON object, as {{"…": 1}}, or {name}.KEY=…'
        )
    return cast(Mapping[str, object], value)


def _holds(kind: type[Row], name: str, wanted: type) -> bool:
    """Whether a key may be of a type, or a list or table of whatever."""
    return any((get_origin(part) or part) is wanted for part in _parts(kind.model_fields[name].annotation))


def _words(kind: type[Row], name: str) -> tuple[str, ...]:
    """Return the words that a key may have."""
    parts = _parts(kind.model_fields[name].annotation)
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def _parts(annotation: object) -> Iterable[object]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _example(kind: type[Row]) -> str:
    return "top_k=40" if "top_k" in kind.model_fields else "context_tokens=4096"


def _refuse(constant: str) -> None:
    """JSON proper has no NaN and no infinity."""
    raise ValueError(constant)
