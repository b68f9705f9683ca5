"""Filters: what is made of an answer before a scorer reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Filter

TextToText = Callable[[str], str]


def build(filters: Sequence[Filter]) -> TextToText:
    """Return the pipeline that runs `filters` in their order. Raises UsageError, UnknownName."""
    steps = [_step(each) for each in filters]

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def _step(given: Filter) -> TextToText:
    if given.name not in _PLAIN:
        raise UnknownName("filter", given.name, _PLAIN)
    if given.options:
        raise UsageError(f"{given.name}: has no options")
    return _PLAIN[given.name]


_PLAIN: Mapping[str, TextToText] = {
    "strip": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "first_line": lambda text: text.strip().partition("\n")[0],
}
