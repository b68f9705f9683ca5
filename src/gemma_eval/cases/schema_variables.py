"""What a case may give to the templates of its prompt: numbers and texts by name, and what time it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from gemma_eval.files import variables
from gemma_eval.files.rows import name_flaw, show

_LONGEST = 10_000


def numbers(given: Mapping[str, float | str] | None) -> dict[str, float]:
    """Return the variables that are numbers, which reports draw scores against."""
    return {name: float(value) for name, value in (given or {}).items() if not isinstance(value, str)}


def texts(given: Mapping[str, float | str] | None) -> dict[str, str]:
    """Return the variables that are texts, which templates alone use."""
    return {name: value for name, value in (given or {}).items() if isinstance(value, str)}


def _value(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is {show(value)}; it should be a number, or a text in quotes")
    if isinstance(value, str):
        if len(value) > _LONGEST:
            raise ValueError(f"is longer than {_LONGEST:,} characters")
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"is {show(value)}; it should be a finite number")
    return number


def _named(given: dict[str, float | str]) -> dict[str, float | str]:
    for name, value in given.items():
        flaw = variables.flaw(name) if isinstance(value, str) else name_flaw(name)
        if what := flaw or variables.clash(name):
            raise ValueError(f"has a key that {what}")
    return given


def _now(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    example = 'give a date or a time with one, as "2026-11-29" or "2026-11-29T12:00"'
    if isinstance(value, time) or not isinstance(value, str):
        raise ValueError(f"is {value if isinstance(value, time) else show(value)}; {example}")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"is {show(value)}; {example}") from None
    return value


_NUMBER_OR_TEXT = WithJsonSchema({"type": ["number", "string"]})

Variables = Annotated[
    dict[str, Annotated[float | str, PlainValidator(_value), _NUMBER_OR_TEXT]], AfterValidator(_named)
]
"""Numbers, which reports chart, and texts, by the names that templates use."""
Now = Annotated[str, PlainValidator(_now), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-?\d{2}"})]
"""A date or a time in ISO 8601, as a text or as TOML has it."""
