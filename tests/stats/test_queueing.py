"""What waits before it is sent is told, and a stall that a view from the sending hides is flagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemma_eval.records import Attempt, Outcome
from gemma_eval.stats.queueing import HIDDEN_WAIT, queueing
from gemma_eval.stats.requests import first_sent_ns
from tests.stats.requests_of_a_load import MS, made, request


def through_a_stall(*, in_flight: int) -> tuple[Outcome, ...]:
    """Return 100 requests due every 100 ms to a server of 50 ms each that stalls for 2 s at the eleventh.

    With one in flight they wait before they are sent, with many they wait at the server.
    """
    outcomes, free = [], 0
    for index in range(100):
        due = 100 * index
        begin = max(due, free)
        free = begin + 50 + 2000 * (index == 10)
        outcomes.append(request(made(begin if in_flight == 1 else due, free, deltas=[(free, 1)], due=due)))
    return tuple(outcomes)


def test_a_stall_that_holds_back_the_sending_is_flagged() -> None:
    """Thirty-nine requests waited to be sent, 38.95 s in all; what was sent took 50 ms each but for one."""
    found = queueing(through_a_stall(in_flight=1))
    assert found is not None
    waits = [2050 - 50 * i - 50 for i in range(1, 40)]
    assert found.delay.n == 100
    assert found.delay.max_s == max(waits) / 1000 == 1.95
    assert found.hidden == pytest.approx(sum(waits) / (sum(waits) + 100 * 50 + 2000))
    assert found.hidden > 0.8
    assert found.latencies_differ


def test_a_stall_at_the_server_hides_nothing() -> None:
    """Everything was sent when it was due."""
    found = queueing(through_a_stall(in_flight=64))
    assert found is not None
    assert (found.hidden, found.latencies_differ, found.delay.max_s) == (0.0, False, 0.0)


@pytest.mark.parametrize(("sent", "differs"), [(5, False), (6, True)])
def test_the_flag_is_raised_above_a_twentieth(sent: int, differs: bool) -> None:
    """Of 100 ms, 5 ms may pass before the sending."""
    found = queueing([request(made(sent, 100, due=0))])
    assert HIDDEN_WAIT == 0.05
    assert found is not None
    assert found.latencies_differ is differs


def test_the_wait_of_a_request_ends_when_it_is_sent_for_the_first_time() -> None:
    """What comes after that is the failed attempt, the pause and the second: the engine's and not a wait."""
    retried = made(700, 800, deltas=[(800, 1)], due=0)
    unsent = Attempt(kind="server_error", message="refused", requested_ns=None, ended_ns=10 * MS)
    failed = Attempt(kind="server_error", message="503", requested_ns=50 * MS, ended_ns=60 * MS)
    found = queueing([request(replace(retried, attempts=(unsent, failed)))])
    assert found is not None
    assert found.delay.max_s == 0.05
    assert found.hidden == 50 / 800
    assert first_sent_ns(replace(retried, attempts=(unsent,))) == retried.requested_ns


def rates(due_and_sent: Sequence[tuple[int, int]]) -> tuple[float | None, float | None]:
    """Return the offered and the achieved rate of requests."""
    found = queueing([request(made(sent, sent + 1000, due=due)) for due, sent in due_and_sent])
    assert found is not None
    return found.offered_per_s, found.achieved_per_s


def test_rates_are_of_the_gaps_and_not_of_the_requests() -> None:
    """Eleven requests 100 ms apart are ten per second; the planted error says eleven."""
    offered, achieved = rates([(100 * index, 200 * index) for index in range(11)])
    assert (offered, achieved) == (10.0, 5.0)
    assert offered != 11 / 1.0


def test_the_order_in_which_requests_are_told_does_not_matter() -> None:
    """A store gives them back as it likes."""
    assert rates([(300, 310), (0, 0), (100, 150), (200, 200)]) == (10.0, 3 / 0.31)


def test_one_request_has_no_rate() -> None:
    """There is no gap."""
    assert rates([(0, 0)]) == (None, None)


def test_a_closed_loop_does_not_queue() -> None:
    """No request was due at a time; one that failed before it was sent does not tell either."""
    assert queueing([request(made(0, 10)), request(None, error="context_overflow")]) is None
    assert queueing([]) is None
