"""A lock on the machine: benchmark cells have it to themselves, quality cells share it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import psutil

from gemma_eval.records import CaseKind


def lock_folder() -> Path:
    """Return where the lock files of this user lie."""
    return Path(tempfile.gettempdir()) / f"gemma_eval-{os.getuid()}"


Waiting = Callable[[int | None], None]
"""Is told that the device is waited for, and the process that has it, `None` when that is not known."""

PATIENCE_S = 2.0
"""How long is waited before anything is said about it."""


@contextmanager
def hold(
    kind: CaseKind, *, folder: Path, waiting: Waiting | None = None, patience_s: float = PATIENCE_S
) -> Iterator[None]:
    """Hold the device while a cell runs: alone for a benchmark, together with others for quality.

    The lock is the kernel's (`flock`), so it ends with its process, however that dies. Who waits for the
    device holds the turn, so that a stream of quality cells cannot keep a benchmark waiting for ever. After
    `patience_s` seconds `waiting` is called, once and in another thread; it has ended before the cell runs.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _open(folder / "turn.lock") as turn, _open(folder / "device.lock") as device:
        with _told(waiting, device, patience_s):
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(device, fcntl.LOCK_EX if kind == "benchmark" else fcntl.LOCK_SH)
        _sign(device)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


def in_words(pid: int | None) -> str:
    """Return what to say of a process that is waited for."""
    who = "another process" if pid is None else f"process {pid}"
    return f"waits for {who} to end what it measures; a benchmark is alone on its machine"


@contextmanager
def _told(waiting: Waiting | None, device: int, patience_s: float) -> Iterator[None]:
    """Have it said when the block takes longer than that."""
    timer = Timer(patience_s, lambda: waiting and waiting(_holder(device)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _sign(device: int) -> None:
    """Write into the lock file which process has the device; of several that share it, the last."""
    os.ftruncate(device, 0)
    os.pwrite(device, str(os.getpid()).encode(), 0)


def _holder(device: int) -> int | None:
    """Return the process that signed last, if it lives."""
    signed = os.pread(device, _LONGEST, 0)
    if not signed.isdigit() or len(signed) == _LONGEST or int(signed) == os.getpid():
        return None
    return int(signed) if psutil.pid_exists(int(signed)) else None


_LONGEST = 10
"""No process has an id of so many digits."""


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """Open a lock file without following a link that somebody else put there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
