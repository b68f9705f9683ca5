"""The `gguf` package, which packs and unpacks ggml's types; it is loaded when a file needs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gemma_eval.errors import MissingDependency


def load(what: str, *, name: str = "gguf") -> Any:  # noqa: ANN401 - a package of an extra, without types
    """Return the package, which `what` needs. Raises MissingDependency."""
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependency(what, extra="gguf") from None
