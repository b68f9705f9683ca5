"""A run is fair unless others disturbed it, and the reasons can be read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gemma_eval.measure import noise
from gemma_eval.measure.process import Spent, TreeMemory
from gemma_eval.measure.process_tree import ProcessTree
from gemma_eval.records import Noise
from tests.measure.made_up import obeying, write

HZ = os.sysconf("SC_CLK_TCK")
MEASURED_S = 100
CPUS = 4


class _Ours:
    """The tree of a run that spends what it is told."""

    pids = (1,)

    def __init__(self, spent: Spent | None) -> None:
        self._spent = spent
        self.is_closed = False

    def find(self) -> None:
        """Nobody comes."""

    def memory(self) -> TreeMemory:
        """Not asked here."""
        raise AssertionError

    def pss_bytes(self) -> int | None:
        """Not asked here."""
        raise AssertionError

    def spent(self) -> Spent | None:
        """Return what was given."""
        return self._spent

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


def machine(
    root: Path,
    *,
    busy_s: float = 0.0,
    steal_s: float = 0.0,
    wall_s: float = 0.0,
    waited_s: tuple[float, float, float] = (0.0, 0.0, 0.0),
    load: float = 0.4,
) -> Path:
    """Write what a machine with four processors says when so much has passed since a beginning."""
    user, stolen = round(busy_s * HZ), round(steal_s * HZ)
    idle = round(CPUS * wall_s * HZ) - user - stolen
    total = f"{1000 + user} 7 50 {9000 + idle} 11 3 4 {20 + stolen} 999 999"
    lines = [f"cpu  {total}", *(f"cpu{index} {total}" for index in range(CPUS)), "intr 1 2 3"]
    files = {"proc/stat": "\n".join(lines), "proc/loadavg": f"{load} 0.1 0.1 1/90 5\n"}
    for name, seconds in zip(("cpu", "memory", "io"), waited_s, strict=True):
        microseconds = 777 + round(seconds * 1e6)
        files[f"proc/pressure/{name}"] = (
            f"some avg10=3.50 avg60=0.00 avg300=0.00 total={microseconds}\n"
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"
        )
    return write(root, files)


def ran(
    root: Path,
    *,
    ours_s: float | None = 0.0,
    switches: int = 0,
    wall_s: float = MEASURED_S,
    busy_s: float = 0.0,
    steal_s: float = 0.0,
    waited_s: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Noise:
    """Return what is said of a run of some seconds on the made-up machine."""
    stamps = [0, round(wall_s * 1e9)]
    spent = None if ours_s is None else Spent(cpu_ns=round(ours_s * 1e9), involuntary_switches=switches)
    watch = noise.begin(root=machine(root), clock=lambda: stamps.pop(0), ours=_Ours(spent))
    machine(root, busy_s=busy_s, steal_s=steal_s, wall_s=wall_s, waited_s=waited_s)
    return watch.end()


def test_a_quiet_machine_is_fair_and_everything_is_a_share(tmp_path: Path) -> None:
    """Our own engine kept two of four processors busy; others took 4 s of the 400."""
    seen = ran(tmp_path, ours_s=200, busy_s=204, steal_s=2, waited_s=(4, 0.5, 10), switches=300)
    assert seen == Noise(
        cpu_pressure=0.04,
        memory_pressure=0.005,
        io_pressure=0.1,
        steal=0.005,
        load_before=0.1,
        others_cpu=0.01,
        involuntary_switches_per_s=3.0,
    )


def test_pressure_that_others_caused_is_a_reason(tmp_path: Path) -> None:
    """They ran for 36 s, so they can have kept us waiting for 34 s."""
    seen = ran(tmp_path, ours_s=300, busy_s=336, waited_s=(34, 0, 0))
    assert seen.cpu_pressure == 0.34
    assert seen.reasons == (
        "the machine waited for the CPU 34 % of the time (PSI); 5 % is allowed",
        "other processes took 9 % of the processors' time; 5 % is allowed",
    )


def test_pressure_that_is_our_own_is_not(tmp_path: Path) -> None:
    """Eight threads on four processors wait for each other; others ran for 3 s and caused no more."""
    seen = ran(tmp_path, ours_s=390, busy_s=393, waited_s=(95, 0, 0))
    assert seen.cpu_pressure == 0.95
    assert seen.reasons == ()


def test_pressure_counts_whole_where_nobody_knows_whose_it_is(tmp_path: Path) -> None:
    """A server that ended took its account with it."""
    seen = ran(tmp_path, ours_s=None, busy_s=393, waited_s=(34, 0, 0))
    assert (seen.others_cpu, seen.involuntary_switches_per_s) == (None, None)
    assert len(seen.reasons) == 1


@pytest.mark.parametrize(
    ("steal_s", "waited_s", "reason"),
    [
        (20, (0, 0, 0), "the hypervisor took 5 % of the processors' time; 2 % is allowed"),
        (0, (0, 3, 0), "the machine waited for memory 3 % of the time (PSI); 1 % is allowed"),
        (0, (0, 0, 33.3), "the machine waited for disks 33.3 % of the time (PSI); 20 % is allowed"),
    ],
)
def test_what_is_above_its_limit_is_named_with_both(
    tmp_path: Path, steal_s: float, waited_s: tuple[float, float, float], reason: str
) -> None:
    """One sentence each."""
    assert ran(tmp_path, steal_s=steal_s, waited_s=waited_s).reasons == (reason,)


def test_a_group_that_was_stopped_is_a_reason(tmp_path: Path) -> None:
    """A quota of the control group."""
    mount = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    write(tmp_path, {"proc/self/mountinfo": mount, "proc/self/cgroup": "0::/\n"})
    write(tmp_path, {"sys/fs/cgroup/cpu.stat": "nr_periods 100\nnr_throttled 1\n"})
    stamps = [0, 10**9]
    watch = noise.begin(root=machine(tmp_path), clock=lambda: stamps.pop(0), ours=_Ours(Spent()))
    write(tmp_path, {"sys/fs/cgroup/cpu.stat": "nr_periods 200\nnr_throttled 13\n"})
    seen = watch.end()
    assert seen.throttled == 0.12
    assert seen.reasons == ("the control group was stopped in 12 % of its periods; 1 % is allowed",)


def test_a_short_run_is_not_blamed_for_what_ticks_cannot_tell(tmp_path: Path) -> None:
    """In half a second on four processors there are 200 ticks: a share of 11 % may be 5 % as well."""
    assert ran(tmp_path / "short", wall_s=0.5, busy_s=0.22).reasons == ()
    assert ran(tmp_path / "long", wall_s=50, busy_s=22).reasons != ()


def test_the_hottest_look_is_kept(tmp_path: Path) -> None:
    """Of the sensors of processors, and of looks that are not too close to one another."""
    zone, chip = "sys/class/thermal/thermal_zone0", "sys/class/hwmon/hwmon1"
    write(tmp_path, {f"{zone}/type": "x86_pkg_temp\n", f"{zone}/temp": "51000\n"})
    write(tmp_path, {f"{chip}/name": "nvme\n", f"{chip}/temp1_input": "99000\n"})
    seconds = iter((0, 5, 6, 20))
    watch = noise.begin(root=machine(tmp_path), clock=lambda: next(seconds) * 10**9, ours=_Ours(Spent()))
    write(tmp_path, {"sys/class/hwmon/hwmon2/name": "k10temp\n"})
    write(tmp_path, {"sys/class/hwmon/hwmon2/temp1_input": "83500\n"})
    watch.look()
    write(tmp_path, {"sys/class/hwmon/hwmon2/temp1_input": "91000\n"})
    watch.look()
    write(tmp_path, {"sys/class/hwmon/hwmon2/temp1_input": "40000\n"})
    assert watch.end().temperature_c == 83.5


def test_heat_that_slowed_a_processor_down_is_a_reason(tmp_path: Path) -> None:
    """The kernel counts it per core and per package."""
    count = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    write(tmp_path, {count: "5\n"})
    watch = noise.begin(root=machine(tmp_path), ours=_Ours(Spent()))
    write(tmp_path, {count: "17\n"})
    assert watch.end().reasons == ("heat slowed processors down 12 times; none is allowed",)


def test_a_machine_on_its_battery_is_not_fair(tmp_path: Path) -> None:
    """Once is enough."""
    status = "sys/class/power_supply/BAT0/status"
    watch = noise.begin(root=machine(write(tmp_path, {status: "Discharging\n"})), ours=_Ours(Spent()))
    write(tmp_path, {status: "Charging\n"})
    assert watch.end().reasons == ("the machine ran on its battery; plug it in",)


def test_time_that_goes_back_is_no_time(tmp_path: Path) -> None:
    """The kernel warns that iowait may decrease; shares stay within 0 and 1."""
    root = machine(tmp_path)
    watch = noise.begin(root=root, clock=iter((0, 10**9)).__next__, ours=_Ours(Spent()))
    stat = (root / "proc/stat").read_text().replace(" 11 3 4 ", " 9 3 4 ")
    write(root, {"proc/stat": stat.replace("cpu  1000", "cpu  1040")})
    seen = watch.end()
    assert seen.others_cpu == 1.0
    assert seen.steal == 0.0


def test_a_system_that_tells_nothing_gives_no_reason(tmp_path: Path) -> None:
    """None, not 0."""
    ours = _Ours(None)
    assert noise.begin(root=tmp_path, ours=ours).end() == Noise()
    assert ours.is_closed
    assert noise.pressure_now(tmp_path) is None


def test_pressure_now_is_that_of_the_last_ten_seconds(tmp_path: Path) -> None:
    """The kernel writes per cent."""
    assert noise.pressure_now(machine(tmp_path)) == pytest.approx(0.035)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux's /proc")
def test_on_this_machine_what_is_ours_is_not_taken_for_others() -> None:
    """A child works for us, to a tree without children it is somebody else: they differ by what it spent."""

    class _Childless(ProcessTree):
        def _children(self, pid: int) -> list[int]:
            del pid
            return []

    with obeying() as child:
        begun_s = time.perf_counter()
        whole, blind = noise.begin(), noise.begin(ours=_Childless())
        child.tell("burn 0.5")
        seen, misled = whole.end(), blind.end()
        wall_s = time.perf_counter() - begun_s
    assert seen.others_cpu is not None
    assert misled.others_cpu is not None
    processors = os.cpu_count() or 1
    assert (misled.others_cpu - seen.others_cpu) * processors * wall_s == pytest.approx(0.5, rel=0.4)
    assert seen.load_before is not None
