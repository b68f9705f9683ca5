"""Facts: names and values in words, by themselves or under a title."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gemma_eval.records import Option

Pairs = Sequence[tuple[str, str]]
"""Names of facts with their values in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A name and a value in words."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A titled list of facts."""

    title: str
    facts: tuple[Fact, ...]


def facts(pairs: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    """Return pairs of a name and a value as facts."""
    return tuple(Fact(name=name, value=value) for name, value in pairs)


def option(value: Option) -> str:
    """Write the value of an option; several are parted by spaces."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
