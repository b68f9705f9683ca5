"""Send the requests of a load: in a closed loop when one before has ended, in an open loop when one is due.

Both are one line of requests and a fixed number of threads, each of which takes the next request, waits until
it is due, if it has a time, and sends it. In a closed loop nothing has a time, so as many requests are in
flight as there are threads. In an open loop the whole schedule is made beforehand, in absolute times, so that
no wait adds to a later one. A request that is due while all threads are busy waits in the line, and its time
stays what it was: how long it waited is in its latency (no coordinated omission).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from gemma_eval.measure.arrivals import schedule
from gemma_eval.measure.clock import clock as real_clock
from gemma_eval.protocols import Clock
from gemma_eval.records import Load, Phase

T = TypeVar("T")

Worker = Callable[[], None]

HEAD_START_NS = 100_000_000
"""How long after the start the schedule of an open loop begins, so that by then all threads exist."""

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may compute while another wants to stamp; Python's own 5 ms would be in the stamp."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One request of a load: its number from 0, when it was due, and when a thread had it to send.

    `scheduled_ns` is `None` in a closed loop, where no request is due at a time.
    """

    index: int
    scheduled_ns: int | None
    dequeued_ns: int


def in_threads(workers: Sequence[Worker], stop: Event) -> None:
    """Run each worker in a thread of its own, and return when all have ended.

    An interrupt sets `stop` and waits for the workers to see it; a second one leaves them behind.
    """
    running: list[_Running] = []
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        for worker in workers:
            thread = _Running(worker)
            thread.start()
            running.append(thread)
        _wait_for(running)
    except BaseException:
        stop.set()
        _wait_for(running)
        raise
    finally:
        sys.setswitchinterval(before_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Time:
    """What a load knows of time: a clock, a wait for an event with a limit in seconds, and simultaneity."""

    clock: Clock = real_clock
    wait: Callable[[Event, float], object] = Event.wait
    together: Callable[[Sequence[Worker], Event], None] = in_threads


REAL = Time()
"""Real threads that really wait; tests have a time of their own."""


def drive(load: Load, *, n: int, seed: int, send: Callable[[Slot], T], time: Time = REAL) -> tuple[T, ...]:
    """Send `n` requests as `load` says and return what `send` returned for each, in their order.

    `send` is called from several threads at once and returns when its request has ended. What it raises stops
    the line: requests in flight end, no other is sent, and the first exception is raised here. So does an
    interrupt; who wants what was sent before it keeps that in `send`.
    """
    offsets = None
    if load.rate_per_s is not None:
        offsets = schedule(load.arrival, rate_per_s=load.rate_per_s, n=n, seed=seed)
    line = _Line(n=n, offsets_ns=offsets, begin_ns=time.clock() + HEAD_START_NS, send=send, time=time)
    time.together([line.work] * min(in_flight(load), n), line.stop)
    if line.raised:
        raise line.raised[0]
    return tuple(line.returned[index] for index in range(n))


def in_flight(load: Load) -> int:
    """Return how many requests of `load` there may be at once."""
    return load.max_in_flight if load.concurrency is None else load.concurrency


def phase(load: Load, *, index: int, n: int) -> Phase:
    """Return whether request number `index` of `n` is measured, or loads the engine before or after that."""
    if index < load.warmup:
        return "warmup"
    return "cooldown" if index >= n - load.cooldown else "measured"


_NS = 1_000_000_000


@dataclass(kw_only=True, slots=True)
class _Line(Generic[T]):
    """Requests in their order, which threads take from the front."""

    n: int
    offsets_ns: Sequence[int] | None
    begin_ns: int
    send: Callable[[Slot], T]
    time: Time
    stop: Event = field(default_factory=Event)
    returned: dict[int, T] = field(default_factory=dict)
    raised: list[BaseException] = field(default_factory=list)
    _taken: int = 0
    _lock: Lock = field(default_factory=Lock)

    def work(self) -> None:
        """Send one request after another until there is none or something was raised."""
        try:
            while (slot := self._next()) is not None:
                self.returned[slot.index] = self.send(slot)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked for the load
            self.raised.append(error)
            self.stop.set()

    def _next(self) -> Slot | None:
        """Take a request and wait until it is due; `None` when there is none to be sent."""
        with self._lock:
            index = self._taken
            self._taken += 1
        if index >= self.n:
            return None
        due_ns = None if self.offsets_ns is None else self.begin_ns + self.offsets_ns[index]
        if due_ns is not None:
            self._wait_until(due_ns)
        if self.stop.is_set():
            return None
        return Slot(index=index, scheduled_ns=due_ns, dequeued_ns=self.time.clock())

    def _wait_until(self, due_ns: int) -> None:
        while (left_ns := due_ns - self.time.clock()) > 0 and not self.stop.is_set():
            self.time.wait(self.stop, left_ns / _NS)


class _Running(Thread):
    """A worker at work; `ended` is set when it has ended.

    A thread whose `join` is interrupted may be taken for one that has ended (python/cpython#90882), so that
    alone cannot be waited for.
    """

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="load", daemon=True)
        self.ended = Event()
        self._worker = worker

    def run(self) -> None:
        try:
            self._worker()
        finally:
            self.ended.set()


def _wait_for(running: Sequence[_Running]) -> None:
    for thread in running:
        thread.ended.wait()
        thread.join()
