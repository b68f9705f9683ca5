"""Runs of pytest in a process of their own that is killed: real kills, without a start-up for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

import pytest

from tests import forked


@dataclass(frozen=True)
class Running:
    """A run that goes on: its process, and what it prints."""

    process: BaseProcess
    printed: TextIO


@contextmanager
def running(folder: Path, arguments: Sequence[str]) -> Iterator[Running]:
    """Start `pytest` in `folder`; it is killed at the end if it is still there."""
    reader, writer = forked.pipe()
    process = forked.process(_run, str(folder), list(arguments), writer)
    process.start()
    writer.close()
    with os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace") as printed:
        reader.close()
        try:
            yield Running(process, printed)
        finally:
            process.kill()
            process.join()
            process.close()


def _run(folder: str, arguments: list[str], writer: Connection) -> None:
    os.setsid()
    os.dup2(writer.fileno(), 1)
    os.dup2(writer.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    os.chdir(folder)
    os._exit(pytest.main(["-p", "no:cacheprovider", "-p", "no:benchmark", *arguments]))
