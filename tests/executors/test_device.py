"""Benchmark cells have the device alone, quality cells share it."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gemma_eval.executors.device import hold, in_words, lock_folder
from gemma_eval.records import CaseKind


def is_free(folder: Path, *, how: int) -> bool:
    """Whether another could have the device now, in that mode."""
    descriptor = os.open(folder / "device.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("kind", "others_may_share"), [("quality", True), ("benchmark", False)])
def test_a_benchmark_is_alone(tmp_path: Path, kind: CaseKind, others_may_share: bool) -> None:
    """A quality cell lets other quality cells run beside it, a benchmark cell nothing."""
    with hold(kind, folder=tmp_path):
        assert is_free(tmp_path, how=fcntl.LOCK_SH) is others_may_share
        assert not is_free(tmp_path, how=fcntl.LOCK_EX)
    assert is_free(tmp_path, how=fcntl.LOCK_EX)


def test_the_turn_is_given_on_while_a_cell_runs(tmp_path: Path) -> None:
    """Only who waits holds the turn."""
    with hold("benchmark", folder=tmp_path):
        descriptor = os.open(tmp_path / "turn.lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


def test_a_process_that_is_killed_frees_the_device(tmp_path: Path) -> None:
    """The lock is the kernel's and ends with its process."""
    context = multiprocessing.get_context("forkserver")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_hold_for_ever, args=(str(tmp_path), writer))
    process.start()
    assert reader.recv() == "held"
    assert not is_free(tmp_path, how=fcntl.LOCK_SH)
    process.kill()
    process.join()
    assert is_free(tmp_path, how=fcntl.LOCK_EX)
    process.close()
    reader.close()
    writer.close()


def test_who_waits_is_told_for_whom_and_only_once(tmp_path: Path) -> None:
    """The process that has the device has signed the lock; the cell runs when all is said."""
    context = multiprocessing.get_context("forkserver")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_hold_for_ever, args=(str(tmp_path), writer))
    process.start()
    assert reader.recv() == "held"
    told: list[int | None] = []

    def waiting(pid: int | None) -> None:
        told.append(pid)
        process.kill()
        time.sleep(0.1)
        told.append(0)

    with hold("quality", folder=tmp_path, waiting=waiting, patience_s=0.05):
        assert told == [process.pid, 0]
    process.join()
    process.close()
    reader.close()
    writer.close()


def test_nothing_is_said_of_a_device_that_is_free(tmp_path: Path) -> None:
    """Also when the cell takes long: the patience is with the wait."""
    told: list[int | None] = []
    with hold("benchmark", folder=tmp_path, waiting=told.append, patience_s=0.01):
        time.sleep(0.05)
    assert told == []


@pytest.mark.parametrize("signed", [b"", b"nobody", b"99999999999", str(os.getpid()).encode()])
def test_a_signature_that_says_nothing_is_not_believed(tmp_path: Path, signed: bytes) -> None:
    """None, none of ours, of a process that is gone, and one's own of before."""
    told: list[int | None] = []
    (tmp_path / "device.lock").write_bytes(signed)
    descriptor = os.open(tmp_path / "device.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    def waiting(pid: int | None) -> None:
        told.append(pid)
        os.close(descriptor)

    with hold("benchmark", folder=tmp_path, waiting=waiting, patience_s=0.01):
        assert told == [None]
    assert "waits for another process to end what it measures" in in_words(None)
    assert "waits for process 7 to end" in in_words(7)


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    """Nobody's file is opened through a link that was put there."""
    (tmp_path / "turn.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), hold("quality", folder=tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_belongs_to_its_user() -> None:
    """Users of one machine do not meet in one folder."""
    assert lock_folder().name == f"gemma_eval-{os.getuid()}"


def _hold_for_ever(folder: str, writer: Connection) -> None:
    with hold("benchmark", folder=Path(folder)):
        writer.send("held")
        signal.pause()
