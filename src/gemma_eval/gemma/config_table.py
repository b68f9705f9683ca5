"""Typed access to the tables of a config.json, with the place in every message."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NoReturn, TypeGuard

from gemma_eval.errors import ModelNotFound


class ConfigTable:
    """A table of a config; `where` names it in messages, and every method raises ModelNotFound."""

    def __init__(self, content: Mapping[str, object], where: str) -> None:
        self.content = content
        self.where = where

    def fail(self, what: str) -> NoReturn:
        """Raise ModelNotFound for this table."""
        raise ModelNotFound(f"{self.where}: {what}")

    def count(self, key: str, default: int) -> int:
        """Return a whole number of at least 1."""
        value = self.content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.fail(f"{key} is {value!r}, a whole number of at least 1 is needed")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a number above 0."""
        value = self.content.get(key, default)
        if not _is_positive(value):
            self.fail(f"{key} is {value!r}, a number above 0 is needed")
        return float(value)

    def optional_number(self, key: str, default: float | None = None) -> float | None:
        """Return a number above 0, or `None` when the config says null."""
        if self.content.get(key, default) is None:
            return None
        return self.number(key, default or 0.0)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers above 0, empty when it is absent or null."""
        values = self.content.get(key) or []
        if not isinstance(values, list) or not all(_is_positive(value) for value in values):
            self.fail(f"{key} is {values!r}, a list of numbers above 0 is needed")
        return tuple(float(value) for value in values)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.content.get(key, default)
        if not isinstance(value, bool):
            self.fail(f"{key} is {value!r}, true or false is needed")
        return value

    def table(self, key: str) -> ConfigTable:
        """Return a table within this one, empty when it is absent or null."""
        value = self.content.get(key) or {}
        if not isinstance(value, Mapping):
            self.fail(f"{key} is {value!r}, an object is needed")
        return ConfigTable(value, f"{self.where}: {key}")


def _is_positive(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
