"""Loads keep as many requests in flight, or send them when, they say: exactly, on a time that tests move."""

from __future__ import annotations

import signal
import statistics
import threading
import time as real_time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Barrier, BrokenBarrierError, Event, Lock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.measure.arrivals import schedule
from gemma_eval.measure.load import HEAD_START_NS, Slot, Time, drive, in_threads, phase
from gemma_eval.records import Load
from gemma_eval.selftest.arm import machine
from tests.measure.virtual_time import MS, PATIENCE_S, S, SerialServer, VirtualTime

Drive = Callable[[Load, int, Callable[[Slot], "Served"], Time], Sequence["Served"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """When a request was due, sent and answered."""

    slot: Slot
    sent_ns: int
    ended_ns: int

    @property
    def e2e_ns(self) -> int:
        """The latency as one sees it who looks from when it was sent."""
        return self.ended_ns - self.sent_ns

    @property
    def e2e_sched_ns(self) -> int:
        """The latency as a user has it, from when the request was due."""
        assert self.slot.scheduled_ns is not None
        return self.ended_ns - self.slot.scheduled_ns


def driven(load: Load, n: int, send: Callable[[Slot], Served], time: Time) -> Sequence[Served]:
    """Drive what is tested."""
    return drive(load, n=n, seed=1, send=send, time=time)


# --- closed loop -------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(concurrency=st.integers(1, 9), takes_ms=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_a_closed_loop_sends_when_one_has_ended(concurrency: int, takes_ms: list[int]) -> None:
    """As a list of free servers says it, which is another program than threads are."""
    virtual = VirtualTime()

    def send(slot: Slot) -> Served:
        sent_ns = virtual.now_ns
        virtual.sleep_ns(takes_ms[slot.index] * MS)
        return Served(slot=slot, sent_ns=sent_ns, ended_ns=virtual.now_ns)

    served = driven(Load(concurrency=concurrency), len(takes_ms), send, virtual.time)
    free_ns = [0] * concurrency
    for one, duration_ms in zip(served, takes_ms, strict=True):
        free_ns.sort()
        assert (one.slot.scheduled_ns, one.slot.dequeued_ns, one.sent_ns) == (None, free_ns[0], free_ns[0])
        free_ns[0] += duration_ms * MS
    assert [one.slot.index for one in served] == list(range(len(takes_ms)))


class Gate:
    """A server that counts what is in flight, and answers only when as many are there as were promised."""

    def __init__(self, parties: int, *, patience_s: float = PATIENCE_S) -> None:
        """Wait for `parties` requests at a time."""
        self.most = 0
        self._now = 0
        self._patience_s = patience_s
        self._lock = Lock()
        self._barrier = Barrier(parties)

    def serve(self, slot: Slot) -> int:
        """Return the number of the request."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._barrier.wait(self._patience_s)
        with self._lock:
            self._now -= 1
        return slot.index


@pytest.mark.parametrize("concurrency", [1, 4, 16, 64])
def test_a_server_sees_exactly_as_many_in_flight_as_a_closed_loop_promises(concurrency: int) -> None:
    """With real threads: were there fewer, the gate would not open; more would be counted."""
    gate = Gate(concurrency)
    numbers = drive(Load(concurrency=concurrency), n=4 * concurrency, seed=1, send=gate.serve)
    assert gate.most == concurrency
    assert numbers == tuple(range(4 * concurrency))


def test_a_gate_catches_one_thread_more_or_less() -> None:
    """The planted errors: five threads where four were promised, and three."""
    gate = Gate(5)
    drive(Load(concurrency=5), n=20, seed=1, send=gate.serve)
    assert gate.most == 5
    with pytest.raises(BrokenBarrierError):
        drive(Load(concurrency=3), n=20, seed=1, send=Gate(4, patience_s=0.1).serve)


# --- open loop ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    arrival=st.sampled_from(["constant", "poisson"]),
    threads=st.integers(1, 5),
    takes_ms=st.lists(st.integers(0, 400), min_size=1, max_size=25),
)
def test_an_open_loop_sends_when_a_request_is_due_and_a_thread_is_free(
    arrival: str, threads: int, takes_ms: list[int]
) -> None:
    """As a queue in front of some servers says it; what is due keeps its time while it waits."""
    virtual, n = VirtualTime(), len(takes_ms)

    def send(slot: Slot) -> Served:
        sent_ns = virtual.now_ns
        virtual.sleep_ns(takes_ms[slot.index] * MS)
        return Served(slot=slot, sent_ns=sent_ns, ended_ns=virtual.now_ns)

    kind = "constant" if arrival == "constant" else "poisson"
    load = Load(rate_per_s=20.0, arrival=kind, max_in_flight=threads)  # type: ignore[arg-type]
    served = driven(load, n, send, virtual.time)
    offsets = schedule(load.arrival, rate_per_s=20.0, n=n, seed=1)
    free_ns = [0] * threads
    for one, offset, duration_ms in zip(served, offsets, takes_ms, strict=True):
        free_ns.sort()
        due_ns = HEAD_START_NS + offset
        assert one.slot.scheduled_ns == due_ns
        assert one.sent_ns == one.slot.dequeued_ns == max(due_ns, free_ns[0])
        free_ns[0] = one.sent_ns + duration_ms * MS


STALLED = 10
"""The request that takes two seconds longer."""
AFFECTED = tuple(2050 * MS - 50 * MS * i for i in range(40))
"""The latencies that the stall makes: each next request is due 100 ms and ends 50 ms after the one before."""


def stall(index: int) -> int:
    """Take 50 ms, and once two seconds more."""
    return 50 * MS + 2 * S * (index == STALLED)


def served_through_a_stall(drive_one: Drive, *, max_in_flight: int) -> Sequence[Served]:
    """Send 10 per second to a server that serves one at a time and stalls once."""
    virtual = VirtualTime()
    server = SerialServer(virtual, stall)

    def send(slot: Slot) -> Served:
        sent_ns = virtual.now_ns
        server.serve(slot.index)
        return Served(slot=slot, sent_ns=sent_ns, ended_ns=virtual.now_ns)

    load = Load(rate_per_s=10.0, arrival="constant", max_in_flight=max_in_flight)
    return drive_one(load, 100, send, virtual.time)


def tells_the_stall(drive_one: Drive, *, max_in_flight: int) -> bool:
    """Say whether exactly forty requests are late, each by what it must be, to the nanosecond."""
    served = served_through_a_stall(drive_one, max_in_flight=max_in_flight)
    latencies = [one.e2e_sched_ns for one in served]
    affected = tuple(latency for latency in latencies if latency != 50 * MS)
    return affected == AFFECTED == tuple(latencies[STALLED : STALLED + 40])


@pytest.mark.parametrize("max_in_flight", [1, 3, 64])
def test_a_stall_of_two_seconds_is_in_the_latency_of_forty_requests(max_in_flight: int) -> None:
    """Whether they wait in the line or at the server, the users wait as long."""
    assert tells_the_stall(driven, max_in_flight=max_in_flight)


def test_the_latency_from_the_sending_hides_what_waits_in_the_line() -> None:
    """With one in flight a single request is slow, as other tools would say; with many all forty are."""
    one = [each.e2e_ns for each in served_through_a_stall(driven, max_in_flight=1)]
    many = [each.e2e_ns for each in served_through_a_stall(driven, max_in_flight=64)]
    assert [latency for latency in one if latency != 50 * MS] == [2050 * MS]
    assert tuple(latency for latency in many if latency != 50 * MS) == AFFECTED


def test_coordinated_omission_and_drift_are_caught() -> None:
    """Planted: a time that is set when the request is sent, and gaps that are waited for one by one."""

    def omitting(load: Load, n: int, send: Callable[[Slot], Served], time: Time) -> Sequence[Served]:
        return [
            replace(one, slot=replace(one.slot, scheduled_ns=one.slot.dequeued_ns))
            for one in driven(load, n, send, time)
        ]

    def drifting(load: Load, n: int, send: Callable[[Slot], Served], time: Time) -> Sequence[Served]:
        assert load.rate_per_s is not None
        served = []
        for index in range(n):
            now_ns = time.clock()
            served.append(send(Slot(index=index, scheduled_ns=now_ns, dequeued_ns=now_ns)))
            time.wait(Event(), 1 / load.rate_per_s)
        return served

    def alone(load: Load, n: int, send: Callable[[Slot], Served], time: Time) -> Sequence[Served]:
        served: list[Served] = []
        time.together([lambda: served.extend(drifting(load, n, send, time))], Event())
        return served

    assert not tells_the_stall(omitting, max_in_flight=1)
    assert not tells_the_stall(alone, max_in_flight=1)


def test_the_threads_of_an_open_loop_exist_before_the_first_request_is_due() -> None:
    """A thread that waits for its first request has been started, so starting it is in no latency."""
    started: list[int] = []

    def together(workers: Sequence[Callable[[], None]], stop: Event) -> None:
        def counted(worker: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                started.append(virtual.now_ns)
                worker()

            return run

        virtual.together([counted(worker) for worker in workers], stop)

    virtual = VirtualTime()
    load = Load(rate_per_s=10.0, arrival="constant", max_in_flight=64)
    slots = drive(load, n=100, seed=1, send=lambda slot: slot, time=replace(virtual.time, together=together))
    assert started == [0] * 64
    assert slots[0].dequeued_ns == HEAD_START_NS > 0


# --- what goes wrong ---------------------------------------------------------------------------------


class Broken(Exception):
    """What a test raises."""


LOADS = (
    Load(concurrency=4),
    Load(rate_per_s=1000.0, max_in_flight=4),
    Load(rate_per_s=0.001, arrival="constant", max_in_flight=4),
)


@pytest.mark.parametrize("load", LOADS)
def test_what_send_raises_stops_the_load_and_is_raised(load: Load) -> None:
    """Also while the other threads wait for requests that are due in a quarter of an hour; none is left."""
    threads = set(threading.enumerate())
    sent = []

    def send(slot: Slot) -> None:
        sent.append(slot.index)
        raise Broken(f"request {slot.index}")

    with pytest.raises(Broken, match="request 0"):
        drive(load, n=1000, seed=1, send=send)
    assert len(sent) <= 4
    assert set(threading.enumerate()) == threads


def test_requests_in_flight_end_before_an_exception_is_raised() -> None:
    """Nobody talks to an engine that is being closed."""
    ended = []
    both_sent = Barrier(2)

    def send(slot: Slot) -> None:
        both_sent.wait(PATIENCE_S)
        if slot.index == 0:
            raise Broken
        real_time.sleep(0.05)
        ended.append(slot.index)

    with pytest.raises(Broken):
        drive(Load(concurrency=2), n=2, seed=1, send=send)
    assert ended == [1]


def test_an_interrupt_stops_a_load() -> None:
    """Ctrl-C reaches the thread that waits for the others; they end, and the interrupt goes on."""
    sent = []

    def send(slot: Slot) -> None:
        sent.append(slot.index)
        if slot.index == 5:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
        real_time.sleep(0.002)

    threads = set(threading.enumerate())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
    try:
        with pytest.raises(KeyboardInterrupt):
            drive(Load(concurrency=2), n=10_000, seed=1, send=send)
    finally:
        signal.signal(signal.SIGINT, before)
    assert 6 <= len(sent) < 10_000
    assert set(threading.enumerate()) == threads


def test_a_thread_that_cannot_be_started_stops_those_that_were() -> None:
    """As when the system has no more of them."""
    stop = Event()
    seen = []

    def worker() -> None:
        seen.append(stop.wait(PATIENCE_S))

    class Workers(list[Callable[[], None]]):
        def __iter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204
            yield worker
            raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="can't start new thread"):
        in_threads(Workers(), stop)
    assert seen == [True]


@pytest.mark.parametrize("load", LOADS[:2])
def test_no_requests_are_a_load_that_is_over(load: Load) -> None:
    """Nothing is sent, nothing hangs."""
    assert drive(load, n=0, seed=1, send=lambda slot: slot) == ()


# --- phases ------------------------------------------------------------------------------------------


def test_the_first_and_the_last_requests_are_not_measured() -> None:
    """As many as the load says at either end."""
    load = Load(concurrency=1, warmup=2, cooldown=1)
    assert [phase(load, index=index, n=5) for index in range(5)] == [
        "warmup",
        "warmup",
        "measured",
        "measured",
        "cooldown",
    ]
    assert {phase(Load(concurrency=1), index=index, n=5) for index in range(5)} == {"measured"}


# --- live --------------------------------------------------------------------------------------------


def holds_on_a_quiet_machine(measured: Callable[[], bool]) -> bool:
    """Say whether one of three measurements holds; on a busy machine nothing is claimed.

    What the machine does beside can only make a request late, so one that holds has shown what the code can.
    """
    for _ in range(3):
        held, busyness = machine(real_time.perf_counter_ns).watched(measured)
        print(f"{busyness.arm} machine, {'held' if held else 'missed'}: {busyness}")
        if held or busyness.arm == "busy":
            return True
    return False


def test_real_requests_are_sent_on_time_and_at_the_rate_of_the_schedule() -> None:
    """100 requests at 50 per second: 99 within 5 ms and none too early, and the rate within 0.5 %."""

    def measured() -> bool:
        load = Load(rate_per_s=50.0, arrival="constant", max_in_flight=8)
        slots = drive(load, n=100, seed=1, send=lambda slot: slot)
        due = [slot.scheduled_ns for slot in slots if slot.scheduled_ns is not None]
        lags = sorted(slot.dequeued_ns - due_ns for slot, due_ns in zip(slots, due, strict=True))
        assert {after - before for before, after in pairwise(due)} == {S // 50}
        assert lags[0] >= 0
        achieved = 99 * S / (slots[-1].dequeued_ns - slots[0].dequeued_ns)
        return lags[98] <= 5 * MS and achieved == pytest.approx(50, rel=0.005)

    assert holds_on_a_quiet_machine(measured)


def served_through_a_real_stall(*, max_in_flight: int) -> Sequence[Served]:
    """Send through the same stall with real threads, ten times as fast."""
    server, clock = RealServer(), real_time.perf_counter_ns

    def send(slot: Slot) -> Served:
        sent_ns = clock()
        server.serve(stall(slot.index) // 10)
        return Served(slot=slot, sent_ns=sent_ns, ended_ns=clock())

    load = Load(rate_per_s=100.0, arrival="constant", max_in_flight=max_in_flight)
    served = drive(load, n=60, seed=1, send=send)
    late = zip(served[STALLED:], AFFECTED, strict=False)
    assert all(one.e2e_sched_ns >= expected // 10 for one, expected in late)
    return served


def test_a_real_stall_is_in_the_latency_of_those_that_waited_at_the_server() -> None:
    """205 ms, and 5 ms less for each of forty: nobody is earlier, on a quiet machine nobody 10 ms later.

    The server's waits do not add up when the requests wait there.
    """

    def measured() -> bool:
        served = served_through_a_real_stall(max_in_flight=64)
        late = zip(served[STALLED:], AFFECTED, strict=False)
        return all(one.e2e_sched_ns <= expected // 10 + 10 * MS for one, expected in late)

    assert holds_on_a_quiet_machine(measured)


def test_a_real_stall_is_in_the_latency_of_those_that_waited_in_the_line() -> None:
    """Most requests wait much longer than they are in flight."""
    served = served_through_a_real_stall(max_in_flight=1)
    from_schedule = statistics.median(one.e2e_sched_ns for one in served)
    assert from_schedule > 2 * statistics.median(one.e2e_ns for one in served)


class RealServer:
    """Serves one request after another; its own waits do not add up."""

    def __init__(self) -> None:
        """Be idle."""
        self._free_ns = 0
        self._lock = Lock()

    def serve(self, takes_ns: int) -> None:
        """Return when a request that takes so long has been served."""
        with self._lock:
            self._free_ns = max(real_time.perf_counter_ns(), self._free_ns) + takes_ns
            until_ns = self._free_ns
        while (left_ns := until_ns - real_time.perf_counter_ns()) > 0:
            real_time.sleep(left_ns / S)
