"""The options of a model that transformers runs, checked and with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import get_args

from gemma_eval.backends.hf_transformers.model import Device, Dtype
from gemma_eval.errors import BackendError, UnknownName
from gemma_eval.files.rows import show
from gemma_eval.records import ModelSpec, Option


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; `threads` is `None` when the size of the model decides."""

    dtype: Dtype = "float32"
    device: Device = "cpu"
    threads: int | None = None


OPTIONS = tuple(option.name for option in fields(Settings))


def settings(spec: ModelSpec) -> Settings:
    """Return the settings of a model. Raises UnknownName, BackendError for a value that is none."""
    for option, value in spec.options.items():
        if option not in OPTIONS:
            raise UnknownName(f"option of the model {spec.name} (backend hf_transformers)", option, OPTIONS)
        if needed := _needed(option, value):
            raise BackendError(f"model {spec.name}: {option} = {show(value)}; {needed} is needed")
    given: Mapping[str, object] = spec.options
    return Settings(**given)  # type: ignore[arg-type]  # the loop above has looked at each


def _needed(option: str, value: Option) -> str | None:
    """Say what an option needs when `value` is not that."""
    if option == "threads":
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return None if is_count else "a whole number of at least 1"
    known = get_args(Dtype if option == "dtype" else Device)
    return None if value in known else " or ".join(f'"{name}"' for name in known)
