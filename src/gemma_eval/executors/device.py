"""A lock on the machine: benchmark cells have it to themselves, quality cells share it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from gemma_eval.measure import kernel_files
from gemma_eval.records import CaseKind


def lock_folder() -> Path:
    """Return where the lock files of this user lie."""
    return Path(tempfile.gettempdir()) / f"gemma_eval-{os.getuid()}"


Waiting = Callable[[int | None], None]
"""Is told that the device is waited for, and a process that has it, `None` where that is not known."""

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


def _holder(device: int) -> int | None:
    """Return another process that has the lock, the first of several that share it."""
    text = kernel_files.text(Path("/proc/locks"))
    return min(holders(text, of=os.fstat(device)) - {os.getpid()}, default=None)


def holders(text: str, *, of: os.stat_result) -> frozenset[int]:
    """Return the processes that hold a `flock` of a file, by the text of Linux's `/proc/locks`.

    One of another container, and on some file systems any, is not in it. Source: proc_locks(5).
    """
    where = f"{os.major(of.st_dev):02x}:{os.minor(of.st_dev):02x}:{of.st_ino}"
    rows = (line.split() for line in text.splitlines())
    # "1: FLOCK ADVISORY WRITE 708 fe:00:2154515 0 EOF"; who only waits has an arrow after the number
    return frozenset(int(row[4]) for row in rows if row[1:2] == ["FLOCK"] and row[5:6] == [where])


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """Open a lock file without following a link that somebody else put there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
