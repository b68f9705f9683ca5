"""Memory is watched over the process tree, and the watch says what was there."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval.measure.resources import MemoryReading, Watch, high_water_bytes, resident_reader, watch

MIB = 2**20


class _Readings:
    """Returns given numbers in turn, the last one for ever, and counts how often it was asked."""

    def __init__(self, *numbers: int) -> None:
        self._numbers: Iterator[int] = iter(numbers)
        self._last = 0
        self.asked = 0

    def __call__(self) -> int:
        """Return the next number."""
        self.asked += 1
        self._last = next(self._numbers, self._last)
        return self._last


def test_a_watch_reads_on_entry_in_between_and_on_exit() -> None:
    """Peak and mean are those of the readings."""
    resident = _Readings(100, 400, 100)
    with watch(interval_s=0.001, resident=resident, high_water=_Readings(0)) as memory:
        while resident.asked < 4:
            time.sleep(0.001)
    reading = memory.reading()
    assert reading is not None
    assert reading.peak_bytes == 400
    assert reading.mean_bytes == round((100 * (resident.asked - 1) + 400) / resident.asked)


def test_a_watch_shorter_than_its_interval_still_reads_twice() -> None:
    """Entry and exit."""
    resident = _Readings(100, 300)
    with watch(interval_s=60, resident=resident, high_water=_Readings(0)) as memory:
        pass
    assert resident.asked == 2
    assert memory.reading() == MemoryReading(peak_bytes=300, mean_bytes=200)


def test_a_high_water_mark_that_rose_is_a_peak_between_two_readings() -> None:
    """One that did not rise is older than the watch and says nothing."""
    with watch(interval_s=60, resident=_Readings(100), high_water=_Readings(500, 900)) as memory:
        pass
    assert memory.reading() == MemoryReading(peak_bytes=900, mean_bytes=100)
    with watch(interval_s=60, resident=_Readings(100), high_water=_Readings(900, 900)) as memory:
        pass
    assert memory.reading() == MemoryReading(peak_bytes=100, mean_bytes=100)


def test_an_error_inside_a_watch_passes_and_ends_the_thread() -> None:
    """No thread is left behind."""
    before = threading.active_count()
    with pytest.raises(KeyError), watch(interval_s=0.001, resident=_Readings(1), high_water=_Readings(0)):
        raise KeyError
    assert threading.active_count() == before


def test_a_watch_that_never_read_has_no_reading() -> None:
    """None, not 0."""
    assert Watch().reading() is None


def test_memory_that_this_process_takes_and_gives_back_is_seen() -> None:
    """64 MiB are in the peak to within a tenth; the mean is below it."""
    with watch() as memory:
        before = resident_reader()()
        block = bytearray(64 * MIB)
        time.sleep(0.05)
        del block
        time.sleep(0.05)
    reading = memory.reading()
    assert reading is not None
    assert abs(reading.peak_bytes - before - 64 * MIB) < 6.4 * MIB
    assert reading.mean_bytes < reading.peak_bytes


CHILD = """
import sys
sys.stdin.readline()
block = bytearray(64 * 2**20)
print("taken", flush=True)
sys.stdin.readline()
"""


def test_memory_of_a_child_is_seen_and_a_watch_of_one_process_would_miss_it() -> None:
    """The planted error is a reader of this process alone."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        of_tree = resident_reader()
        before = of_tree()
        alone = high_water_bytes()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        child.stdout.readline()
        assert of_tree() - before > 60 * MIB
        assert high_water_bytes() - alone < 60 * MIB
        child.stdin.write(b"end\n")
        child.stdin.flush()
    assert of_tree() < before + 60 * MIB


def test_the_high_water_mark_is_read_in_bytes_and_0_where_there_is_none(tmp_path: Path) -> None:
    """Linux counts in kibibytes; other systems have no such file."""
    status = tmp_path / "status"
    status.write_text("VmPeak:\t  900 kB\nVmHWM:\t    123 kB\n", encoding="ascii")
    assert high_water_bytes(status) == 123 * 1024
    status.write_text("Name:\tx\n", encoding="ascii")
    assert high_water_bytes(status) == 0
    assert high_water_bytes(tmp_path / "absent") == 0
