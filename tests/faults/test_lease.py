"""However processes come and go, two never hold the right to write at once."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from gemma_eval.errors import StoreError
from gemma_eval.store.lease import Lease, acquire
from tests import forked


def acquire_carelessly(database: Path) -> Lease:
    """Take the lease with a planted fault: a lock on a file that its owner has removed counts as well."""
    path = database.with_name(database.name + ".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    time.sleep(0.001)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError("taken") from None
    return Lease(path, descriptor)


def contend(take: Callable[[Path], Lease], folder: Path, until: float, pipe: Connection) -> None:
    """Take and release the lease as often as possible; count the times held, and held beside another."""
    held = both = 0
    marker = folder / "held"
    while time.monotonic() < until:
        try:
            lease = take(folder / "results.db")
        except StoreError:
            continue
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            both += 1
        else:
            held += 1
            time.sleep(0.001)
            marker.unlink(missing_ok=True)
        lease.release()
    pipe.send((held, both))


def test_four_processes_never_hold_the_lease_together(tmp_path: Path) -> None:
    """Each owner removes the lock file and the next makes it anew: the moment when a lock can be lost."""
    held, both = four_contend(acquire, tmp_path)
    assert both == 0
    assert held > 20
    assert list(tmp_path.iterdir()) == []


def test_the_contest_sees_a_lease_that_two_can_hold(tmp_path: Path) -> None:
    """A planted fault: without the look at whether the file is still there, two writers meet."""
    assert any(four_contend(acquire_carelessly, tmp_path)[1] for _ in range(5))


def four_contend(take: Callable[[Path], Lease], folder: Path) -> tuple[int, int]:
    """Let four processes contend for a second and a half; return how often one held, and two did."""
    until = time.monotonic() + 1.5
    pipes = [forked.pipe() for _ in range(4)]
    processes = [forked.process(contend, take, folder, until, theirs) for _, theirs in pipes]
    for process in processes:
        process.start()
    counts = [ours.recv() for ours, _ in pipes]
    for process in processes:
        process.join()
    return sum(held for held, _ in counts), sum(both for _, both in counts)
