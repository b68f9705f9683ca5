"""Every row of the table of edge cases in docs/metrics.md, and what counts as a token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.errors import BackendError, GenerationTimeout
from gemma_eval.measure.events import Events, fault, icl_s, itl_s
from gemma_eval.measure.latency import measure
from gemma_eval.plugins import load
from gemma_eval.records import (
    Attempt,
    EngineInfo,
    FinishReason,
    Generation,
    Measurement,
    Prompt,
    SamplingProfile,
)
from gemma_eval.run import run_trial
from gemma_eval.stages import stages
from tests.examples import an_outcome
from tests.measure.event_rows import MS, SENT, STREAM, generation

TOKEN_TIMES = (
    "ttft_s",
    "ttfo_s",
    "tpot_s",
    "ntpot_s",
    "max_stall_s",
    "output_tokens_per_s",
    "tokens_per_chunk",
)
BETWEEN_TOKENS = ("tpot_s", "max_stall_s", "output_tokens_per_s")


def cost(made: Generation) -> Measurement:
    """Return the measurement without resources."""
    return measure(made)


def reasons(found: Measurement, *names: str) -> set[str]:
    """Return the reasons why these have no value, and check that they have none."""
    assert [getattr(found, name) for name in names] == [None] * len(names)
    return {found.missing[name] for name in names}


# --- how much was generated --------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [(), ((5 * MS, 0, ""),)], ids=["nothing at all", "a role"])
def test_an_empty_answer_has_a_duration_and_no_time_of_tokens(
    pieces: tuple[tuple[int, int, str], ...],
) -> None:
    """A refusal or an end at once is an answer: it counts as answered, and its stream has an end."""
    found = cost(generation(pieces, output_tokens=0, ended_ns=9 * MS))
    assert reasons(found, *TOKEN_TIMES, "e2e_s", "itl_basis") == {"no_tokens"}
    assert found.operation_duration_s == 0.009
    assert found.output_tokens == 0
    assert found.time_to_first_chunk_s == (0.005 if pieces else None)


@pytest.mark.parametrize("pieces", [(), ((5 * MS, 0, ""),)], ids=["nothing at all", "a role"])
def test_an_end_of_turn_that_is_counted_and_never_seen_is_no_token_with_a_time(
    pieces: tuple[tuple[int, int, str], ...],
) -> None:
    """Some engines count the token that ends an empty answer: one token, and nothing to see of it."""
    found = cost(generation(pieces, output_tokens=1, ended_ns=9 * MS))
    assert reasons(found, *TOKEN_TIMES, "e2e_s") == {"no_tokens"}
    assert found.output_tokens == 1


def test_an_empty_answer_that_was_not_streamed_is_an_empty_answer() -> None:
    """It has no last token, whether or not one could have been seen."""
    made = generation([(9 * MS, None, "")], output_tokens=0, ended_ns=9 * MS, streamed=False)
    assert reasons(cost(made), *TOKEN_TIMES, "e2e_s") == {"no_tokens"}
    thought = replace(made, reasoning="hm", output_tokens=None)
    assert reasons(cost(thought), "ttft_s") == {"not_streamed"}
    assert cost(thought).e2e_s == 0.009


def test_a_text_without_any_delta_came_whole() -> None:
    """As a plugin of before may give it: its end is known."""
    made = replace(STREAM, deltas=())
    assert reasons(cost(made), "ttft_s", "tpot_s") == {"not_streamed"}
    assert cost(made).e2e_s == 0.476


@pytest.mark.parametrize("tokens", [1, 4])
def test_an_answer_in_one_delta_has_a_first_token_and_no_time_between_tokens(tokens: int) -> None:
    """Whether the delta holds one token or several."""
    made = generation([(30 * MS, tokens, "x")], output_tokens=tokens, ended_ns=40 * MS)
    found = cost(made)
    assert (found.ttft_s, found.e2e_s, found.ntpot_s) == (0.03, 0.03, 0.03 / tokens)
    assert reasons(found, *BETWEEN_TOKENS, "itl_basis") == {"single_delta"}
    assert icl_s(made) == itl_s(made) == ()


def test_an_answer_that_was_not_streamed_has_an_end_and_no_first_token() -> None:
    """Its end is never booked as the time to the first token."""
    made = generation([(500 * MS, None, "all at once")], output_tokens=8, ended_ns=500 * MS, streamed=False)
    made = replace(made, scheduled_ns=SENT - 10 * MS)
    found = cost(made)
    assert (found.e2e_s, found.e2e_sched_s, found.operation_duration_s) == (0.5, 0.51, 0.5)
    assert found.ntpot_s == 0.0625
    first = ("ttft_s", "ttft_sched_s", "ttfo_s", "time_to_first_chunk_s", "prompt_tokens_per_s")
    assert reasons(found, *first, *BETWEEN_TOKENS, "tokens_per_chunk", "itl_basis") == {"not_streamed"}
    assert icl_s(made) == ()
    by_the_engine = replace(made, engine_timings={"prompt_ms": 50.0})
    assert (cost(by_the_engine).prompt_tokens_per_s, cost(by_the_engine).prompt_basis) == (2000.0, "engine")


# --- how it ended ------------------------------------------------------------------------------------


def test_an_answer_that_broke_off_has_no_times_and_keeps_its_stamps() -> None:
    """Excluded from latencies; in the record as far as it came."""
    outcome = run_trial(
        an_outcome().trial, stages(load(), Breaking(BackendError("reset", partial=broken("error"))))
    )
    assert outcome.generation == broken("error")
    assert outcome.measurement is not None
    assert reasons(outcome.measurement, *TOKEN_TIMES, "e2e_s", "operation_duration_s") == {"failed"}
    assert outcome.failure is not None
    assert outcome.failure.kind == "backend"


def test_an_answer_ended_at_a_limit_has_the_times_of_what_had_come() -> None:
    """The first token came and its time is known; how long the whole would have taken is not."""
    late = GenerationTimeout("took too long", partial=broken("timeout"))
    outcome = run_trial(an_outcome().trial, stages(load(), Breaking(late)))
    assert outcome.generation == broken("timeout")
    found = outcome.measurement
    assert found is not None
    assert (found.time_to_first_chunk_s, found.ttft_s, found.ttfo_s) == (0.005, 0.245, 0.245)
    assert reasons(found, "tpot_s", "ntpot_s", "e2e_s", "operation_duration_s", "max_stall_s") == {"timeout"}
    waiting = cost(
        generation([(5 * MS, 0, "")], output_tokens=None, ended_ns=99 * MS, finish_reason="timeout")
    )
    assert waiting.time_to_first_chunk_s == 0.005
    assert reasons(waiting, "ttft_s", "ttfo_s", "e2e_s") == {"timeout"}
    assert reasons(waiting, "ttft_sched_s", "queue_delay_s") == {"timeout", "not_scheduled"}


def test_an_answer_cut_short_by_the_end_of_the_run_is_no_outcome() -> None:
    """An interrupt is not a failure of the engine: the trial is made anew when the run is resumed."""
    with pytest.raises(KeyboardInterrupt):
        run_trial(an_outcome().trial, stages(load(), Breaking(KeyboardInterrupt())))


def test_a_second_attempt_has_no_times() -> None:
    """What counts is the first attempt, and that one failed."""
    first = Attempt(kind="server_error", message="503", requested_ns=SENT - 9 * MS, ended_ns=SENT - 8 * MS)
    found = cost(replace(STREAM, attempts=(first,)))
    assert reasons(found, *TOKEN_TIMES, "e2e_s", "operation_duration_s") == {"retried"}
    assert found.output_tokens == 8


def test_how_an_answer_ended_is_kept_and_changes_no_time() -> None:
    """Of its own accord or at the limit of tokens: the figures of the two are for others to keep apart."""
    at_length = replace(STREAM, finish_reason="length")
    assert cost(at_length) == cost(STREAM)
    assert at_length.finish_reason != STREAM.finish_reason


# --- what came before --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt_tokens", "cached_tokens", "reason"),
    [(None, 0, "no_usage"), (100, None, "cache_unknown"), (100, 100, "all_cached")],
)
def test_the_rate_of_reading_needs_to_know_what_was_read(
    prompt_tokens: int | None, cached_tokens: int | None, reason: str
) -> None:
    """A cached prefix would make any rate look fast."""
    found = cost(replace(STREAM, prompt_tokens=prompt_tokens, cached_tokens=cached_tokens))
    assert reasons(found, "prompt_tokens_per_s", "prompt_basis") == {reason}


def test_a_cached_prefix_is_no_part_of_what_was_read() -> None:
    """By the engine's time where it has one, up to the first token where not; the basis says which."""
    half = replace(STREAM, prompt_tokens=100, cached_tokens=51)
    assert (cost(half).prompt_tokens_per_s, cost(half).prompt_basis) == (200.0, "ttft")
    timed = replace(half, engine_timings={"prompt_ms": 70.0})
    assert (cost(timed).prompt_tokens_per_s, cost(timed).prompt_basis) == (700.0, "engine")
    assert cost(replace(half, engine_timings={"prompt_ms": 0.0})).missing["prompt_basis"] == "zero_duration"


def test_a_role_a_sign_of_life_or_an_empty_piece_is_a_chunk_and_no_token() -> None:
    """It moves the time to the first chunk, and nothing else."""
    bare = replace(STREAM, deltas=STREAM.deltas[1:])
    after_the_last = replace(STREAM.deltas[0], at_ns=STREAM.ended_ns, n_tokens=None)
    between = replace(STREAM.deltas[0], at_ns=STREAM.deltas[2].at_ns + 1)
    signs = (*STREAM.deltas[:3], between, *STREAM.deltas[3:], after_the_last)
    assert cost(STREAM).time_to_first_chunk_s == 0.005
    assert cost(bare).time_to_first_chunk_s == 0.245
    assert replace(cost(bare), time_to_first_chunk_s=0.005) == cost(STREAM)
    assert cost(replace(STREAM, deltas=signs)) == cost(STREAM)


def test_the_first_token_of_any_channel_counts_and_the_first_for_the_user_by_itself() -> None:
    """Thinking is generating: nothing until a model has thought would be as wrong as 0 ms."""
    thinking = generation(
        [(5 * MS, 0, ""), (100 * MS, 1, "hm", "reasoning"), (300 * MS, 1, "Oslo")],
        output_tokens=2,
        ended_ns=300 * MS,
    )
    assert (cost(thinking).ttft_s, cost(thinking).ttfo_s, cost(thinking).tpot_s) == (0.1, 0.3, 0.2)
    calling = generation(
        [(100 * MS, 1, "{", "tool_call"), (200 * MS, 1, "}", "tool_call")], output_tokens=2, ended_ns=200 * MS
    )
    assert cost(calling).ttft_s == 0.1
    assert reasons(cost(calling), "ttfo_s") == {"no_output"}


# --- the clock ---------------------------------------------------------------------------------------


def test_two_deltas_in_one_read_have_a_gap_of_nothing() -> None:
    """0 s per token is measured, infinitely many per second is not."""
    found = cost(generation([(0, 1, "a"), (0, 1, "b")], output_tokens=2, ended_ns=0))
    assert (found.ttft_s, found.tpot_s, found.max_stall_s) == (0.0, 0.0, 0.0)
    assert reasons(found, "output_tokens_per_s", "prompt_tokens_per_s") == {"zero_duration"}


@pytest.mark.parametrize(
    "made",
    [
        generation([(20 * MS, 1, "a"), (10 * MS, 1, "b")], output_tokens=2, ended_ns=30 * MS),
        generation([(-1, 1, "a")], output_tokens=1, ended_ns=30 * MS),
        generation([(20 * MS, 1, "a")], output_tokens=1, ended_ns=19 * MS),
        replace(STREAM, scheduled_ns=SENT + 1),
        replace(STREAM, scheduled_ns=SENT - 1, dequeued_ns=SENT - 2),
        replace(STREAM, connected_ns=SENT + 1),
        replace(STREAM, headers_ns=SENT + 6 * MS),
        replace(STREAM, usage_ns=STREAM.ended_ns + 1),
        replace(STREAM, usage_ns=SENT - 1),
    ],
    ids=["gap", "first", "end", "schedule", "line", "connection", "headers", "late usage", "early usage"],
)
def test_a_clock_that_went_back_gives_no_time_at_all(made: Generation) -> None:
    """A negative time is never reported, and the answer with its score is not lost for it."""
    found = cost(made)
    assert reasons(found, *TOKEN_TIMES, "e2e_s", "operation_duration_s", "queue_delay_s") == {
        "clock_went_back"
    }
    assert found.output_tokens == made.output_tokens


# --- what counts as a token --------------------------------------------------------------------------


def test_without_a_count_there_is_no_time_per_token() -> None:
    """Deltas are not tokens, and what was asked for is not what came."""
    made = generation([(10 * MS, None, "a"), (20 * MS, None, "b")], output_tokens=None, ended_ns=30 * MS)
    found = cost(made)
    assert reasons(found, "tpot_s", "ntpot_s", "output_tokens_per_s", "tokens_per_chunk") == {"no_usage"}
    assert reasons(found, "output_tokens") == {"no_usage"}
    assert (found.ttft_s, found.max_stall_s, found.itl_basis) == (0.01, 0.01, "chunk")


def test_a_count_of_this_side_serves_where_the_engine_has_none_and_is_labelled() -> None:
    """The formulas are the same; `count_source` tells, and the two counts are compared where both are."""
    own = replace(STREAM, count_source="client_tokenizer")
    assert cost(own) == cost(STREAM)
    both = replace(STREAM, client_tokens=7)
    assert cost(both).token_count_mismatch == -1
    assert cost(replace(STREAM, client_tokens=8)).token_count_mismatch == 0
    assert reasons(cost(STREAM), "token_count_mismatch") == {"no_client_count"}


A, B, C = (10 * MS, None, "a"), (40 * MS, None, "b"), (70 * MS, None, "c")


def test_deltas_of_unknown_size_have_one_token_each_where_that_adds_up() -> None:
    """As many deltas as tokens leave no other possibility; otherwise it cannot be known."""
    made = generation([A, (20 * MS, None, ""), B, C], output_tokens=3, ended_ns=80 * MS)
    assert (cost(made).tpot_s, cost(made).itl_basis, itl_s(made)) == (0.03, "token", (0.03, 0.03))
    many = replace(made, output_tokens=5)
    assert reasons(cost(many), "tpot_s", "output_tokens_per_s") == {"no_delta_tokens"}
    assert (cost(many).itl_basis, itl_s(many), icl_s(many)) == ("chunk", None, (0.03, 0.03))
    assert cost(many).tokens_per_chunk == 5 / 3


@pytest.mark.parametrize("finish_reason", ["stop", "tool_calls"])
def test_the_token_that_ends_a_turn_has_no_delta_and_no_part_in_the_time_per_token(
    finish_reason: FinishReason,
) -> None:
    """Four counted and three seen: (70 - 10) / (3 - 1), and 3 tokens in 70 ms."""
    made = generation([A, B, C], output_tokens=4, ended_ns=80 * MS, finish_reason=finish_reason)
    assert (cost(made).tpot_s, cost(made).ntpot_s, cost(made).tokens_per_chunk) == (0.03, 0.07 / 3, 1.0)
    assert cost(made).output_tokens == 4
    cut = replace(made, finish_reason="length")
    assert reasons(cost(cut), "tpot_s") == {"no_delta_tokens"}


def test_a_token_that_a_delta_without_text_may_have_carried_is_not_taken_for_the_end_of_the_turn() -> None:
    """Half a character has no text; a role says that it has no token, and takes none away."""
    half, role = (20 * MS, None, ""), (5 * MS, 0, "")
    made = generation([A, half, B, C], output_tokens=4, ended_ns=80 * MS)
    assert reasons(cost(made), "tpot_s") == {"no_delta_tokens"}
    assert cost(made).ntpot_s == 0.07 / 4
    assert cost(generation([role, A, B, C], output_tokens=4, ended_ns=80 * MS)).tpot_s == 0.03
    assert cost(replace(made, output_tokens=3)).tpot_s == 0.03


def test_tokens_that_deltas_do_not_carry_came_after_the_last() -> None:
    """Those of a stop text are counted and cut off; the deltas tell what had come by the last of them."""
    made = generation([(10 * MS, 1, "a"), (40 * MS, 2, "b")], output_tokens=6, ended_ns=90 * MS)
    assert (cost(made).tpot_s, cost(made).ntpot_s, itl_s(made)) == (0.015, 0.04 / 3, (0.015, 0.015))


def test_a_first_delta_that_tells_its_count_is_enough_for_a_mean() -> None:
    """Six tokens, two of them in the first delta: four in 60 ms; which gap holds how many is not known."""
    made = generation([(10 * MS, 2, "a"), B, C], output_tokens=6, ended_ns=80 * MS, finish_reason="length")
    assert (cost(made).tpot_s, cost(made).itl_basis) == (0.015, "chunk")
    assert reasons(cost(replace(made, output_tokens=2)), "tpot_s") == {"count_mismatch"}


@pytest.mark.parametrize(
    ("first", "counted"), [(2, 1), (None, 0)], ids=["fewer than were told", "none at all"]
)
def test_a_count_that_contradicts_the_deltas_gives_no_time_per_token(first: int | None, counted: int) -> None:
    """The engine counts fewer tokens than it sent."""
    made = generation([(10 * MS, first, "a"), (20 * MS, None, "b")], output_tokens=counted, ended_ns=30 * MS)
    found = cost(made)
    assert reasons(found, "tpot_s", "ntpot_s", "tokens_per_chunk") == {"count_mismatch"}
    assert (found.ttft_s, found.itl_basis) == (0.01, "chunk")


def test_a_delta_with_a_token_and_no_text_is_a_token() -> None:
    """A token that is no whole character yet has come all the same."""
    made = generation([(10 * MS, 1, ""), (30 * MS, 1, "é")], output_tokens=2, ended_ns=30 * MS)
    assert (cost(made).ttft_s, cost(made).tpot_s) == (0.01, 0.02)
    assert Events(made).t_first_token == SENT + 10 * MS


# --- times that do not count -------------------------------------------------------------------------


def test_the_first_reason_is_given_where_there_are_several() -> None:
    """A failure goes before a retry, a retry before a phase, and all of them before a limit."""
    made = replace(STREAM, finish_reason="error", batch_size=2, scheduled_ns=SENT + 1)
    assert fault(made, made="read", phase="warmup") == "failed"
    made = replace(made, finish_reason="timeout")
    assert fault(made, made="read", phase="warmup") == "warmup"
    assert fault(made, made="read", phase="measured") == "not_generated"
    assert fault(made, made="written", phase="measured") == "batched"
    made = replace(made, batch_size=1)
    assert fault(made, made="written", phase="measured") == "clock_went_back"
    assert fault(replace(made, scheduled_ns=None), made="written", phase="measured") == "timeout"
    assert fault(STREAM, made="written", phase="measured") is None


def test_answers_of_a_batch_have_no_times_of_their_own() -> None:
    """Not even where the stamps look like those of one answer; their tokens were counted all the same."""
    found = cost(replace(STREAM, batch_size=8))
    assert reasons(found, *TOKEN_TIMES, "e2e_s", "prompt_basis", "itl_basis") == {"batched"}
    assert found.output_tokens == 8


def test_a_text_that_was_read_has_no_times() -> None:
    """However many deltas the engine makes of it."""
    assert reasons(measure(STREAM, made="read"), *TOKEN_TIMES, "e2e_s") == {"not_generated"}


def broken(reason: FinishReason) -> Generation:
    """Return the known stream as it was after its third piece."""
    whole = replace(STREAM, deltas=STREAM.deltas[:3], text="ab", output_tokens=None)
    return replace(whole, finish_reason=reason, ended_ns=SENT + 400 * MS)


class Breaking:
    """A backend of which every answer ends in one error."""

    chat_template = None

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def info(self) -> EngineInfo:
        """Say that nothing is driven."""
        return EngineInfo(
            engine="none", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Raise the error."""
        raise self.error

    def close(self) -> None:
        """Do nothing."""
