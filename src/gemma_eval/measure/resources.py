"""What a generation takes: memory, processor time, GPU memory and energy, watched while it is made.

Watched are this process, its descendants and given processes with theirs. A thread reads memory at an
interval, and the kernel's own marks tell of peaks between two readings. So a peak of this process is exact,
and one of another is seen unless that process once held more, or came and went between two readings. Kinds
of pages have no marks: their peaks are of readings alone. Processor time is the difference of two sums, and
exact. Watches may overlap; each then sees what all of them watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from gemma_eval.measure.clock import clock as monotonic
from gemma_eval.measure.energy import EnergyWatch, Zone, zones
from gemma_eval.measure.gpu import Gpus, installed
from gemma_eval.measure.process import Pids
from gemma_eval.measure.process_tree import Tree, tree
from gemma_eval.measure.repeating import repeated
from gemma_eval.protocols import Clock
from gemma_eval.records import Resources

INTERVAL_S = 0.05
"""Time between two readings.

Waking the thread costs about 0.08 ms of a core and reading as much again, so this interval costs less than
0.5 % of one: what a watch may add to the time per token of an engine in this process.
"""
READINGS_PER_GPU_READING = 10
"""GPUs are asked this much seldomer, because the driver takes its time to answer."""
PSS_SHARE = 0.05
"""The part of the watched time that dividing shared pages may take when it is over; where it would take
more, as after a very short generation, there is no PSS."""
PSS_S_PER_BYTE = 12e-6 / 2**20
"""What it takes: the kernel walks over all pages of a process."""


class Watch:
    """The readings of one watch, as running sums: a long watch needs no more memory than a short one."""

    def __init__(self, watched: Tree, *, energy: EnergyWatch, gpus: Gpus | None, clock: Clock) -> None:
        self._tree = watched
        self._energy = energy
        self._gpus = gpus
        self._clock = clock
        self._begun_ns = clock()
        self._count = 0
        self._sum = 0
        self._peak = 0
        self._peak_anonymous = 0
        self._peak_file = 0
        self._has_kinds = True
        self._gpu_peak = 0
        self._on_gpus: set[int] = set()
        self._resources: Resources | None = None
        self.read()

    def reading(self) -> Resources | None:
        """Return what was taken, `None` before the watch has ended."""
        return self._resources

    def read(self) -> None:
        """Read the memory of the tree, and now and then that of the GPUs."""
        memory = self._tree.memory()
        self._peak = max(self._peak, memory.highest)
        self._sum += memory.resident
        if memory.anonymous is None or memory.file is None:
            self._has_kinds = False
        else:
            self._peak_anonymous = max(self._peak_anonymous, memory.anonymous)
            self._peak_file = max(self._peak_file, memory.file)
        if self._count % READINGS_PER_GPU_READING == 0:
            self._read_gpus()
        self._count += 1

    def end(self) -> None:
        """Read a last time, what was spent first so that the reading itself is not in it."""
        self._tree.find()
        spent = self._tree.spent()
        ended_ns = self._clock()
        self.read()
        self._read_gpus()
        taken = self._energy.end(on_gpus=self._on_gpus)
        elapsed_s = (ended_ns - self._begun_ns) / 1e9
        may_divide = self._peak * PSS_S_PER_BYTE <= elapsed_s * PSS_SHARE
        self._resources = Resources(
            peak_memory_bytes=self._peak or None,
            mean_memory_bytes=round(self._sum / self._count) or None,
            peak_pss_bytes=self._tree.pss_bytes() if may_divide else None,
            peak_anonymous_bytes=self._peak_anonymous if self._has_kinds else None,
            peak_file_bytes=self._peak_file if self._has_kinds else None,
            cpu_s=spent.cpu_ns / 1e9 if spent else None,
            involuntary_switches=spent.involuntary_switches if spent else None,
            gpu_peak_memory_bytes=self._gpu_peak or None,
            energy_j=taken.joules,
            energy_source=taken.source,
            interval_s=elapsed_s / (self._count - 1),
        )

    def _read_gpus(self) -> None:
        if self._gpus is None:
            return
        used = self._gpus.used(self._tree.pids)
        self._on_gpus |= used.keys()
        self._gpu_peak = max(self._gpu_peak, sum(used.values()))


@contextmanager
def watch(
    *,
    pids: Pids = (),
    interval_s: float = INTERVAL_S,
    watched: Callable[[Pids], Tree] = tree,
    gpus: Callable[[], Gpus | None] = installed,
    domains: Callable[[], tuple[Zone, ...]] = zones,
    clock: Clock = monotonic,
) -> Iterator[Watch]:
    """Watch this process, its descendants and `pids` with theirs; the result has a `reading()` afterwards.

    Memory is read on entry, every `interval_s` from a thread, and on exit; the `interval_s` of the reading is
    the mean of what it came to be. `pids`, as of a server that runs the engine, are asked for on entry and on
    exit when they are a function. The other parameters are what is read.
    """
    found = gpus()
    energy = EnergyWatch(zones=domains(), gpus=found)
    with closing(watched(pids)) as members:
        memory = Watch(members, energy=energy, gpus=found, clock=clock)
        try:
            with repeated(memory.read, interval_s=interval_s):
                yield memory
        finally:
            memory.end()
