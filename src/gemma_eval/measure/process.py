"""What Linux tells in /proc of one process: its memory, what it has spent, and its children.

    resident   VmRSS; pages that two processes share count in both
    file       RssFile: pages of files, as of weights that are mapped; the kernel can read them again
    anonymous  RssAnon + RssShmem, the rest of what is resident: nothing but memory holds it
    mark       VmHWM: the highest resident size so far, kept by the kernel itself

Source: Linux man pages proc_pid_status(5), proc_pid_stat(5), proc_pid_smaps(5), getrusage(2).
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Pids = Callable[[], Sequence[int]] | Sequence[int]
"""Process ids, or what returns them as they are now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """The memory of one process in bytes; all 0 for one that has ended and was not waited for yet."""

    resident: int = 0
    mark: int = 0
    file: int | None = 0
    """`None` where the kernel does not tell the kinds of pages apart (before Linux 4.5)."""

    @classmethod
    def of(cls, status: bytes) -> Held:
        """Read the text of a status file: kibibytes, in lines of a fixed order."""
        # A third of the lines are about other things; a pattern looks at each of their letters.
        found = _MEMORY.search(status, max(status.find(b"VmHWM"), 0))
        if found is None:
            return cls()
        mark, resident, file = found.groups()
        return cls(
            resident=int(resident) * 1024,
            mark=int(mark or 0) * 1024,
            file=int(file) * 1024 if file else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeMemory:
    """The memory of a tree in bytes; `None` where the system does not say.

    `highest` is the resident memory with each process that set a new mark since the last reading at that
    mark: it sees a peak between two readings, and takes the peaks of two processes there to coincide.
    """

    resident: int
    highest: int
    anonymous: int | None = None
    file: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Processor time of all threads in nanoseconds, and how often one had to stop for another to run."""

    cpu_ns: int = 0
    involuntary_switches: int = 0

    def plus(self, other: Spent) -> Spent:
        """Return the sum of both."""
        switches = self.involuntary_switches + other.involuntary_switches
        return Spent(cpu_ns=self.cpu_ns + other.cpu_ns, involuntary_switches=switches)

    def minus(self, other: Spent) -> Spent:
        """Return what this is more than the other."""
        switches = self.involuntary_switches - other.involuntary_switches
        return Spent(cpu_ns=self.cpu_ns - other.cpu_ns, involuntary_switches=switches)


def spent_here() -> Spent:
    """Return what this process has spent so far, with the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(
        cpu_ns=time.process_time_ns() + round((children.ru_utime + children.ru_stime) * 1e9),
        involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw + children.ru_nivcsw,
    )


def spent_by(folder: str, *, clock: Callable[[], int]) -> Spent:
    """Return what the process of a folder of /proc has spent, with the children that it has waited for.

    Its own time is that of its `clock`, in nanoseconds; that of the children is told in ticks of 10 ms. The
    switches are those of the threads it has now, and none of its children.
    """
    fields = _stat(folder)
    if not fields:
        return Spent()
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    try:
        own_ns = clock()
    except OSError:
        own_ns = (int(fields[11]) + int(fields[12])) * tick_ns
    waited_for_ns = (int(fields[13]) + int(fields[14])) * tick_ns
    return Spent(cpu_ns=own_ns + waited_for_ns, involuntary_switches=_switches(f"{folder}/task"))


def cpu_clock_ns(pid: int) -> int:
    """Return the processor time of all threads of a process, in nanoseconds. Raises OSError.

    Source: clock_getcpuclockid(3); torvalds/linux:include/linux/posix-timers.h, MAKE_PROCESS_CPUCLOCK.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def pss_bytes(folder: str) -> int | None:
    """Return the resident memory with pages that are shared divided among their owners.

    The kernel walks over all pages for that. `None` where it may not be read.
    """
    found = _PSS.search(read(f"{folder}/smaps_rollup"))
    return int(found[1]) * 1024 if found else None


def children(folder: str) -> list[int]:
    """Return the ids of the children of a process; each of its threads lists those that it started."""
    return [
        int(child)
        for thread in _names(f"{folder}/task")
        for child in read(f"{folder}/task/{thread}/children").split()
    ]


def is_starting(folder: str) -> bool:
    """Say whether a process was forked and has not executed a program: its memory is that of its parent."""
    fields = _stat(folder)
    return bool(fields) and bool(int(fields[6]) & _PF_FORKNOEXEC)


def read(path: str) -> bytes:
    """Return the bytes of a file, none when it cannot be read; much faster than `pathlib`."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    parts = []
    try:
        while part := os.read(file, 1 << 16):  # the kernel gives lists in pages
            parts.append(part)
    except OSError:
        return b""
    finally:
        os.close(file)
    return b"".join(parts)


_MEMORY = re.compile(
    rb"(?:VmHWM:\s*(\d+) kB\n)?VmRSS:\s*(\d+) kB(?:\nRssAnon:\s*\d+ kB\nRssFile:\s*(\d+) kB)?"
)
_PSS = re.compile(rb"^Pss:\s*(\d+) kB", re.MULTILINE)
_INVOLUNTARY = re.compile(rb"^nonvoluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
_PF_FORKNOEXEC = 0x40
"""Source: torvalds/linux:include/linux/sched.h."""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - this is done many times per second
    except OSError:
        return []


def _stat(folder: str) -> list[bytes]:
    """Return the fields of a stat file from the third on; the second is a name and may hold anything."""
    return read(f"{folder}/stat").rpartition(b")")[2].split()


def _switches(tasks: str) -> int:
    found = [_INVOLUNTARY.search(read(f"{tasks}/{thread}/status")) for thread in _names(tasks)]
    return sum(int(match[1]) for match in found if match)
