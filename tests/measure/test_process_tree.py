"""A tree of processes is read whole: who comes, who goes, what each holds and has spent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gemma_eval.measure.portable_tree import PortableTree
from gemma_eval.measure.process import Held, Spent, TreeMemory, cpu_clock_ns, read, spent_here
from gemma_eval.measure.process_tree import ProcessTree, Tree, tree
from tests.measure.made_up import FORKED_NOT_EXECUTED, MIB, Obedient, obeying, process, write

KIB = 1024
ON_LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")


class _Clocks:
    """The processor times of processes, in nanoseconds; one that is not known raises, as the system does."""

    def __init__(self, **times: int) -> None:
        self.times = {int(name.removeprefix("of_")): ns for name, ns in times.items()}

    def __call__(self, pid: int) -> int:
        """Return the time of a process."""
        if pid not in self.times:
            raise OSError(22, "no such clock")
        return self.times[pid]


def made_tree(
    root: Path,
    *pids: int,
    own: Callable[[], Spent] = Spent,
    clock_of: Callable[[int], int] = lambda pid: 0,
) -> ProcessTree:
    """Return a tree of a made-up machine that begins with process 1."""
    return ProcessTree(pids, root=root, me=1, own=own, clock_of=clock_of)


@contextmanager
def closing(found: Tree) -> Iterator[Tree]:
    """Close a tree in the end."""
    try:
        yield found
    finally:
        found.close()


# --- made-up machines --------------------------------------------------------------------------------


def test_the_memory_of_a_process_is_read_in_bytes() -> None:
    """Linux writes kibibytes."""
    assert Held.of(
        b"VmHWM:\t 9 kB\nVmRSS:\t 7 kB\nRssAnon:\t 4 kB\nRssFile:\t 2 kB\nRssShmem:\t1 kB\n"
    ) == Held(resident=7 * KIB, mark=9 * KIB, file=2 * KIB)


def test_what_a_status_does_not_say_is_none_or_nothing() -> None:
    """An old kernel does not tell kinds of pages apart; a process that has ended holds none."""
    assert Held.of(b"VmHWM:\t 9 kB\nVmRSS:\t 7 kB\nVmData:\t 4 kB\n") == Held(
        resident=7 * KIB, mark=9 * KIB, file=None
    )
    assert Held.of(b"Name:\tx\nState:\tZ (zombie)\n") == Held(resident=0, mark=0, file=0)


def test_a_tree_is_its_root_with_all_descendants(tmp_path: Path) -> None:
    """Children of children too, and nobody else."""
    write(tmp_path, process(1, resident_kib=100, file_kib=30, children="2 3 "))
    write(tmp_path, process(2, resident_kib=10, file_kib=1, children="4"))
    write(
        tmp_path, process(3, resident_kib=1) | process(4, resident_kib=1000) | process(5, resident_kib=5555)
    )
    write(tmp_path, {"proc/loadavg": "0.1 0.1 0.1 1/90 5\n"})
    with closing(made_tree(tmp_path)) as found:
        assert sorted(found.pids) == [1, 2, 3, 4]
        assert found.memory() == TreeMemory(
            resident=1111 * KIB, highest=1111 * KIB, anonymous=1080 * KIB, file=31 * KIB
        )


def test_each_thread_lists_the_children_that_it_started(tmp_path: Path) -> None:
    """A child of the second thread belongs to the process."""
    write(tmp_path, process(1) | process(2) | {"proc/1/task/9/children": "2"})
    with closing(made_tree(tmp_path)) as found:
        assert sorted(found.pids) == [1, 2]


def test_a_given_process_comes_with_its_descendants(tmp_path: Path) -> None:
    """As a server with its workers; one that is not there is passed over."""
    write(tmp_path, process(1) | process(7, children="8") | process(8))
    with closing(made_tree(tmp_path, 7, 99)) as found:
        assert sorted(found.pids) == [1, 7, 8]


def test_a_descendant_that_is_also_given_counts_once(tmp_path: Path) -> None:
    """Its memory is in the sum once, and its end is the family's business."""
    write(tmp_path, process(1, children="2") | process(2, resident_kib=50))
    with closing(made_tree(tmp_path, 2)) as found:
        assert found.memory().resident == 50 * KIB


def test_a_process_that_starts_is_found_when_the_machine_gave_out_a_number(tmp_path: Path) -> None:
    """Looking for children costs more than asking for the newest number, so it waits for that."""
    write(tmp_path, process(1) | {"proc/loadavg": "0 0 0 1/90 5\n"})
    with closing(made_tree(tmp_path)) as found:
        write(tmp_path, process(1, children="6") | process(6, resident_kib=60))
        assert found.memory().resident == 0
        write(tmp_path, {"proc/loadavg": "0 0 0 1/90 6\n"})
        assert found.memory().resident == 60 * KIB


def test_who_was_just_looked_for_is_not_looked_for_again(tmp_path: Path) -> None:
    """A watch ends with a look and a reading, and its own thread has been given a number."""
    looks: list[int] = []

    class _Looking(ProcessTree):
        def _children(self, pid: int) -> list[int]:
            looks.append(pid)
            return super()._children(pid)

    write(tmp_path, process(1) | {"proc/loadavg": "0 0 0 1/90 5\n"})
    with closing(_Looking(root=tmp_path, me=1, own=Spent)) as found:
        write(tmp_path, {"proc/loadavg": "0 0 0 1/91 6\n"})
        found.find()
        found.memory()
        assert looks == [1, 1]


def test_where_the_newest_number_is_not_told_children_are_always_looked_for(tmp_path: Path) -> None:
    """Some sandboxes write 0, some have no such file."""
    for name, text in (("zero", {"proc/loadavg": "0 0 0 0/0 0\n"}), ("none", {})):
        root = write(tmp_path / name, process(1) | text)
        with closing(made_tree(root)) as found:
            write(root, process(1, children="6") | process(6, resident_kib=60))
            assert found.memory().resident == 60 * KIB


def test_a_child_that_has_not_executed_its_program_yet_is_not_counted_twice(tmp_path: Path) -> None:
    """It has the memory of its parent. If it never executes one it is a worker, let in at the next look."""
    write(tmp_path, process(1, resident_kib=900) | {"proc/loadavg": "0 0 0 1/90 5\n"})
    with closing(made_tree(tmp_path)) as found:
        write(tmp_path, process(1, resident_kib=900, children="6"))
        write(tmp_path, process(6, resident_kib=900, flags=FORKED_NOT_EXECUTED))
        write(tmp_path, {"proc/loadavg": "0 0 0 1/90 6\n"})
        assert found.memory().resident == 900 * KIB
        assert found.memory().resident == 1800 * KIB


def test_a_mark_that_changed_is_a_peak_between_two_readings(tmp_path: Path) -> None:
    """One that was there before is older than the watch; one set back and risen again is new."""
    write(tmp_path, process(1, resident_kib=10, mark_kib=500, children="2"))
    write(tmp_path, process(2, resident_kib=20, mark_kib=20))
    with closing(made_tree(tmp_path)) as found:
        assert found.memory().highest == 30 * KIB
        write(tmp_path, process(2, resident_kib=20, mark_kib=400))
        assert found.memory().highest == 410 * KIB
        assert found.memory().highest == 30 * KIB
        write(tmp_path, process(1, resident_kib=10, mark_kib=300, children="2"))
        assert found.memory().highest == 320 * KIB


def test_the_mark_of_this_process_is_set_back(tmp_path: Path) -> None:
    """And that of no other."""
    write(tmp_path, process(1, children="2") | process(2))
    made_tree(tmp_path).close()
    assert (tmp_path / "proc/1/clear_refs").read_text() == "5"
    assert (tmp_path / "proc/2/clear_refs").read_text() == ""


def test_kinds_of_pages_are_none_when_one_process_does_not_tell(tmp_path: Path) -> None:
    """A sum over some of them would be wrong."""
    write(tmp_path, process(1, resident_kib=5, children="2") | process(2))
    write(tmp_path, {"proc/2/status": "VmHWM:\t9 kB\nVmRSS:\t7 kB\n"})
    with closing(made_tree(tmp_path)) as found:
        memory = found.memory()
        assert memory.resident == 12 * KIB
        assert (memory.anonymous, memory.file) == (None, None)


def test_time_spent_counts_from_the_beginning_of_the_watch(tmp_path: Path) -> None:
    """Of this process, of others by their clock, and of the children that these have waited for, in ticks."""
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    own = [Spent(cpu_ns=1000, involuntary_switches=5), Spent(cpu_ns=1700, involuntary_switches=9)]
    clocks = _Clocks(of_2=10_000)
    write(tmp_path, process(1, children="2") | process(2, ticks="0 0 3 4", switches=20))
    with closing(made_tree(tmp_path, own=lambda: own.pop(0), clock_of=clocks)) as found:
        clocks.times[2] = 10_050
        write(tmp_path, process(2, ticks="0 0 4 6", switches=22))
        assert found.spent() == Spent(cpu_ns=700 + 50 + 3 * tick_ns, involuntary_switches=4 + 2)


def test_a_process_without_a_clock_is_counted_in_ticks(tmp_path: Path) -> None:
    """Its user and system time."""
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    write(tmp_path, process(1, children="2") | process(2, ticks="10 20 0 0"))
    with closing(made_tree(tmp_path, clock_of=_Clocks())) as found:
        write(tmp_path, process(2, ticks="11 22 0 0"))
        assert found.spent() == Spent(cpu_ns=3 * tick_ns)


def test_a_process_that_started_meanwhile_counts_from_its_start(tmp_path: Path) -> None:
    """All that it has spent was spent during the watch."""
    write(tmp_path, process(1) | {"proc/loadavg": "0 0 0 1/90 5\n"})
    with closing(made_tree(tmp_path, clock_of=_Clocks(of_6=400))) as found:
        write(tmp_path, process(1, children="6") | process(6))
        found.find()
        assert found.spent() == Spent(cpu_ns=400)


def test_a_stranger_that_is_named_later_leaves_the_time_unknown(tmp_path: Path) -> None:
    """Nobody knows how much of it was spent before the watch began."""
    named: list[int] = []
    write(tmp_path, process(1) | process(7, resident_kib=70))
    found = ProcessTree(lambda: named, root=tmp_path, me=1, own=Spent, clock_of=_Clocks(of_7=400))
    with closing(found):
        assert found.spent() == Spent()
        named.append(7)
        found.find()
        assert found.memory().resident == 70 * KIB
        assert found.spent() is None


def test_shared_pages_are_divided_and_one_unknown_share_leaves_the_sum_unknown(tmp_path: Path) -> None:
    """The made-up shares are half of what is resident."""
    write(tmp_path, process(1, resident_kib=100, children="2") | process(2, resident_kib=50))
    with closing(made_tree(tmp_path)) as found:
        assert found.pss_bytes() == 75 * KIB
        write(tmp_path, {"proc/2/smaps_rollup": ""})
        assert found.pss_bytes() is None


# --- real processes ----------------------------------------------------------------------------------


def counts_a_childs_past(make: Callable[[], Tree]) -> bool:
    """Say whether time that a child spent before the watch is in the sum when it ends during the watch."""
    with obeying() as child:
        child.tell("burn 0.2")
        with closing(make()) as watched:
            child.end()
            spent = watched.spent()
    assert spent is not None
    return spent.cpu_ns > 100_000_000


class _Forgetful(ProcessTree):
    """The planted error: it forgets what its processes had spent when the watch began."""

    def __init__(self) -> None:
        super().__init__()
        for member in self._members.values():
            if member.spent is not spent_here:
                member.before = Spent()


@ON_LINUX
def test_what_a_child_spent_before_the_watch_does_not_count_when_it_ends() -> None:
    """The kernel gives its parent the sum of its whole life; a tree that forgets its past counts that."""
    assert not counts_a_childs_past(ProcessTree)
    assert counts_a_childs_past(_Forgetful)


def resident_of(pid: int) -> int:
    """Return the resident memory of one process in bytes."""
    return Held.of(Path(f"/proc/{pid}/status").read_bytes()).resident


@ON_LINUX
def test_a_child_that_ended_and_was_not_waited_for_still_counts() -> None:
    """Its time has not moved to its parent yet."""
    with obeying() as child, closing(tree()) as watched:
        others = watched.memory().resident - resident_of(child.pid)
        child.tell("burn 0.1")
        used_s = child.tell("end")
        while b") Z" not in Path(f"/proc/{child.pid}/stat").read_bytes():
            time.sleep(0.001)
        memory, spent = watched.memory(), watched.spent()
        assert child.pid in watched.pids
        assert spent is not None
        assert spent.cpu_ns / 1e9 > used_s - 0.05
        assert memory.resident == pytest.approx(others, rel=0.1)


@ON_LINUX
def test_the_time_of_a_server_is_exact_and_unknown_once_it_is_lost() -> None:
    """Seen from the tree of another process it is a stranger, whose parent is not watched."""
    with obeying() as client, obeying() as server:
        before_s = server.tell("free")
        found = ProcessTree([server.pid], me=client.pid, own=Spent)
        with closing(found):
            after_s = server.tell("burn 0.1")
            spent = found.spent()
            assert spent is not None
            assert spent.cpu_ns / 1e9 == pytest.approx(after_s - before_s, rel=0.02)
            server.end()
            assert found.spent() is None
            assert found.pids == (client.pid,)
            assert found.pss_bytes() is None


@ON_LINUX
def test_the_clock_of_another_process_is_what_that_process_reads_itself() -> None:
    """To a millisecond, of which ticks of 10 ms know nothing."""
    with obeying() as other:
        used_s = other.tell("burn 0.05")
        assert cpu_clock_ns(other.pid) / 1e9 == pytest.approx(used_s, abs=0.001)
    assert cpu_clock_ns(os.getpid()) == pytest.approx(time.process_time_ns(), rel=0.01)


@ON_LINUX
def test_a_file_that_two_processes_map_is_one_file_when_shares_are_added(tmp_path: Path) -> None:
    """Resident memory counts its pages twice; the sum of shares that were not divided would, too."""
    (tmp_path / "weights").write_bytes(bytes(64 * MIB))
    with obeying() as child:
        child.tell("child")
        with closing(tree()) as watched:
            before, pss_before = watched.memory(), watched.pss_bytes()
            child.tell(f"map {tmp_path / 'weights'}")
            child.tell(f"tell map {tmp_path / 'weights'}")
            after, pss_after = watched.memory(), watched.pss_bytes()
    assert pss_before is not None
    assert pss_after is not None
    assert (after.resident - before.resident) / MIB == pytest.approx(128, abs=4)
    assert (pss_after - pss_before) / MIB == pytest.approx(64, abs=4)


@ON_LINUX
def test_a_grandchild_that_starts_during_the_watch_is_found() -> None:
    """At the next reading, without being told."""
    with obeying() as child, closing(tree()) as watched:
        before = set(watched.pids)
        assert {os.getpid(), child.pid} <= before
        child.tell("child")
        watched.memory()
        watched.memory()
        assert len(set(watched.pids) - before) == 1


@ON_LINUX
def test_a_list_longer_than_a_page_is_read_whole() -> None:
    """The kernel gives what it lists in pages, as the children of a server with hundreds of workers."""
    whole = Path("/proc/self/maps").read_bytes()
    assert len(read("/proc/self/maps")) > 3 * 4096
    assert len(read("/proc/self/maps")) == pytest.approx(len(whole), rel=0.05)
    assert read("/proc/self/absent") == b""


@ON_LINUX
def test_where_the_kernel_does_not_list_children_they_are_found_by_their_parent(tmp_path: Path) -> None:
    """At the beginning and when asked for, not between readings."""
    me = os.getpid()
    write(tmp_path, process(me, resident_kib=10))
    (tmp_path / f"proc/{me}/task/{me}/children").unlink()
    with obeying() as child:
        write(tmp_path, process(child.pid, resident_kib=20))
        with closing(ProcessTree(root=tmp_path)) as found:
            assert found.memory().resident == 30 * KIB


def test_a_closed_tree_can_be_closed_again_and_leaves_no_file_open() -> None:
    """Each watch opens some."""
    with obeying():
        folder = Path("/dev/fd")
        before = len(list(folder.iterdir()))
        for _ in range(10):
            found = tree()
            found.memory()
            found.close()
            found.close()
        assert len(list(folder.iterdir())) == before


# --- systems without /proc ---------------------------------------------------------------------------


def test_a_system_without_proc_is_watched_by_what_every_system_tells(tmp_path: Path) -> None:
    """Resident memory and time; no marks, no kinds of pages, no shares."""
    assert isinstance(tree(root=tmp_path), PortableTree)
    others = set(PortableTree().pids)
    with obeying() as child:
        found = PortableTree()
        before = found.memory()
        child.tell(f"take {32 * MIB}")
        used_s = child.tell("burn 0.1")
        found.find()
        after, spent = found.memory(), found.spent()
        assert (after.resident - before.resident) / MIB == pytest.approx(32, abs=2)
        assert after.highest == after.resident
        assert (after.anonymous, after.file, found.pss_bytes()) == (None, None, None)
        assert spent is not None
        assert spent.cpu_ns / 1e9 == pytest.approx(used_s, abs=0.05)
        assert set(found.pids) == others | {child.pid}
    assert found.memory().resident < after.resident
    assert found.spent() is None
    found.close()


def test_a_given_process_is_watched_there_too() -> None:
    """One that is gone is passed over."""
    other: Obedient
    with obeying() as other:
        found = PortableTree([other.pid])
    assert other.pid in found.pids
    assert other.pid not in PortableTree([other.pid]).pids
