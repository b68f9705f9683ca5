"""The memory that this process and its children take while something runs.

The figure is the resident set size summed over the process tree: interpreter, libraries, weights and cache;
pages that two processes share count in both. Children are looked up once, on entry, because a walk over all
processes would disturb what is measured: a child that starts later is not seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_S = 0.02
"""Time between two readings.

Waking the thread and reading one process costs about 0.1 ms of a core, so this interval costs 0.5 % of
one: what a watch may add to the time per token of an engine that runs in this process. A shorter one would
find no higher peak of this process, because the kernel's mark sees that between two readings.
"""

ReadBytes = Callable[[], int]
"""Returns a number of bytes now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryReading:
    """The highest and the mean resident memory during a watch, in bytes."""

    peak_bytes: int
    mean_bytes: int


@dataclass(slots=True)
class Watch:
    """The readings of one watch, as a running sum: a long watch needs no more memory than a short one."""

    _peak: int = 0
    _sum: int = 0
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, reading: int) -> None:
        """Take one reading in bytes."""
        with self._lock:
            self._peak = max(self._peak, reading)
            self._sum += reading
            self._count += 1

    def raise_peak(self, peak: int) -> None:
        """Take a peak that is known otherwise; the mean does not change."""
        with self._lock:
            self._peak = max(self._peak, peak)

    def reading(self) -> MemoryReading | None:
        """Return peak and mean of the readings so far, `None` before the first."""
        with self._lock:
            if not self._count:
                return None
            return MemoryReading(peak_bytes=self._peak, mean_bytes=round(self._sum / self._count))


@contextmanager
def watch(
    *, interval_s: float = INTERVAL_S, resident: ReadBytes | None = None, high_water: ReadBytes | None = None
) -> Iterator[Watch]:
    """Read memory on entry, every `interval_s` from a thread, and on exit; the result has a `reading()`.

    `resident` returns the bytes to watch (default: this process and its children), `high_water` the highest
    resident size that this process ever had (default: the kernel's mark, 0 where it keeps none). A mark that
    rose is a peak inside the watch, even one between two readings.
    """
    resident = resident or resident_reader()
    high_water = high_water or high_water_bytes
    memory = Watch()
    mark = high_water()
    memory.add(resident())
    done = threading.Event()
    sampler = threading.Thread(target=_sample, args=(memory, resident, done, interval_s), daemon=True)
    sampler.start()
    try:
        yield memory
    finally:
        done.set()
        sampler.join()
        memory.add(resident())
        risen = high_water()
        if risen > mark:
            memory.raise_peak(risen)


def resident_reader() -> ReadBytes:
    """Return a function that sums the resident memory of this process and of the children it has now."""
    this = psutil.Process()
    processes = [this, *this.children(recursive=True)]
    return lambda: sum(_resident(process) for process in processes)


def high_water_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Return the highest resident size of this process so far; 0 where the system does not say."""
    try:
        lines = status.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    kibibytes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kibibytes[0]) * 1024 if kibibytes else 0


def _sample(memory: Watch, resident: ReadBytes, done: threading.Event, interval_s: float) -> None:
    while not done.wait(interval_s):
        memory.add(resident())


def _resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process, 0 for one that has ended or may not be read."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
