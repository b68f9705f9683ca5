"""How busy the machine is with other things while a run is made, and whether the run is fair.

Counters of the kernel are read when a run begins and when it ends, so that nothing disturbs it in between;
temperature and source of power have no counter, and are looked at between cases as well:

    pressure    the part of the time in which some task waited for a processor, memory or a disk (PSI)
    steal       the part of the processors' time that the hypervisor gave to other machines
    others_cpu  the part that other processes took: all that was busy, less what our tree of processes spent
    throttled   the part of the control group's periods in which it was stopped

Our own threads wait for processors too, where there are more of them than processors. That is how the run
was set up, and the same next time; so waiting counts against a run only as far as others can have caused it:
who runs for a second can keep us waiting for a second.
Source: torvalds/linux:Documentation/accounting/psi.rst; Linux man page proc_stat(5).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gemma_eval.measure.cgroup import Throttling, throttled_share, throttling
from gemma_eval.measure.clock import clock as monotonic
from gemma_eval.measure.kernel_files import numbers, text
from gemma_eval.measure.process import Pids
from gemma_eval.measure.process_tree import Tree, tree
from gemma_eval.protocols import Clock
from gemma_eval.records import Noise

CPU_PRESSURE = 0.05
"""An engine on all processors is slower by as much as it waits, and a gate has to find 5 %."""
OTHERS_CPU = 0.05
"""What others take, an engine on all processors does not have."""
STEAL = 0.02
"""A processor that is stolen stops one thread in the middle of a token, and all others wait for it."""
THROTTLED = 0.01
"""A stop lasts until the period ends, which is up to 100 ms by default: many times the time of a token."""
MEMORY_PRESSURE = 0.01
"""Who waits for memory waits for pages to be written or read again: then times are those of a disk."""
IO_PRESSURE = 0.20
"""Loading weights and storing results wait for a disk by right; above that, weights were read in use."""

_HEAT, _MEMORY = "heat slowed processors down", "the machine waited for memory"

_LOOK_EVERY_NS = 5_000_000_000


def begin(
    *, pids: Pids = (), root: Path = Path("/"), clock: Clock = monotonic, ours: Tree | None = None
) -> NoiseWatch:
    """Read how busy the machine is as a run begins.

    `ours` is the tree of processes that make the run: this one, its descendants and `pids`, as of a server,
    with theirs, unless it is given. `root` is where /proc and /sys lie.
    """
    return NoiseWatch(root=root, clock=clock, ours=ours or tree(pids, root=root))


def pressure_now(root: Path = Path("/")) -> float | None:
    """Return the part of the last ten seconds in which some task waited for a processor."""
    average = _pressure(root, "cpu").get("avg10")
    return None if average is None else average / 100


def spoils(noise: Noise | None) -> tuple[str, ...]:
    """Return the reasons for which times are no good even beside others that were made in turn with them.

    Who waits, waits on both sides; but heat and a lack of memory come in one block and are gone in the next.
    """
    reasons = () if noise is None else noise.reasons
    return tuple(reason for reason in reasons if reason.startswith((_HEAT, _MEMORY)))


class NoiseWatch:
    """The machine from the moment that this is made to the one that `end` is called."""

    def __init__(self, *, root: Path, clock: Clock, ours: Tree) -> None:
        self._root = root
        self._clock = clock
        self._ours = ours
        self._load_before = _load(root)
        self._hottest_c: float | None = None
        self._was_on_battery = False
        self._read_sensors()
        self._looked_ns = clock()
        self._before = _Counters.read(root, at_ns=self._looked_ns)

    def look(self) -> None:
        """Read temperature and source of power, as may be done between two cases; the worst is kept.

        A call soon after another does nothing: heat comes slowly, and sensors are files by the dozen.
        """
        now_ns = self._clock()
        if now_ns - self._looked_ns >= _LOOK_EVERY_NS:
            self._looked_ns = now_ns
            self._read_sensors()

    def end(self) -> Noise:
        """Return what the machine did in between; to be called once."""
        passed = _Passed.between(self._before, _Counters.read(self._root, at_ns=self._clock()))
        self._ours.find()
        spent = self._ours.spent()
        self._ours.close()
        self._read_sensors()
        others_s = passed.others_s(spent.cpu_ns / 1e9) if spent else None
        noise = Noise(
            cpu_pressure=passed.waited["cpu"],
            memory_pressure=passed.waited["memory"],
            io_pressure=passed.waited["io"],
            steal=passed.steal,
            throttled=passed.throttled,
            load_before=self._load_before,
            others_cpu=others_s / passed.cpu_s if others_s is not None and passed.cpu_s else None,
            involuntary_switches_per_s=spent.involuntary_switches / passed.wall_s if spent else None,
            temperature_c=self._hottest_c,
        )
        reasons = [*_reasons(noise, passed, others_s=others_s)]
        if self._was_on_battery:
            reasons.append("the machine ran on its battery; plug it in")
        return replace(noise, reasons=tuple(reasons))

    def _read_sensors(self) -> None:
        self._hottest_c = max(_temperatures_c(self._root, self._hottest_c), default=None)
        batteries = (self._root / "sys/class/power_supply").glob("*/status")
        self._was_on_battery |= any(text(status) == "Discharging" for status in batteries)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counters:
    """What the kernel has counted so far; `None` or nothing where it does not count.

    `waited_us` are the microseconds in which some task waited for a resource, `ticks` the times of all
    processors together in the order of /proc/stat, `slowed` how often heat slowed a processor down.
    """

    at_ns: int
    waited_us: Mapping[str, float | None]
    ticks: tuple[int, ...]
    throttling: tuple[Throttling, ...]
    slowed: int

    @classmethod
    def read(cls, root: Path, *, at_ns: int) -> _Counters:
        slowed = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
        return cls(
            at_ns=at_ns,
            waited_us={name: _pressure(root, name).get("total") for name in ("cpu", "memory", "io")},
            ticks=tuple(int(word) for word in text(root / "proc/stat").partition("\n")[0].split()[1:9]),
            throttling=throttling(root),
            slowed=sum(numbers(slowed)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Passed:
    """What passed between two readings: `cpu_s` is the time of all processors, `busy_s` when they worked."""

    wall_s: float
    waited: Mapping[str, float | None]
    cpu_s: float | None
    busy_s: float | None
    steal: float | None
    throttled: float | None
    slowed: int

    @classmethod
    def between(cls, before: _Counters, after: _Counters) -> _Passed:
        wall_s = max(after.at_ns - before.at_ns, 1) / 1e9
        # The time of waiting for disks is known to go back at times.
        ticks = [max(0, later - earlier) for earlier, later in zip(before.ticks, after.ticks, strict=False)]
        all_ticks = sum(ticks)
        is_counted = len(ticks) == 8 and all_ticks > 0
        # user nice system idle iowait irq softirq steal
        busy = sum(ticks) - ticks[3] - ticks[4] - ticks[7] if is_counted else 0
        return cls(
            wall_s=wall_s,
            waited={
                name: _part(before.waited_us[name], after.waited_us[name], of=wall_s * 1e6)
                for name in before.waited_us
            },
            cpu_s=all_ticks * _TICK_S if is_counted else None,
            busy_s=busy * _TICK_S if is_counted else None,
            steal=ticks[7] / all_ticks if is_counted else None,
            throttled=throttled_share(before.throttling, after.throttling),
            slowed=after.slowed - before.slowed,
        )

    def others_s(self, ours_s: float) -> float | None:
        """Return the processor time that others took."""
        return None if self.busy_s is None else max(0.0, self.busy_s - ours_s)

    def certain_s(self, others_s: float | None) -> float:
        """Return how much of it is certain, all of the time where nothing is known.

        The kernel looks at each tick who runs, so a part of the time is a share of as many draws, and its
        standard error at most half of 1 / √n; twice that is taken off.
        """
        if others_s is None or self.cpu_s is None:
            return math.inf
        return max(0.0, others_s - math.sqrt(self.cpu_s / _TICK_S) * _TICK_S)


_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _reasons(noise: Noise, passed: _Passed, *, others_s: float | None) -> Iterator[str]:
    """Say in words what was above its limit."""
    certain_s = passed.certain_s(others_s)
    waited = noise.cpu_pressure
    if waited is not None and min(waited, certain_s / passed.wall_s) > CPU_PRESSURE:
        yield f"the machine waited for the CPU {_percent(waited)} of the time (PSI); {_allowed(CPU_PRESSURE)}"
    if noise.others_cpu is not None and passed.cpu_s and certain_s / passed.cpu_s > OTHERS_CPU:
        took = _percent(noise.others_cpu)
        yield f"other processes took {took} of the processors' time; {_allowed(OTHERS_CPU)}"
    for value, limit, what in (
        (noise.steal, STEAL, "the hypervisor took {} of the processors' time"),
        (noise.throttled, THROTTLED, "the control group was stopped in {} of its periods"),
        (noise.memory_pressure, MEMORY_PRESSURE, f"{_MEMORY} {{}} of the time (PSI)"),
        (noise.io_pressure, IO_PRESSURE, "the machine waited for disks {} of the time (PSI)"),
    ):
        if value is not None and value > limit:
            yield f"{what.format(_percent(value))}; {_allowed(limit)}"
    if passed.slowed > 0:
        yield f"{_HEAT} {passed.slowed} times; none is allowed"


def _allowed(limit: float) -> str:
    return f"{_percent(limit)} is allowed"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _part(before: float | None, after: float | None, *, of: float) -> float | None:
    return None if before is None or after is None else min(1.0, max(0.0, after - before) / of)


def _pressure(root: Path, resource: str) -> dict[str, float]:
    """Return the numbers of the line `some avg10=… avg60=… avg300=… total=…`."""
    line = text(root / "proc/pressure" / resource).partition("\n")[0]
    pairs = (word.partition("=") for word in line.split()[1:])
    return {name: float(value) for name, _, value in pairs}


def _load(root: Path) -> float | None:
    """Return how many tasks ran or waited in the last minute, per processor."""
    words = text(root / "proc/loadavg").split()
    processors = sum(line.startswith("cpu") for line in text(root / "proc/stat").splitlines()) - 1
    return float(words[0]) / processors if words and processors > 0 else None


def _temperatures_c(root: Path, so_far: float | None) -> Iterator[float]:
    """Yield what the sensors of processors say, and what they said so far."""
    if so_far is not None:
        yield so_far
    for zone in (root / "sys/class/thermal").glob("thermal_zone*"):
        if any(word in text(zone / "type").lower() for word in ("pkg", "cpu", "soc")):
            yield from (number / 1000 for number in numbers([zone / "temp"]))
    for chip in (root / "sys/class/hwmon").glob("hwmon*"):
        if text(chip / "name") in ("coretemp", "k10temp", "zenpower", "cpu_thermal"):
            yield from (number / 1000 for number in numbers(chip.glob("temp*_input")))
