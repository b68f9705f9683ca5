"""The options of a check, read by name and type, with a message for whatever is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from gemma_eval.errors import UsageError, suggestion
from gemma_eval.records import Option, Options

T = TypeVar("T", bound=str)


class CheckOptions:
    """Options as a person gave them to one scorer; each `UsageError` names scorer, option and remedy."""

    def __init__(self, scorer: str, options: Options, *, known: Sequence[str]) -> None:
        """Refuse names that are not among `known`. Raises UsageError."""
        self._scorer = scorer
        self._options = options
        unknown = [
            f'unknown option "{name}"{suggestion(name, known)}' for name in options if name not in known
        ]
        if unknown:
            raise UsageError(f"{scorer}: {'; '.join(unknown)}")

    def given(self, *names: str) -> tuple[str, ...]:
        """Return those of `names` that were given."""
        return tuple(name for name in names if name in self._options)

    def text(self, name: str) -> str:
        """Return a text that is not empty. Raises UsageError when it is absent or something else."""
        value = self._required(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a text that is not empty", value)
        return value

    def text_or(self, name: str, default: str) -> str:
        """Return a text, which may be empty, or `default`. Raises UsageError when it is something else."""
        value = self._options.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "a text", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return one or more texts, given as a list or as one text. Raises UsageError."""
        texts = self.texts_or_empty(name)
        if not all(texts):
            raise self.wrong(name, "a text or a list of texts, none of them empty", self._options[name])
        return texts

    def texts_or_empty(self, name: str) -> tuple[str, ...]:
        """Return one or more texts, of which some may be empty. Raises UsageError."""
        value = self._required(name)
        items = (value,) if isinstance(value, str) else value
        if not isinstance(items, tuple | list) or not items:
            raise self.wrong(name, "a text or a list of texts", value)
        texts = tuple(item for item in items if isinstance(item, str))
        if len(texts) != len(items):
            raise self.wrong(name, "a text or a list of texts, none of them empty", value)
        return texts

    def number(self, name: str, *, default: float | None = None, least: float = -math.inf) -> float:
        """Return a finite number of at least `least`. Raises UsageError when absent or something else."""
        value = self._required(name) if default is None else self._options.get(name, default)
        what = "a finite number" if least == -math.inf else f"a finite number of at least {least:g}"
        # A bool is an int to Python, and nobody means one by `value = true`.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, what, value)
        if not math.isfinite(value) or value < least:
            raise self.wrong(name, what, value)
        return value

    def number_or_text(self, name: str) -> float | str:
        """Return a finite number, or a text that is not empty. Raises UsageError when it is neither."""
        value = self._required(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(name, "a finite number or the text of one", value)
        return value

    def whole(self, name: str, *, default: int | None = None, least: int = 0) -> int | None:
        """Return a whole number of at least `least`, or `default`. Raises UsageError for anything else."""
        value = self._options.get(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(name, f"a whole number of at least {least}", value)
        return value

    def choice(self, name: str, allowed: tuple[T, ...]) -> T:
        """Return one of the words `allowed`, the first when none was given. Raises UsageError."""
        value = self._options.get(name, allowed[0])
        for word in allowed:
            if word == value:
                return word
        known = ", ".join(f'"{word}"' for word in allowed[:-1])
        near = suggestion(value, allowed) if isinstance(value, str) else ""
        hint = near if "did you mean" in near else ""
        right = f'{known} or "{allowed[-1]}"'
        raise UsageError(f"{self.wrong(name, right, value)}{hint}")

    def match_number(self, name: str) -> int:
        """Return which match counts, from 0 or from -1 backwards; *first* and *last* are the words for these.

        Raises UsageError when it is something else.
        """
        index = self._options.get(name)
        if isinstance(index, int) and not isinstance(index, bool):
            return index
        return 0 if self.choice(name, ("first", "last")) == "first" else -1

    def flag(self, name: str) -> bool:
        """Return true or false, false when it was not given. Raises UsageError for anything else."""
        value = self._options.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false", value)
        return value

    def wrong(self, name: str, right: str, value: Option) -> UsageError:
        """Return the error that says what `name` must be and what it is."""
        return UsageError(f'{self._scorer}: "{name}" must be {right}, not {_shown(value)}')

    def problem(self, what: str) -> UsageError:
        """Return the error that says what is wrong with several options together."""
        return UsageError(f"{self._scorer}: {what}")

    def _required(self, name: str) -> Option:
        if name not in self._options:
            raise UsageError(f'{self._scorer}: the option "{name}" is missing')
        return self._options[name]


def _shown(value: Option) -> str:
    """Write a value as the suite has it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
