"""A client's error is found to the nanosecond, and what it lost is not taken for a good stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Delta, Generation
from gemma_eval.selftest.compare import Errors, errors, stream_error
from gemma_eval.selftest.ledger import Served, Truth

MS = 1_000_000
EXACT = pytest.approx(0, abs=1e-9)


def served(*gaps_ms: float, request: str = "q", first_ms: float = 20.0) -> Served:
    """Return a reply that was received at 1 s."""
    received_ns = 1000 * MS
    sent_ns = tuple(received_ns + round(ms * MS) for ms in accumulate((first_ms, *gaps_ms)))
    return Served(request=request, received_ns=received_ns, sent_ns=sent_ns, tokens=(1,) * len(sent_ns))


def seen(truth: Served, *, out_ns: int = 0, back_ns: int = 0) -> Generation:
    """Return what a client measures whose way to the server takes `out_ns`, and the way back `back_ns`."""
    deltas = tuple(Delta(text=" a", n_tokens=None, at_ns=sent_ns + back_ns) for sent_ns in truth.sent_ns)
    return Generation(
        text=" a" * len(deltas),
        deltas=(Delta(text="", n_tokens=0, at_ns=truth.received_ns + back_ns), *deltas),
        prompt_tokens=1,
        output_tokens=len(deltas),
        count_source="server_usage",
        finish_reason="stop",
        requested_ns=truth.received_ns - out_ns,
        ended_ns=deltas[-1].at_ns,
    )


def compared(measured: Mapping[str, Generation], *truth: Served) -> Errors:
    """Compare what was measured with the truth; all was asked."""
    return errors(list(measured), measured=measured, served=truth)


def test_the_way_to_the_server_and_back_is_the_error_of_the_first_token_alone() -> None:
    """Gaps do not see a way that is always the same."""
    truth = served(5, 10, 40)
    error = stream_error(seen(truth, out_ns=40_000, back_ns=60_000), truth)
    assert error is not None
    assert error.ttft_ms == pytest.approx(0.1, abs=1e-9)
    assert list(error.gaps_ms) == [EXACT, EXACT, EXACT]
    assert error.tpot_ms == EXACT
    assert error.true_tpot_ms == pytest.approx(55 / 3)


@given(st.lists(st.integers(0, 3 * MS), min_size=2, max_size=20))
def test_what_each_piece_is_late_is_found_to_the_nanosecond(late_ns: list[int]) -> None:
    """The oracle: differences of the delays that were put in."""
    truth = served(*[5] * (len(late_ns) - 1))
    exact = seen(truth)
    moved = tuple(
        replace(delta, at_ns=delta.at_ns + late)
        for delta, late in zip(exact.deltas, [0, *late_ns], strict=True)
    )
    error = stream_error(replace(exact, deltas=moved, ended_ns=exact.ended_ns + 3 * MS), truth)
    assert error is not None
    assert error.ttft_ms == pytest.approx(late_ns[0] / MS, abs=1e-9)
    assert error.gaps_ms == pytest.approx(
        [(later - earlier) / MS for earlier, later in pairwise(late_ns)], abs=1e-9
    )
    assert error.tpot_ms == pytest.approx((late_ns[-1] - late_ns[0]) / MS / (len(late_ns) - 1), abs=1e-9)


def test_tokens_are_divided_among_as_the_server_sent_them() -> None:
    """The time per output token of pieces of two tokens is half their gap."""
    truth = replace(served(10, 10), tokens=(2, 2, 2))
    answer = replace(seen(truth), output_tokens=6)
    counted = tuple(replace(delta, n_tokens=2 if delta.text else 0) for delta in answer.deltas)
    error = stream_error(replace(answer, deltas=counted), truth)
    assert error is not None
    assert error.true_tpot_ms == pytest.approx(5)
    assert error.tpot_ms == EXACT


def without_a_piece(answer: Generation) -> Generation:
    """Return the answer of a client that overlooked the last piece."""
    return replace(answer, deltas=answer.deltas[:-1], text=" a" * (len(answer.deltas) - 2))


def role_taken_for_a_token(answer: Generation) -> Generation:
    """Return the answer of a client that takes the first chunk of any kind for the first token."""
    return replace(answer, deltas=(replace(answer.deltas[0], n_tokens=1), *answer.deltas[1:]))


def failed(answer: Generation) -> Generation:
    """Return an answer that broke off at its end."""
    return replace(answer, finish_reason="error")


@pytest.mark.parametrize("wrong", [without_a_piece, role_taken_for_a_token, failed])
def test_a_stream_that_cannot_be_compared_is_lost(wrong: Callable[[Generation], Generation]) -> None:
    """Rather than compared with the wrong pieces."""
    truth = served(5, 5)
    assert stream_error(wrong(seen(truth)), truth) is None
    assert compared({"q": wrong(seen(truth))}, truth) == Errors(streams=(), lost=1)


def test_a_stream_that_only_one_side_knows_is_lost() -> None:
    """A request that never came, one that was never sent, and a reply that nobody read."""
    first, second = served(5, request="first"), served(5, request="second")
    measured = {"first": seen(first), "third": seen(second)}
    found = errors(["first", "third", "fourth"], measured=measured, served=[first, second])
    assert (len(found.streams), found.lost) == (1, 3)


def test_several_streams_have_medians_and_a_worst() -> None:
    """Medians of the first token and of all gaps, the largest of the time per token."""
    truth = [served(5, 5, request=str(number)) for number in range(5)]
    measured = {reply.request: seen(reply, back_ns=int(reply.request) * MS) for reply in truth}
    late = measured["4"]
    stalled = replace(late.deltas[-1], at_ns=late.deltas[-1].at_ns + 2 * MS)
    measured["4"] = replace(late, deltas=(*late.deltas[:-1], stalled), ended_ns=stalled.at_ns)
    found = compared(measured, *truth)
    assert found.ttft_p50_ms == pytest.approx(2)
    assert found.ttft_p99_ms is None
    assert found.itl_ms == EXACT
    assert found.tpot_ms == pytest.approx(1)


def test_the_tail_of_a_hundred_streams_is_known() -> None:
    """The 99th of them, between the two that are next to it."""
    truth = [served(5, request=str(number)) for number in range(101)]
    measured = {reply.request: seen(reply, back_ns=int(reply.request) * MS) for reply in truth}
    assert compared(measured, *truth).ttft_p99_ms == pytest.approx(99)


def test_errors_of_both_signs_do_not_cancel() -> None:
    """The absolute errors are asked about; the sign of the median is kept beside."""
    truth = [served(5, request=str(number)) for number in range(3)]
    early = {reply.request: seen(reply, out_ns=-2 * MS) for reply in truth[:2]}
    roleless = {text: replace(answer, deltas=answer.deltas[1:]) for text, answer in early.items()}
    found = compared({**roleless, "2": seen(truth[2], back_ns=2 * MS)}, *truth)
    assert found.ttft_ms == pytest.approx(-2)
    assert found.ttft_p50_ms == pytest.approx(2)


def test_the_truth_survives_its_journey() -> None:
    """As JSON, from the server's process to this."""
    truth = Truth(served=(served(5, request='"é"'), served(1, 2)), most_in_flight=2)
    assert Truth.read(truth.written()) == truth
