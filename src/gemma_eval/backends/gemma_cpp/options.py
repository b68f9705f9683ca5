"""The options of a model that `gemma` of gemma.cpp runs, checked and with their defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemma_eval.backends.options import checked, count_needed
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


def settings(spec: ModelSpec) -> Settings:
    """Return the settings of a model. Raises UnknownName, BackendError for a value that is none."""
    return checked(spec, Settings(), needed=_needed)


def _needed(option: str, value: Option) -> str | None:
    """Say what an option needs when `value` is not that."""
    if option == "unseeded":
        return None if isinstance(value, bool) else "true or false"
    if option == "threads":
        return count_needed(value)
    if option in ("load_timeout_s", "timeout_s"):
        is_limit = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
        return None if is_limit else "a number of seconds above 0"
    return None if isinstance(value, str) and value else "a text that is not empty"
