"""What a test forks needs no start-up, wherever the test is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests import forked
from tests.fresh import fresh

NEEDED = ("gemma_eval.pytest_plugin.recording", "tests.faults.recorder", "tests.plugin.gating")


def tell_what_is_there(pipe: Connection) -> None:
    """Send which modules are imported; this one imports none of them."""
    pipe.send(tuple(name for name in NEEDED if name in sys.modules))


def imported(folder: Path, *, fork: Callable[..., ForkServerProcess]) -> tuple[str, ...]:
    """Return what the first process that is forked from another folder finds."""
    os.chdir(folder)
    reader, writer = forked.pipe()
    process = fork(tell_what_is_there, writer)
    process.start()
    found: tuple[str, ...] = reader.recv()
    process.join()
    return found


def test_a_forked_process_has_imported_what_it_needs(tmp_path: Path) -> None:
    """Also when the first one is begun in a folder from which nothing of the tests can be imported."""
    assert fresh(imported, tmp_path, fork=forked.process) == NEEDED


def test_a_server_that_is_begun_elsewhere_would_be_seen(tmp_path: Path) -> None:
    """It passes over what it cannot import."""
    assert fresh(imported, tmp_path, fork=forked.unprepared) == ()
