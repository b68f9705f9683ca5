"""Processes of a test, forked from one that has imported what they need: real ones, without a start-up."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

ROOT = Path(__file__).parents[1]

_CONTEXT = multiprocessing.get_context("forkserver")
# Python has one server for all who ask for one: whoever sets this last says what it imports.
_CONTEXT.set_forkserver_preload(
    [
        *("tests.plugin.gating", "tests.faults.recorder", "tests.store.test_store_recompute"),
        *("tests.faults.config_writer", "filelock"),
    ]
)


def process(what: Callable[..., None], *given: object) -> ForkServerProcess:
    """Return a process that will call `what`, a function that a module has by its name."""
    with contextlib.chdir(ROOT):  # the server imports from its folder, and passes over what it does not find
        forkserver.ensure_running()
    return unprepared(what, *given)


def unprepared(what: Callable[..., None], *given: object) -> ForkServerProcess:
    """Return the same of a server that begins wherever this process is, unless it has begun already."""
    return _CONTEXT.Process(target=what, args=given)


def pipe(*, both_ways: bool = False) -> tuple[Connection, Connection]:
    """Return the two ends of a pipe: who reads, and who writes."""
    return _CONTEXT.Pipe(duplex=both_ways)
