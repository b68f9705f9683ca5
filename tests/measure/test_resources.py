"""What a generation takes is watched over the process tree, and the watch says what was there."""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.measure.energy import Zone
from gemma_eval.measure.gpu import Gpus
from gemma_eval.measure.process import Pids, Spent, TreeMemory
from gemma_eval.measure.process_tree import ProcessTree, Tree, tree
from gemma_eval.measure.resources import PSS_S_PER_BYTE, PSS_SHARE, watch
from gemma_eval.records import Resources
from tests.fresh import fresh
from tests.measure.made_up import MIB, Obedient, obeying, process, write
from tests.measure.test_gpu import FakeNvml, gpus_of
from tests.measure.test_repeating import no_more_threads_than, wait_for

SPIKE = 256 * MIB
TOLERANCE_MIB = 4
ON_LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")


class _Readings:
    """A tree that returns given readings in turn, the last one for ever, and counts them."""

    def __init__(self, *readings: TreeMemory, spent: Spent | None = None, pss: int | None = None) -> None:
        self._readings = list(readings)
        self._spent = spent
        self._pss = pss
        self.pids: tuple[int, ...] = (1,)
        self.asked = 0
        self.found = 0
        self.is_closed = False

    def find(self) -> None:
        """Count it."""
        self.found += 1

    def memory(self) -> TreeMemory:
        """Return the next reading."""
        self.asked += 1
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]

    def spent(self) -> Spent | None:
        """Return what was given."""
        return self._spent

    def pss_bytes(self) -> int | None:
        """Return what was given."""
        return self._pss

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


def held(resident: int, *, highest: int | None = None, file: int | None = 0) -> TreeMemory:
    """Return a reading."""
    anonymous = None if file is None else resident - file
    return TreeMemory(resident=resident, highest=highest or resident, anonymous=anonymous, file=file)


def stamps(*seconds: float) -> Callable[[], int]:
    """Return a clock that shows these seconds one after the other."""
    left = [round(second * 1e9) for second in seconds]
    return lambda: left.pop(0)


def watched(
    readings: _Readings,
    *,
    seconds: float = 1.0,
    gpus: Gpus | None = None,
    domains: tuple[Zone, ...] = (),
    during: Callable[[], object] = lambda: None,
) -> Resources:
    """Return what a watch of some seconds makes of given readings."""
    with watch(
        interval_s=60,
        watched=lambda pids: readings,
        gpus=lambda: gpus,
        domains=lambda: domains,
        clock=stamps(0, seconds),
    ) as memory:
        assert memory.reading() is None
        during()
    reading = memory.reading()
    assert reading is not None
    return reading


# --- what is made of readings ------------------------------------------------------------------------


def test_a_watch_reads_on_entry_in_between_and_on_exit() -> None:
    """Peak and mean are those of the readings, and the interval is the mean of what it came to be."""
    readings = _Readings(held(100), held(400), held(100))
    clock = stamps(0, 1)
    with watch(interval_s=0.001, watched=lambda pids: readings, clock=clock) as memory:
        while readings.asked < 4:
            time.sleep(0.001)
    reading = memory.reading()
    assert reading is not None
    assert reading.peak_memory_bytes == 400
    assert reading.mean_memory_bytes == round((100 * (readings.asked - 1) + 400) / readings.asked)
    assert reading.interval_s == 1 / (readings.asked - 1)


def test_a_watch_shorter_than_its_interval_still_reads_twice() -> None:
    """Entry and exit; then the tree is closed."""
    readings = _Readings(held(100), held(300))
    reading = watched(readings, seconds=2)
    assert (readings.asked, readings.found, readings.is_closed) == (2, 1, True)
    assert (reading.peak_memory_bytes, reading.mean_memory_bytes) == (300, 200)
    assert reading.interval_s == 2


def test_a_peak_that_the_kernel_marked_is_not_in_the_mean() -> None:
    """How long it lasted is not known."""
    reading = watched(_Readings(held(100), held(100, highest=900)))
    assert (reading.peak_memory_bytes, reading.mean_memory_bytes) == (900, 100)


def test_kinds_of_pages_have_peaks_of_their_own() -> None:
    """They need not come at the same time; one reading without them leaves both unknown."""
    reading = watched(_Readings(held(100, file=70), held(90, file=10)))
    assert (reading.peak_anonymous_bytes, reading.peak_file_bytes) == (80, 70)
    reading = watched(_Readings(held(100, file=70), held(90, file=None)))
    assert (reading.peak_anonymous_bytes, reading.peak_file_bytes) == (None, None)


def test_what_was_spent_is_in_seconds_and_none_where_it_is_unknown() -> None:
    """Never 0."""
    reading = watched(_Readings(held(1), spent=Spent(cpu_ns=1_500_000_000, involuntary_switches=3)))
    assert (reading.cpu_s, reading.involuntary_switches) == (1.5, 3)
    reading = watched(_Readings(held(1), spent=None))
    assert (reading.cpu_s, reading.involuntary_switches) == (None, None)


def test_shared_pages_are_divided_only_where_that_takes_a_small_part_of_the_time() -> None:
    """A gigabyte takes 12 ms: after a quarter of a second that is a twentieth, after less it is too much."""
    readings = _Readings(held(1024 * MIB), pss=7)
    limit_s = 1024 * MIB * PSS_S_PER_BYTE / PSS_SHARE
    assert watched(readings, seconds=limit_s * 1.01).peak_pss_bytes == 7
    assert watched(readings, seconds=limit_s * 0.99).peak_pss_bytes is None


def test_gpu_memory_and_energy_are_those_of_the_gpus_that_the_tree_is_on(tmp_path: Path) -> None:
    """The other GPU belongs to somebody else; the processor's energy is added, and both sources named."""
    nvml = FakeNvml(used=[{1: 500, 99: 7}, {99: 800}], energy_mj=[1000, 5000])
    write(tmp_path, {"energy_uj": "4000000"})
    zone = Zone(counter=tmp_path / "energy_uj", highest_uj=10_000_000)

    def during() -> None:
        nvml.energy_mj = [3500, 9000]
        nvml.used[0][1] = 400
        write(tmp_path, {"energy_uj": "7000000"})

    reading = watched(_Readings(held(1)), gpus=gpus_of(nvml), domains=(zone,), during=during)
    assert reading.gpu_peak_memory_bytes == 500
    assert reading.energy_j == 2.5 + 3.0
    assert reading.energy_source == "rapl+nvml"


def test_without_gpu_and_counters_there_is_no_energy() -> None:
    """None, not 0."""
    reading = watched(_Readings(held(1)))
    assert (reading.gpu_peak_memory_bytes, reading.energy_j, reading.energy_source) == (None, None, None)


def test_an_error_inside_a_watch_passes_and_ends_the_thread() -> None:
    """No thread is left behind, and what was taken until then is known."""
    before = _thread._count()
    readings = _Readings(held(5))
    with pytest.raises(KeyError), watch(interval_s=0.001, watched=lambda pids: readings) as memory:
        raise KeyError
    assert no_more_threads_than(before)
    reading = memory.reading()
    assert reading is not None
    assert reading.peak_memory_bytes == 5


def test_processes_that_cannot_be_named_in_the_end_leave_nothing_behind() -> None:
    """A backend that broke down may raise; the error passes, the thread ends, and the tree is closed."""

    class _Broken(_Readings):
        def find(self) -> None:
            raise ConnectionError

    before = _thread._count()
    readings = _Broken(held(5))
    with pytest.raises(ConnectionError), watch(watched=lambda pids: readings):
        pass
    assert no_more_threads_than(before)
    assert readings.is_closed


def test_an_error_of_a_reading_in_between_is_raised_in_the_end() -> None:
    """It is not lost, and there is no other reading before the last."""

    class _Broken(_Readings):
        def memory(self) -> TreeMemory:
            self.asked += 1
            if self.asked > 1:
                raise ConnectionError
            return held(5)

    readings = _Broken(held(5))

    def watch_until_it_breaks() -> None:
        with watch(interval_s=0.001, watched=lambda pids: readings):
            wait_for(lambda: readings.asked > 1)
            time.sleep(0.01)
            assert readings.asked == 2

    with pytest.raises(ConnectionError):
        watch_until_it_breaks()
    assert readings.is_closed


def test_given_processes_are_handed_to_the_tree() -> None:
    """Also as a function, which is asked when they are needed."""
    asked: list[Pids] = []

    def make(pids: Pids) -> Tree:
        asked.append(pids)
        return _Readings(held(1))

    def current() -> Sequence[int]:
        return (4,)

    for pids in ((1, 2), current):
        with watch(pids=pids, watched=make):
            pass
    assert asked == [(1, 2), current]


# --- known answers on real processes (K9, K10) -------------------------------------------------------


class _Alone(ProcessTree):
    """A planted error: a tree that is one process."""

    def _children(self, pid: int) -> list[int]:
        del pid
        return []


class _WithoutMarks(ProcessTree):
    """A planted error: peaks between two readings are not looked for."""

    def memory(self) -> TreeMemory:
        """Read what is resident now."""
        memory = super().memory()
        return replace(memory, highest=memory.resident)


class _AllAnonymous(ProcessTree):
    """A planted error: all that is resident is taken for memory that only this process holds."""

    def memory(self) -> TreeMemory:
        """Call every page anonymous."""
        memory = super().memory()
        return replace(memory, anonymous=memory.resident, file=0)


class _WithoutTheEnded(ProcessTree):
    """A planted error: the time of children that have ended is not added."""

    def spent(self) -> Spent:
        """Sum over those who live."""
        alive = [member for pid, member in self._members.items() if Path(f"/proc/{pid}").exists()]
        return Spent(cpu_ns=sum(member.spent().cpu_ns - member.before.cpu_ns for member in alive[1:]))


def spike(child: Obedient, seconds: float) -> None:
    """Have a child and its child hold 256 MiB each at the same time, for a moment."""
    child.tell(f"take {SPIKE}")
    child.tell(f"tell take {SPIKE}")
    time.sleep(seconds)
    child.tell("free")
    child.tell("tell free")


def sees_a_spike(make: Callable[[Pids], Tree]) -> bool:
    """Say whether a spike of 512 MiB for 20 ms in two processes is seen by a watch that sleeps meanwhile."""
    with obeying() as child:
        child.tell("child")
        found = tree()
        before = found.memory().resident
        found.close()
        with watch(interval_s=60, watched=make) as memory:
            spike(child, 0.02)
    reading = memory.reading()
    assert reading is not None
    assert reading.peak_memory_bytes is not None
    return abs(reading.peak_memory_bytes - before - 2 * SPIKE) <= TOLERANCE_MIB * MIB


@ON_LINUX
def test_a_spike_of_a_child_and_its_child_is_seen_to_four_mebibytes() -> None:
    """Also between two readings, by the kernel's marks."""
    assert fresh(sees_a_spike, tree)


@ON_LINUX
@pytest.mark.parametrize("planted", [_Alone, _WithoutMarks])
def test_a_watch_of_one_process_or_without_marks_misses_the_spike(planted: Callable[[Pids], Tree]) -> None:
    """The test above can fail."""
    assert not fresh(sees_a_spike, planted)


@ON_LINUX
def test_a_spike_of_a_child_that_started_during_the_watch_is_seen() -> None:
    """It is found at the next reading, and its mark then tells what it held before that."""
    with watch() as memory, obeying() as child:
        child.tell("child")
        found = tree()
        before = found.memory().resident
        found.close()
        spike(child, 0.02)
        time.sleep(0.2)
    reading = memory.reading()
    assert reading is not None
    assert reading.peak_memory_bytes is not None
    assert (reading.peak_memory_bytes - before) / MIB == pytest.approx(512, abs=TOLERANCE_MIB)


def tells_a_mapped_file_from_heap(make: Callable[[Pids], Tree], weights: Path) -> bool:
    """Say whether 256 MiB of a file that a child maps are counted as pages of a file, and as nothing else."""
    with weights.open("wb") as file:
        file.truncate(SPIKE)
    with obeying() as child:
        found = tree()
        before = found.memory()
        found.close()
        with watch(interval_s=60, watched=make) as memory:
            child.tell(f"map {weights}")
    reading = memory.reading()
    assert reading is not None
    grown = (
        (reading.peak_memory_bytes or 0) - before.resident,
        (reading.peak_file_bytes or 0) - (before.file or 0),
        (reading.peak_anonymous_bytes or 0) - (before.anonymous or 0),
    )
    return all(
        abs(size - expected) <= TOLERANCE_MIB * MIB
        for size, expected in zip(grown, (SPIKE, SPIKE, 0), strict=True)
    )


def in_memory(folder: Path) -> bool:
    """Say whether the files of a folder are held by memory, as on tmpfs."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    return max(holding, key=lambda mount: len(mount[1]))[2] in ("tmpfs", "ramfs")


@ON_LINUX
def test_a_mapped_file_does_not_look_like_heap(tmp_path: Path) -> None:
    """As the weights of a GGUF file that an engine maps."""
    if in_memory(tmp_path):
        pytest.skip("the folder of temporary files is in memory, where a file is held by nothing else")
    assert fresh(tells_a_mapped_file_from_heap, tree, tmp_path / "weights")
    assert not fresh(tells_a_mapped_file_from_heap, _AllAnonymous, tmp_path / "weights")
    assert not fresh(tells_a_mapped_file_from_heap, _Alone, tmp_path / "weights")


def burns(make: Callable[[Pids], Tree], seconds: float) -> tuple[float, float]:
    """Return the processor time of two children as a watch and as they themselves have it, in seconds.

    One of them has ended when the watch ends, the other has not. What this process spent is taken off.
    """
    with obeying() as lasting:
        before_s = lasting.tell("free")
        with watch(watched=make) as memory:
            own_s = time.process_time()
            with obeying() as ending:
                ending.tell(f"burn {seconds}")
                used_s = lasting.tell(f"burn {seconds}") - before_s + ending.end()
            own_s = time.process_time() - own_s
    reading = memory.reading()
    assert reading is not None
    return (reading.cpu_s or 0.0) - own_s, used_s


@ON_LINUX
@pytest.mark.parametrize("seconds", [0.2, pytest.param(1.0, marks=pytest.mark.slow)])
def test_the_processor_time_of_two_children_is_right_to_two_per_cent(seconds: float) -> None:
    """Against what the kernel tells each of them about itself."""
    seen_s, used_s = fresh(burns, tree, seconds)
    assert seen_s == pytest.approx(used_s, rel=0.02)


@ON_LINUX
@pytest.mark.parametrize("planted", [_Alone, _WithoutTheEnded])
def test_time_of_one_process_or_of_the_living_alone_is_not_right(planted: Callable[[Pids], Tree]) -> None:
    """The test above can fail."""
    seen_s, used_s = fresh(burns, planted, 0.1)
    assert seen_s != pytest.approx(used_s, rel=0.02)


def test_memory_that_this_process_takes_and_gives_back_is_seen_exactly() -> None:
    """Twice: the kernel's mark of the first time does not hide the second, which no reading saw."""
    for _ in range(2):
        found = tree()
        before = found.memory().resident
        found.close()
        with watch(interval_s=60) as memory:
            block = bytearray(64 * MIB)
            del block
        reading = memory.reading()
        assert reading is not None
        assert reading.peak_memory_bytes is not None
        if Path("/proc/self/clear_refs").exists():
            assert (reading.peak_memory_bytes - before) / MIB == pytest.approx(64, abs=TOLERANCE_MIB)


def test_watches_may_overlap(tmp_path: Path) -> None:
    """The inner one sets the mark back; the outer one has read it before, and does not lose its peak."""
    files = process(1, resident_kib=10, mark_kib=10) | {"proc/loadavg": "0 0 0 1/9 5\n"}
    found = ProcessTree(root=write(tmp_path, files), me=1, own=Spent)
    readings = []
    for mark_kib in (10, 500, 20, 90):
        write(tmp_path, process(1, resident_kib=10, mark_kib=mark_kib))
        readings.append(found.memory().highest // 1024)
    found.close()
    assert readings == [10, 500, 20, 90]


# --- what watching costs -----------------------------------------------------------------------------


def cost_of(make: Callable[[Pids], Tree], seconds: float) -> float:
    """Return the part of a core that a watch takes of this process while it sleeps."""
    begun_s = time.process_time()
    with watch(watched=make):
        time.sleep(seconds)
    return (time.process_time() - begun_s) / seconds


@ON_LINUX
def test_watching_costs_little_more_than_waking_up() -> None:
    """Against a watch that reads nothing, so that the machine does not matter; the smallest of three."""

    class _Nothing(ProcessTree):
        def memory(self) -> TreeMemory:
            return held(1)

    reading, waking = (min(cost_of(make, 0.3) for _ in range(3)) for make in (tree, _Nothing))
    assert reading < 6 * waking
