"""A tree of processes as psutil has it, for systems without /proc."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

from gemma_eval.measure import process
from gemma_eval.measure.process import Pids, Spent, TreeMemory


class PortableTree:
    """A tree of processes, watched from the moment that this is made: resident memory and time alone.

    Processes are looked up when this is made and by `find`; what a child spent that was there in between
    counts when this process has waited for it.
    """

    def __init__(self, pids: Pids = ()) -> None:
        self._given = pids
        self._members: dict[int, psutil.Process] = {}
        self._before: dict[int, Spent] = {}
        self.find()
        self._before = {pid: _spent(member) for pid, member in self._members.items()}

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were found so far."""
        return tuple(self._members)

    def find(self) -> None:
        """Look for processes that have come, those that `pids` names now among them."""
        for pid in (os.getpid(), *(self._given() if callable(self._given) else self._given)):
            with suppress(psutil.Error):
                top = psutil.Process(pid)
                self._members |= {member.pid: member for member in (top, *top.children(recursive=True))}

    def memory(self) -> TreeMemory:
        """Read the resident memory of every process."""
        resident = 0
        for member in self._members.values():
            with suppress(psutil.Error):
                resident += member.memory_info().rss
        return TreeMemory(resident=resident, highest=resident)

    def spent(self) -> Spent | None:
        """Return what the tree has spent since this was made; `None` when a process has ended meanwhile."""
        if not all(member.is_running() for member in self._members.values()):
            return None
        total = Spent()
        for pid, member in self._members.items():
            total = total.plus(_spent(member)).minus(self._before.get(pid, Spent()))
        return total

    def pss_bytes(self) -> int | None:
        """Return nothing: no such system divides shared pages."""
        return None

    def close(self) -> None:
        """Do nothing: nothing is kept open."""


def _spent(member: psutil.Process) -> Spent:
    if member.pid == os.getpid():
        return process.spent_here()
    try:
        times = member.cpu_times()
    except psutil.Error:
        return Spent()
    return Spent(cpu_ns=round((times.user + times.system) * 1e9))
