"""Latencies are exact: a known stream, an oracle of fractions over any stream, and a reason for every gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.measure.latency import measure
from gemma_eval.records import Resources
from gemma_eval.records import Delta, FinishReason, Generation, Measurement

MS = 1_000_000
SENT = 7_000 * MS
Measure = Callable[[Generation], Measurement]


def generation(
    deltas: Sequence[tuple[int, int | None, str]],
    *,
    output_tokens: int | None,
    ended_ns: int,
    prompt_tokens: int | None = 100,
    cached_tokens: int | None = 0,
    finish_reason: FinishReason = "stop",
    text: str | None = None,
) -> Generation:
    """Return a generation from (nanoseconds after it was asked for, tokens, text) per delta."""
    made = tuple(Delta(text=words, n_tokens=count, at_ns=SENT + at) for at, count, words in deltas)
    return Generation(
        text="".join(delta.text for delta in made) if text is None else text,
        deltas=made,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        output_tokens=output_tokens,
        count_source="engine",
        finish_reason=finish_reason,
        requested_ns=SENT,
        ended_ns=SENT + ended_ns,
    )


def cost(made: Generation) -> Measurement:
    """Return the cost without memory."""
    return measure(made, resources=None)


# A role delta, five deltas with 8 tokens, the usage, the end: one stream, nine answers in nine tools.
STREAM = generation(
    [
        (5 * MS, 0, ""),
        (245 * MS, 1, "a"),
        (285 * MS, 1, "b"),
        (325 * MS, 3, "c"),
        (445 * MS, 1, "d"),
        (465 * MS, 2, "e"),
    ],
    output_tokens=8,
    ended_ns=476 * MS,
)


def known_answers(measured: Callable[[Generation], Measurement]) -> bool:
    """Say whether the stream has its true values: TTFT 245 ms, TPOT 220/7 ms, a stall of 120 ms."""
    found = measured(STREAM)
    times = (found.ttft_s, found.tpot_s, found.e2e_s, found.max_stall_s)
    return times == (0.245, 0.220 / 7, 0.465, 0.120)


def test_the_known_stream_has_its_known_answers() -> None:
    """To the last bit; 31.43 ms per token, 8 tokens, 100 prompt tokens in 245 ms."""
    found = cost(STREAM)
    assert known_answers(cost)
    assert found.tpot_s == pytest.approx(0.03143, abs=5e-6)
    assert found.output_tokens_per_s == pytest.approx(7 / 0.220, rel=1e-15)
    assert found.prompt_tokens_per_s == pytest.approx(100 / 0.245)
    assert found.output_tokens == 8
    assert set(found.missing) == {"peak_memory_bytes", "mean_memory_bytes"}


@pytest.mark.parametrize(
    ("tool", "wrong"),
    [
        ("latches the role delta", lambda found: replace(found, ttft_s=0.005)),
        ("divides by all tokens", lambda found: replace(found, tpot_s=0.220 / 8)),
        ("ends with the stream", lambda found: replace(found, tpot_s=0.231 / 7, e2e_s=0.476)),
        ("includes the first token", lambda found: replace(found, tpot_s=0.465 / 8)),
        ("averages the gaps", lambda found: replace(found, tpot_s=0.055)),
        ("misses the stall", lambda found: replace(found, max_stall_s=0.040)),
    ],
)
def test_the_known_stream_catches_the_errors_of_other_tools(
    tool: str, wrong: Callable[[Measurement], Measurement]
) -> None:
    """Each planted error is a rule that some tool uses."""
    assert not known_answers(lambda made: wrong(cost(made))), tool


# --- any stream --------------------------------------------------------------------------------------

_EVENT = st.tuples(st.integers(0, 10**10), st.sampled_from((0, 1, 1, 1, 2, 5)))


@st.composite
def streams(draw: st.DrawFn) -> Generation:
    """Return a generation with deltas of known token counts, its own count being their sum."""
    events = draw(st.lists(_EVENT, max_size=12))
    at, deltas = 0, []
    for gap, tokens in events:
        at += gap
        deltas.append((at, tokens, "x" * tokens))
    total = sum(tokens for _, tokens in events)
    ended = at + draw(st.integers(0, 10**9))
    return generation(deltas, output_tokens=total, ended_ns=ended, prompt_tokens=draw(st.integers(1, 9000)))


def exact(made: Generation) -> dict[str, Fraction | None]:
    """Return every time and rate as a fraction, straight from the definitions."""
    events = [(delta.at_ns, delta.n_tokens or 0) for delta in made.deltas if delta.n_tokens]
    seconds = Fraction(1, 10**9)
    names = ("ttft_s", "tpot_s", "e2e_s", "max_stall_s", "output_tokens_per_s", "prompt_tokens_per_s")
    found: dict[str, Fraction | None] = dict.fromkeys(names)
    if not events:
        return found
    ttft = (events[0][0] - made.requested_ns) * seconds
    found["ttft_s"] = ttft
    found["e2e_s"] = (events[-1][0] - made.requested_ns) * seconds
    if ttft:
        found["prompt_tokens_per_s"] = (made.prompt_tokens or 0) / ttft
    if len(events) > 1:
        later = sum(tokens for _, tokens in events[1:])
        tpot = (events[-1][0] - events[0][0]) * seconds / later
        found["tpot_s"] = tpot
        found["max_stall_s"] = max(b - a for (a, _), (b, _) in pairwise(events)) * seconds
        if tpot:
            found["output_tokens_per_s"] = 1 / tpot
    return found


def agrees(measured: Measure, made: Generation) -> bool:
    """Say whether every value is the nearest double of its fraction, or two roundings from it for a rate."""
    found = measured(made)
    for name, expected in exact(made).items():
        value: float | None = getattr(found, name)
        if (value is None) != (expected is None) or (value is None) != (name in found.missing):
            return False
        if value is None or expected is None:
            continue
        allowed = abs(expected) * Fraction(2, 2**52) if name.endswith("per_s") else 0
        if abs(Fraction(value) - Fraction(float(expected))) > allowed:
            return False
    return True


@given(streams())
def test_every_value_is_that_of_exact_arithmetic(made: Generation) -> None:
    """And what has no value has a reason."""
    assert agrees(cost, made)


@given(streams(), st.integers(-(10**12), 10**15))
def test_only_differences_of_stamps_count(made: Generation, shift: int) -> None:
    """The zero of the clock is arbitrary."""
    moved = replace(
        made,
        requested_ns=made.requested_ns + shift,
        ended_ns=made.ended_ns + shift,
        deltas=tuple(replace(delta, at_ns=delta.at_ns + shift) for delta in made.deltas),
    )
    assert cost(moved) == cost(made)


def test_the_exact_arithmetic_catches_a_planted_error() -> None:
    """One nanosecond, and one token."""

    def late(made: Generation) -> Measurement:
        return cost(replace(made, requested_ns=made.requested_ns - 1))

    def uncounted(made: Generation) -> Measurement:
        return cost(replace(made, output_tokens=(made.output_tokens or 0) - 1))

    assert agrees(cost, STREAM)
    assert not agrees(late, STREAM)
    assert not agrees(uncounted, STREAM)


# --- what cannot be had ------------------------------------------------------------------------------

TIMES = ("ttft_s", "tpot_s", "e2e_s", "max_stall_s", "output_tokens_per_s", "prompt_tokens_per_s")


def test_an_answer_without_tokens_has_no_times() -> None:
    """The end of the stream is no token."""
    made = generation([(5 * MS, 0, "")], output_tokens=0, ended_ns=9 * MS)
    assert {cost(made).missing[name] for name in TIMES} == {"no_tokens"}


def test_an_answer_that_was_not_streamed_has_an_end_and_no_first_token() -> None:
    """Its end is never booked as the time to the first token."""
    made = generation([], output_tokens=8, ended_ns=500 * MS, text="all at once")
    found = cost(made)
    assert found.e2e_s == 0.5
    assert {found.missing[name] for name in TIMES if name != "e2e_s"} == {"not_streamed"}


@pytest.mark.parametrize("tokens", [1, 4])
def test_an_answer_in_one_delta_has_a_first_token_and_no_time_per_token(tokens: int) -> None:
    """Whether it holds one token or several."""
    found = cost(generation([(30 * MS, tokens, "x")], output_tokens=tokens, ended_ns=40 * MS))
    assert (found.ttft_s, found.e2e_s) == (0.03, 0.03)
    for name in ("tpot_s", "max_stall_s", "output_tokens_per_s"):
        assert found.missing[name] == "single_delta"


def test_without_the_engines_count_there_is_no_time_per_token() -> None:
    """Deltas are not tokens."""
    made = generation([(10 * MS, 1, "a"), (20 * MS, 1, "b")], output_tokens=None, ended_ns=30 * MS)
    found = cost(made)
    assert found.missing["tpot_s"] == found.missing["output_tokens_per_s"] == "no_usage"
    assert found.missing["output_tokens"] == "no_usage"
    assert (found.ttft_s, found.max_stall_s) == (0.01, 0.01)


def test_a_first_delta_of_unknown_size_counts_as_one_token_only_when_all_do() -> None:
    """As many deltas as tokens leave no other possibility; otherwise it cannot be known."""
    deltas = [(10 * MS, None, "a"), (20 * MS, None, ""), (40 * MS, None, "b"), (70 * MS, None, "c")]
    assert cost(generation(deltas, output_tokens=3, ended_ns=80 * MS)).tpot_s == 0.03
    found = cost(generation(deltas, output_tokens=5, ended_ns=80 * MS))
    assert found.missing["tpot_s"] == "no_delta_tokens"
    assert found.ttft_s == 0.01


def test_a_count_that_contradicts_the_deltas_gives_no_time_per_token() -> None:
    """The engine counts two tokens where the first delta alone had two."""
    made = generation([(10 * MS, 2, "a"), (20 * MS, 1, "b")], output_tokens=2, ended_ns=30 * MS)
    assert cost(made).missing["tpot_s"] == "count_mismatch"


def test_equal_stamps_give_a_time_and_no_rate() -> None:
    """Two deltas in one read: 0 s per token is measured, infinitely many per second is not."""
    found = cost(generation([(0, 1, "a"), (0, 1, "b")], output_tokens=2, ended_ns=0))
    assert (found.ttft_s, found.tpot_s, found.max_stall_s) == (0.0, 0.0, 0.0)
    assert found.missing["output_tokens_per_s"] == found.missing["prompt_tokens_per_s"] == "zero_duration"


@pytest.mark.parametrize(
    ("prompt_tokens", "cached_tokens", "reason"),
    [(None, 0, "no_usage"), (100, None, "cache_unknown"), (100, 100, "all_cached")],
)
def test_the_prompt_rate_needs_to_know_what_was_read(
    prompt_tokens: int | None, cached_tokens: int | None, reason: str
) -> None:
    """A cached prefix would make any rate look fast."""
    made = replace(STREAM, prompt_tokens=prompt_tokens, cached_tokens=cached_tokens)
    assert cost(made).missing["prompt_tokens_per_s"] == reason
    half = replace(STREAM, prompt_tokens=100, cached_tokens=51)
    assert cost(half).prompt_tokens_per_s == pytest.approx(49 / 0.245)


def test_a_generation_that_failed_has_no_times() -> None:
    """Its stamps stay in the record, its latencies are not those of an answer."""
    found = cost(replace(STREAM, finish_reason="error"))
    assert {found.missing[name] for name in TIMES} == {"failed"}


def test_answers_of_a_batch_have_no_times_of_their_own() -> None:
    """Not even where the stamps look like those of one answer; their tokens were counted all the same."""
    found = cost(replace(STREAM, batch_size=8))
    assert {found.missing[name] for name in TIMES} == {"batched"}
    assert [getattr(found, name) for name in TIMES] == [None] * len(TIMES)
    assert found.output_tokens == 8
    assert cost(replace(STREAM, batch_size=1)) == cost(STREAM)


def test_a_text_that_was_read_has_no_times() -> None:
    """However many deltas the engine makes of it."""
    found = measure(STREAM, resources=None, made="read")
    assert {found.missing[name] for name in TIMES} == {"not_generated"}
    assert [getattr(found, name) for name in TIMES] == [None] * len(TIMES)


def test_a_batch_or_a_reading_that_failed_says_so() -> None:
    """The fault goes before the way it was made."""
    made = replace(STREAM, finish_reason="error", batch_size=2)
    assert {measure(made, resources=None, made="read").missing[name] for name in TIMES} == {"failed"}


@pytest.mark.parametrize(
    "made",
    [
        generation([(20 * MS, 1, "a"), (10 * MS, 1, "b")], output_tokens=2, ended_ns=30 * MS),
        generation([(-1, 1, "a")], output_tokens=1, ended_ns=30 * MS),
        generation([(20 * MS, 1, "a")], output_tokens=1, ended_ns=19 * MS),
    ],
)
def test_a_clock_that_went_back_gives_no_times(made: Generation) -> None:
    """A negative time is never reported, and the answer is not lost for it."""
    found = cost(made)
    assert {found.missing[name] for name in TIMES} == {"clock_went_back"}
    assert [getattr(found, name) for name in TIMES] == [None] * len(TIMES)


def test_memory_is_taken_over_as_it_was_read() -> None:
    """Without a reading it is missing, not 0."""
    found = measure(STREAM, resources=Resources(peak_memory_bytes=2000, mean_memory_bytes=1500))
    assert (found.peak_memory_bytes, found.mean_memory_bytes, dict(found.missing)) == (2000, 1500, {})
    assert cost(STREAM).missing["peak_memory_bytes"] == "not_watched"


@given(streams())
def test_every_field_is_a_value_or_has_a_reason(made: Generation) -> None:
    """Never both, never neither."""
    found = cost(made)
    for field in fields(Measurement):
        if field.name != "missing":
            assert (getattr(found, field.name) is None) == (field.name in found.missing)
