"""The options of a model, each looked at before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from gemma_eval.errors import UnknownName, WrongSetting
from gemma_eval.files.rows import show
from gemma_eval.records import ModelSpec, Option

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")

Needed = Callable[[str, Option], str | None]
"""Says what an option needs when the value is not that."""


def checked(spec: ModelSpec, usual: S, *, needed: Needed) -> S:
    """Return `usual`, settings with a field for each option, with the options that a model has.

    Raises UnknownName, WrongSetting for a value that is none.
    """
    known = tuple(option.name for option in fields(usual))
    for option, value in spec.options.items():
        if option not in known:
            raise UnknownName(f"option of the model {spec.name} (backend {spec.backend})", option, known)
        if what := needed(option, value):
            said = f"{option} = {show(value)}; {what} is needed"
            raise WrongSetting(spec.name, "options", option, what=said)
    return replace(usual, **spec.options)


def count_needed(value: Option) -> str | None:
    """Say what a count of threads needs when the value is not that."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return None if is_count else "a whole number of at least 1"
