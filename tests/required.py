"""What a test needs and a machine may lack: skipped with a reason, unless GEMMA_EVAL_REQUIRE names it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, reason: str) -> NoReturn:
    """Skip, for `what` is not here; fail where it is required, so that a gap cannot hide in a green run."""
    if what in os.environ.get("GEMMA_EVAL_REQUIRE", "").split(","):
        pytest.fail(f"{what} is required by GEMMA_EVAL_REQUIRE: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
