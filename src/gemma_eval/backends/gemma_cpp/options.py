"""The options of a model that `gemma` of gemma.cpp runs, checked and with their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from gemma_eval.errors import BackendError, UnknownName
from gemma_eval.files.rows import show
from gemma_eval.records import ModelSpec, Option


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; those of type text are `None` when they are not given."""

    binary: str = "gemma"
    tokenizer: str | None = None
    model: str | None = None
    weight_type: str | None = None
    threads: int | None = None
    load_timeout_s: float = 600.0
    timeout_s: float = 600.0
    unseeded: bool = False


OPTIONS = tuple(option.name for option in fields(Settings))


def settings(spec: ModelSpec) -> Settings:
    """Return the settings of a model. Raises UnknownName, BackendError for a value that is none."""
    for option, value in spec.options.items():
        if option not in OPTIONS:
            raise UnknownName(f"option of the model {spec.name} (backend gemma_cpp)", option, OPTIONS)
        if needed := _needed(option, value):
            raise BackendError(f"model {spec.name}: {option} = {show(value)}; {needed} is needed")
    given: Mapping[str, object] = spec.options
    return Settings(**given)  # type: ignore[arg-type]  # the loop above has looked at each


def _needed(option: str, value: Option) -> str | None:
    """Say what an option needs when `value` is not that."""
    if option == "unseeded":
        return None if isinstance(value, bool) else "true or false"
    if option == "threads":
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return None if is_count else "a whole number of at least 1"
    if option in ("load_timeout_s", "timeout_s"):
        is_limit = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
        return None if is_limit else "a number of seconds above 0"
    return None if isinstance(value, str) and value else "a text that is not empty"
