"""Calls a function in an interpreter of its own, without what a long test run leaves in this one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).parents[1]


def fresh(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function`, which a module has by its name, returns there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fresh"],
        input=pickle.dumps((function, args, kwargs)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    returned: T = pickle.loads(done.stdout)  # noqa: S301 - from this very file
    return returned


if __name__ == "__main__":
    given, arguments, named = pickle.load(sys.stdin.buffer)  # noqa: S301 - from this very file
    sys.stdout.buffer.write(pickle.dumps(given(*arguments, **named)))
