"""A time for tests that moves only when every thread waits: a load of minutes is exact and takes none."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from threading import Event, Thread

from gemma_eval.measure.load import Time, Worker

MS = 1_000_000
S = 1000 * MS
PATIENCE_S = 60
"""After that a test that hangs is failed."""


class VirtualTime:
    """Threads that take turns: one runs at a time, until it waits, and the one that is due first goes on."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now_ns = 0
        self._waiting: list[tuple[int, int, Event]] = []
        self._order = count()

    @property
    def time(self) -> Time:
        """What a load is driven with."""
        return Time(clock=lambda: self.now_ns, wait=self.wait, together=self.together)

    def wait(self, stop: Event, seconds: float) -> None:
        """Wait all the time, whatever happens to `stop`: waiting costs nothing here."""
        del stop
        self.sleep_ns(round(seconds * S))

    def sleep_ns(self, duration_ns: int) -> None:
        """Let the others run until `duration_ns` have gone."""
        turn = self._join(self.now_ns + duration_ns)
        self._pass_on()
        assert turn.wait(PATIENCE_S), "nobody passed the turn on"

    def together(self, workers: Sequence[Worker], stop: Event) -> None:
        """Run the workers in threads that take turns, the first one first."""
        del stop
        threads = [Thread(target=self._run, args=(worker, self._join(self.now_ns))) for worker in workers]
        for thread in threads:
            thread.start()
        self._pass_on()
        for thread in threads:
            thread.join()

    def _run(self, worker: Worker, turn: Event) -> None:
        assert turn.wait(PATIENCE_S), "nobody passed the turn on"
        worker()
        self._pass_on()

    def _join(self, due_ns: int) -> Event:
        turn = Event()
        heapq.heappush(self._waiting, (due_ns, next(self._order), turn))
        return turn

    def _pass_on(self) -> None:
        if self._waiting:
            self.now_ns, _, turn = heapq.heappop(self._waiting)
            turn.set()


class SerialServer:
    """Serves one request after another, in the order in which they come; each takes `takes_ns(number)`."""

    def __init__(self, virtual: VirtualTime, takes_ns: Callable[[int], int]) -> None:
        """Be idle."""
        self._virtual = virtual
        self._takes_ns = takes_ns
        self._free_ns = 0

    def serve(self, index: int) -> None:
        """Return when request number `index` has been served."""
        self._free_ns = max(self._virtual.now_ns, self._free_ns) + self._takes_ns(index)
        self._virtual.sleep_ns(self._free_ns - self._virtual.now_ns)
