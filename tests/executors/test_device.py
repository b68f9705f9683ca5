"""Benchmark cells have the device alone, quality cells share it."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gemma_eval.executors.device import hold, holders, in_words, lock_folder
from gemma_eval.records import CaseKind
from tests import forked


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
    reader, writer = forked.pipe()
    process = forked.process(_hold_for_ever, str(tmp_path), writer)
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
    """By what the kernel knows of the lock; the cell runs when all is said."""
    reader, writer = forked.pipe()
    process = forked.process(_hold_for_ever, str(tmp_path), writer)
    process.start()
    assert reader.recv() == "held"
    told: list[int | None] = []

    def waiting(pid: int | None) -> None:
        told.append(pid)
        process.kill()
        time.sleep(0.1)
        told.append(0)

    with hold("quality", folder=tmp_path, waiting=waiting, patience_s=0.05):
        assert told == [process.pid if sys.platform == "linux" else None, 0]
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


def test_one_that_has_let_go_of_the_device_is_not_waited_for(tmp_path: Path) -> None:
    """Of quality cells that shared it the one is named that still has it, not the last that came."""
    reader, writer = forked.pipe()
    process = forked.process(_hold_for_ever, str(tmp_path), writer, "quality")
    process.start()
    assert reader.recv() == "held"
    idle = forked.process(_hold_and_live_on, str(tmp_path), writer)
    idle.start()
    assert reader.recv() == "let go"
    told: list[int | None] = []

    def waiting(pid: int | None) -> None:
        told.append(pid)
        process.kill()

    with hold("benchmark", folder=tmp_path, waiting=waiting, patience_s=0.05):
        assert told == [process.pid if sys.platform == "linux" else None]
    idle.kill()
    for each in (process, idle):
        each.join()
        each.close()
    reader.close()
    writer.close()


def test_oneself_is_not_waited_for(tmp_path: Path) -> None:
    """A lock of this process, as of another thread, is nobody's that could be named."""
    told: list[int | None] = []
    descriptor = os.open(tmp_path / "device.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    def waiting(pid: int | None) -> None:
        told.append(pid)
        os.close(descriptor)

    with hold("benchmark", folder=tmp_path, waiting=waiting, patience_s=0.01):
        assert told == [None]
    assert "waits for another process to end what it measures" in in_words(None)
    assert "waits for process 7 to end" in in_words(7)


def test_of_the_locks_of_a_machine_those_that_are_held_on_the_file_are_read(tmp_path: Path) -> None:
    """Not those of other files or kinds, and none of who waits; a text of another form tells nothing."""
    of = tmp_path.stat()
    own = f"{os.major(of.st_dev):02x}:{os.minor(of.st_dev):02x}:{of.st_ino}"
    text = f"""\
1: FLOCK  ADVISORY  READ 708 {own} 0 EOF
1: -> FLOCK  ADVISORY  WRITE 709 {own} 0 EOF
2: FLOCK  ADVISORY  READ 710 {own} 0 EOF
3: POSIX  ADVISORY  WRITE 711 {own} 0 EOF
4: FLOCK  ADVISORY  WRITE 712 {own}0 0 EOF
"""
    assert holders(text, of=of) == {708, 710}
    assert holders("", of=of) == holders("1: FLOCK", of=of) == frozenset()


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    """Nobody's file is opened through a link that was put there."""
    (tmp_path / "turn.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"), hold("quality", folder=tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_belongs_to_its_user() -> None:
    """Users of one machine do not meet in one folder."""
    assert lock_folder().name == f"gemma_eval-{os.getuid()}"


def _hold_for_ever(folder: str, writer: Connection, kind: CaseKind = "benchmark") -> None:
    with hold(kind, folder=Path(folder)):
        writer.send("held")
        signal.pause()


def _hold_and_live_on(folder: str, writer: Connection) -> None:
    with hold("quality", folder=Path(folder)):
        pass
    writer.send("let go")
    signal.pause()
