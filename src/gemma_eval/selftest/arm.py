"""Whether the machine was quiet while something was measured, which decides what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import psutil

from gemma_eval.protocols import Clock

T = TypeVar("T")

Arm = Literal["quiet", "busy"]
QUIET_BELOW = 0.05
"""The share of waiting, or of processor time that went to others, below which a machine is quiet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Processor seconds since some time: of the whole machine while it worked, and of our own processes."""

    machine_s: float
    ours_s: float


ReadPressure = Callable[[], float | None]
"""Returns the share of the last seconds in which some task waited for a processor; `None` if unknown."""
ReadUsage = Callable[[Sequence[int]], Usage]
"""Returns what was used so far, given the processes that are ours beside this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Busyness:
    """How busy a machine was with other things: `pressure` right before, and the share of `others` meanwhile.

    The pressure meanwhile would count what is measured itself, which on few processors waits for itself.
    """

    pressure: float | None
    others: float

    @property
    def arm(self) -> Arm:
        """Which limits hold."""
        quiet = (self.pressure or 0.0) < QUIET_BELOW and self.others < QUIET_BELOW
        return "quiet" if quiet else "busy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What is asked about the machine: its pressure, its use, and how many processors it has."""

    pressure: ReadPressure
    usage: ReadUsage
    processors: int
    clock: Clock

    def watched(self, action: Callable[[], T], *, ours: Sequence[int] = ()) -> tuple[T, Busyness]:
        """Return what `action` returns, and how busy the machine was; `ours` are processes beside this."""
        pressure, before, began_ns = self.pressure(), self.usage(ours), self.clock()
        result = action()
        after, elapsed_s = self.usage(ours), (self.clock() - began_ns) / 1e9
        others_s = (after.machine_s - before.machine_s) - (after.ours_s - before.ours_s)
        share = max(0.0, others_s / (elapsed_s * self.processors)) if elapsed_s else 0.0
        return result, Busyness(pressure=pressure, others=share)


def machine(clock: Clock) -> Machine:
    """Return the machine that this process runs on."""
    return Machine(
        pressure=cpu_pressure, usage=cpu_usage, processors=psutil.cpu_count(logical=True) or 1, clock=clock
    )


def cpu_pressure(path: Path = Path("/proc/pressure/cpu")) -> float | None:
    """Read the pressure of the last ten seconds. Source: the kernel's Documentation/accounting/psi.rst."""
    try:
        [line] = [line for line in path.read_text(encoding="ascii").splitlines() if line.startswith("some ")]
        return float(dict(word.split("=") for word in line.split()[1:])["avg10"]) / 100
    except (OSError, ValueError, KeyError):
        return None


def cpu_usage(ours: Sequence[int]) -> Usage:
    """Read what the machine used, what a hypervisor took included, and what this process and `ours` did."""
    whole = psutil.cpu_times()
    idle = whole.idle + getattr(whole, "iowait", 0.0)
    machine_s = sum(whole) - idle - getattr(whole, "guest", 0.0) - getattr(whole, "guest_nice", 0.0)
    used = (psutil.Process(pid).cpu_times() for pid in (None, *ours))
    return Usage(machine_s=machine_s, ours_s=sum(times.user + times.system for times in used))
