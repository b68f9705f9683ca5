"""A lock on the machine: benchmark cells have it to themselves, quality cells share it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemma_eval.records import CaseKind


def lock_folder() -> Path:
    """Return where the lock files of this user lie."""
    return Path(tempfile.gettempdir()) / f"gemma_eval-{os.getuid()}"


@contextmanager
def hold(kind: CaseKind, *, folder: Path) -> Iterator[None]:
    """Hold the device while a cell runs: alone for a benchmark, together with others for quality.

    The lock is the kernel's (`flock`), so it ends with its process, however that dies. Who waits for the
    device holds the turn, so that a stream of quality cells cannot keep a benchmark waiting for ever.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _open(folder / "turn.lock") as turn, _open(folder / "device.lock") as device:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(device, fcntl.LOCK_EX if kind == "benchmark" else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """Open a lock file without following a link that somebody else put there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
