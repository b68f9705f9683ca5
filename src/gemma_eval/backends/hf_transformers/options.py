"""The options of a model that transformers runs, checked and with their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from gemma_eval.backends.hf_transformers.model import Device, Dtype
from gemma_eval.backends.options import checked, count_needed
from gemma_eval.records import ModelSpec, Option


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names; `threads` is `None` when the size of the model decides."""

    dtype: Dtype = "float32"
    device: Device = "cpu"
    threads: int | None = None


def settings(spec: ModelSpec) -> Settings:
    """Return the settings of a model. Raises UnknownName, BackendError for a value that is none."""
    return checked(spec, Settings(), needed=_needed)


def _needed(option: str, value: Option) -> str | None:
    """Say what an option needs when `value` is not that."""
    if option == "threads":
        return count_needed(value)
    known = get_args(Dtype if option == "dtype" else Device)
    return None if value in known else " or ".join(f'"{name}"' for name in known)
