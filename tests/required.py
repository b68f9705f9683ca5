"""What a test needs and a machine may lack: skipped with a reason, unless GEMMA_EVAL_REQUIRE names it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NoReturn

import pytest


def missing(what: str, reason: str) -> NoReturn:
    """Skip, for `what` is not here; fail where it is required, so that a gap cannot hide in a green run."""
    if what in os.environ.get("GEMMA_EVAL_REQUIRE", "").split(","):
        pytest.fail(f"{what} is required by GEMMA_EVAL_REQUIRE: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def module(name: str, *, extra: str) -> Any:  # noqa: ANN401 - a module of which nothing is known here
    """Import a module of an extra, or say that it is missing."""
    try:
        return import_module(name)
    except ImportError:
        missing(name, f"needs {name}: pip install -e '.[{extra}]'")
