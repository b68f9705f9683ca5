"""What a tree of processes holds in memory, and the processor time that it spends.

The tree is this process, its descendants, and given processes with theirs. Processor time is conserved: what
a process has spent moves to its parent when the parent has waited for it. So the difference of two sums over
the living, each with the children it has waited for, also counts children that came and went in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import psutil

from gemma_eval.measure import process
from gemma_eval.measure.portable_tree import PortableTree
from gemma_eval.measure.process import Held, Pids, Spent, TreeMemory


class Tree(Protocol):
    """A tree of processes, watched from the moment that it is made."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were alive at the last reading."""

    def find(self) -> None:
        """Look for processes that have come, those that are named now among them."""

    def memory(self) -> TreeMemory:
        """Read the memory of every process."""

    def spent(self) -> Spent | None:
        """Return what the tree has spent since this was made, `None` where it is not known."""

    def pss_bytes(self) -> int | None:
        """Return the resident memory with pages that are shared divided among their owners."""

    def close(self) -> None:
        """Free what is kept open; a second call does nothing."""


def tree(pids: Pids = (), *, root: Path = Path("/")) -> Tree:
    """Watch this process, its descendants and `pids` with theirs, by /proc of `root` where there is one."""
    return ProcessTree(pids, root=root) if _has_proc(root) else PortableTree(pids)


class ProcessTree:
    """A tree of processes as /proc has it, watched from the moment that this is made; `close` it in the end.

    A process that starts later is found at the next reading. One that is no descendant is given by its id;
    `find` asks `pids` again. The kernel's mark of this process is set back to what is resident now, where
    that is permitted, so that its peak is exact; its `ru_maxrss` forgets earlier peaks by that.

    `root` is where /proc lies, `me` the process to begin with; `own` returns what that one has spent, and
    `clock_of` the processor time of another.
    """

    def __init__(
        self,
        pids: Pids = (),
        *,
        root: Path = Path("/"),
        me: int | None = None,
        own: Callable[[], Spent] = process.spent_here,
        clock_of: Callable[[int], int] = process.cpu_clock_ns,
    ) -> None:
        self._proc = str(root / "proc")
        self._given = pids
        self._me = me or os.getpid()
        self._own = own
        self._clock_of = clock_of
        self._members: dict[int, _Member] = {}
        self._starting: frozenset[int] = frozenset()
        self._has_ended = False
        self._is_known = True
        self._moved = Spent()
        self._lists_children = os.path.exists(f"{self._folder(self._me)}/task/{self._me}/children")  # noqa: PTH110
        self._loadavg = _open(f"{self._proc}/loadavg")
        self._newest = self._newest_pid()
        _forget_peak(self._folder(self._me))
        for pid, is_stranger in self._newcomers().items():
            self._let_in(pid, is_stranger=is_stranger, has_history=True)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were alive at the last reading."""
        return tuple(self._members)

    def find(self) -> None:
        """Look for processes that have come, those that `pids` names now among them."""
        self._newest = self._newest_pid()  # before looking, so that who comes meanwhile is noticed later
        starting = set()
        for pid, is_stranger in self._newcomers().items():
            # What has not yet executed its program is counted twice, in its parent and as its copy. It is
            # let in if it still has not at the next look, for then it is a worker that never will.
            if pid not in self._starting and process.is_starting(self._folder(pid)):
                starting.add(pid)
                continue
            self._let_in(pid, is_stranger=is_stranger, has_history=is_stranger)
            self._is_known = self._is_known and not is_stranger
        self._starting = frozenset(starting)

    def memory(self) -> TreeMemory:
        """Read the memory of every process; cheap enough to be done many times per second."""
        if self._may_have_grown():
            self.find()
        resident = highest = file = 0
        is_split = True
        for pid, member in tuple(self._members.items()):
            held = self._held(pid, member)
            if held is None:
                continue
            resident += held.resident
            highest += held.resident if held.mark == member.mark else max(held.mark, held.resident)
            member.mark = held.mark
            file += held.file or 0
            is_split = is_split and held.file is not None
        return TreeMemory(
            resident=resident,
            highest=highest,
            anonymous=resident - file if is_split else None,
            file=file if is_split else None,
        )

    def spent(self) -> Spent | None:
        """Return what the tree has spent since this was made.

        `None` when a process that is no descendant has ended or was named later: then it is unknown. A
        daemon that has left its parents counts while it lives. The switches of threads that have ended count
        for this process and for processes that have ended, not for others.
        """
        total = Spent()
        for pid, member in tuple(self._members.items()):
            if pid == self._me or self._held(pid, member) is not None:
                total = total.plus(member.spent()).minus(member.before)
        total = total.minus(self._moved)
        return total if self._is_known and total.cpu_ns >= 0 else None

    def pss_bytes(self) -> int | None:
        """Return the resident memory with pages that are shared divided among their owners.

        It takes the kernel some 10 µs per MiB. `None` where a process may not be read, or has ended since
        this was made: what it held is not known any more.
        """
        found = [process.pss_bytes(self._folder(pid)) for pid in self._members]
        known = [pss for pss in found if pss is not None]
        return sum(known) if len(known) == len(found) and not self._has_ended else None

    def close(self) -> None:
        """Close the files that are kept open; a second call does nothing."""
        for member in self._members.values():
            os.close(member.status)
        self._members.clear()
        if self._loadavg is not None:
            os.close(self._loadavg)
            self._loadavg = None

    def _folder(self, pid: int) -> str:
        return f"{self._proc}/{pid}"

    def _newcomers(self) -> dict[int, bool]:
        """Return who is not yet watched, and whether it is a stranger: no member will wait for its end."""
        named = self._given() if callable(self._given) else self._given
        family = self._with_descendants((self._me, *self._members))
        found = {pid: pid in named for pid in self._with_descendants(named)} | dict.fromkeys(family, False)
        return {pid: is_stranger for pid, is_stranger in found.items() if pid not in self._members}

    def _with_descendants(self, pids: Iterable[int]) -> dict[int, None]:
        found = dict.fromkeys(pids)
        waiting = list(found)
        while waiting:
            new = [child for child in self._children(waiting.pop()) if child not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return found

    def _children(self, pid: int) -> list[int]:
        if self._lists_children:
            return process.children(self._folder(pid))
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []

    def _may_have_grown(self) -> bool:
        """Say whether the machine has started a process since the last time; to ask that costs 1 µs.

        Where the kernel does not list children, looking for them is too dear to be done between two readings.
        """
        if not self._lists_children:
            return False
        newest = self._newest_pid()
        return bool(self._starting) or newest != self._newest or newest == b"0"

    def _newest_pid(self) -> bytes:
        """Return the number that a process or thread was given last, as text; `0` where that is not told."""
        return b"0" if self._loadavg is None else os.pread(self._loadavg, 128, 0).rsplit(None, 1)[-1]

    def _let_in(self, pid: int, *, is_stranger: bool, has_history: bool) -> None:
        status = _open(f"{self._folder(pid)}/status")
        if status is None:
            return
        clock = partial(self._clock_of, pid)
        spent = self._own if pid == self._me else partial(process.spent_by, self._folder(pid), clock=clock)
        member = _Member(status=status, spent=spent, is_stranger=is_stranger)
        self._members[pid] = member
        if has_history and (held := self._held(pid, member)):
            member.mark, member.before = held.mark, spent()

    def _held(self, pid: int, member: _Member) -> Held | None:
        """Return the memory of a process, `None` when it has ended; then it is no member any more."""
        try:
            return Held.of(os.pread(member.status, 4096, 0))
        except OSError:
            os.close(member.status)
            del self._members[pid]
            self._has_ended = True
            self._is_known = self._is_known and not member.is_stranger
            # The sum of its parent now holds all that it ever spent.
            self._moved = self._moved.plus(member.before)
            return None


@dataclass(slots=True)
class _Member:
    """A process of the tree; its open status file tells it from a later one of the same number.

    `mark` is its kernel's mark at the last reading, `before` what it had spent when the watch began.
    """

    status: int
    spent: Callable[[], Spent]
    is_stranger: bool
    mark: int = 0
    before: Spent = field(default_factory=Spent)


@cache
def _has_proc(root: Path) -> bool:
    return (root / "proc/self/status").exists()


def _forget_peak(folder: str) -> None:
    """Have the kernel begin the mark of the highest memory anew, where it may be asked to."""
    with suppress(OSError):
        file = os.open(f"{folder}/clear_refs", os.O_WRONLY)
        try:
            os.write(file, b"5")
        finally:
            os.close(file)


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None
