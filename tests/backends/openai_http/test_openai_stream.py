"""K2: hostile streams give what is true of them, to the nanosecond; every wrong rule is seen to be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.openai_http import sse
from gemma_eval.backends.openai_http.reply import Reply
from gemma_eval.backends.openai_http.stream import Asked, generation, nothing
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError, TruncatedStream
from gemma_eval.measure.latency import measure
from gemma_eval.records import Channel, Delta, Generation, Measurement
from tests.backends.openai_http.hostile_breaks import BREAKS, WHOLE
from tests.backends.openai_http.hostile_counts import COUNTS
from tests.backends.openai_http.hostile_frames import FRAMES, TEXTS
from tests.backends.openai_http.hostile_pieces import PIECES
from tests.backends.openai_http.hostile_streams import (
    DONE,
    MS,
    SENT_NS,
    STOP,
    Facts,
    Row,
    Stream,
    Time,
    chat,
    counts,
    event,
    timings,
    usage,
)
from tests.backends.openai_http.test_sse import (
    as_python_splits_lines,
    decoded_by_read,
    line_ends_of_each_read,
    on_newlines_alone,
    stamped_one_read_late,
    stamped_with_the_first_read,
    with_the_incomplete_line,
    without_the_pending_event,
)

STREAMS: tuple[Stream, ...] = (*FRAMES, *TEXTS, *PIECES, *COUNTS, *BREAKS, *WHOLE)
ASKED = Asked(where="http://127.0.0.1:1/v1/chat/completions", max_tokens=8)
Answer = Callable[[Reply, Asked], Generation]
KINDS: dict[str | None, type[BackendError]] = {
    "server_error": ServerError,
    "truncated": TruncatedStream,
    "timeout": GenerationTimeout,
}


# --- the one place where a generation is laid beside what is true --------------------------------------


def facts(stream: Stream, answer: Answer) -> Facts:
    """Return what comes of a stream: of the answer, or of what an error has kept of it."""
    made, error = outcome(stream.reply, answer)
    measured = measure(made)
    return Facts(
        deltas=tuple(row(delta) for delta in made.deltas),
        output_tokens=made.output_tokens,
        prompt_tokens=made.prompt_tokens,
        cached_tokens=made.cached_tokens,
        reasoning_tokens=made.reasoning_tokens,
        count_source=made.count_source,
        finish_reason=made.finish_reason,
        usage_ms=None if made.usage_ns is None else milliseconds(made.usage_ns),
        ended_ms=milliseconds(made.ended_ns),
        streamed=made.streamed,
        ttft=time(measured, "ttft_s"),
        tpot=time(measured, "tpot_s"),
        e2e=time(measured, "e2e_s"),
        stall=time(measured, "max_stall_s"),
        error=None if error is None else error.kind,  # type: ignore[arg-type]  # compared with the one expected
        words=stream.facts.words if error is None or said(error, stream.facts.words) else (str(error),),
    )


def outcome(reply: Reply, answer: Answer = generation) -> tuple[Generation, BackendError | None]:
    """Return an answer; with an error what had come before it."""
    try:
        return answer(reply, ASKED), None
    except BackendError as error:
        if error.partial is None:
            raise ValueError("the error has lost what had come") from error
        return error.partial, error


def row(delta: Delta) -> Row:
    """Return a delta as the tables have it."""
    at = milliseconds(delta.at_ns)
    if delta.channel == "output":
        return (at, delta.n_tokens, delta.text)
    return (at, delta.n_tokens, delta.text, delta.channel)


def milliseconds(at_ns: int) -> int:
    """Return a stamp as whole milliseconds after the request. Raises ValueError when it is none."""
    whole, rest = divmod(at_ns - SENT_NS, MS)
    if rest:
        raise ValueError(f"{at_ns} is no whole millisecond")
    return whole


def time(measured: Measurement, name: str) -> Time:
    """Return a time as the fraction of milliseconds that its double is nearest to, or why there is none."""
    value: float | None = getattr(measured, name)
    if value is None:
        return measured.missing[name]
    near = Fraction(value).limit_denominator(10**6)
    return near * 1000 if float(near) == value else f"{value!r} is no such fraction"


def said(error: BackendError, words: tuple[str, ...]) -> bool:
    """Whether a message begins with the place, is one line and has all the words."""
    text = str(error)
    return text.startswith(ASKED.where) and "\n" not in text and all(word in text for word in words)


def wrong_facts(answer: Answer) -> dict[str, list[str]]:
    """Return the streams of which an answer has not what is true, with the names of the facts."""
    found: dict[str, list[str]] = {}
    for stream in STREAMS:
        try:
            got = facts(stream, answer)
        except (ValueError, IndexError) as error:
            found[stream.name] = [repr(error)]
            continue
        differ = [
            f"{field.name}: {getattr(got, field.name)!r}"
            for field in fields(Facts)
            if getattr(got, field.name) != getattr(stream.facts, field.name)
        ]
        if differ:
            found[stream.name] = differ
    return found


def test_every_stream_has_what_is_true_of_it() -> None:
    """More than forty of them: deltas, stamps, counts, ends, errors, times and reasons; no tolerance."""
    assert wrong_facts(generation) == {}
    assert len({stream.name for stream in STREAMS}) == len(STREAMS) > 40


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_an_answer_is_consistent(stream: Stream) -> None:
    """Texts are their deltas joined, stamps never go back, known tokens are not more than were counted."""
    made, error = outcome(stream.reply)
    assert error is None or isinstance(error, KINDS[stream.facts.error])
    for channel, text in (
        ("output", made.text),
        ("reasoning", made.reasoning),
        ("tool_call", made.tool_calls),
    ):
        assert "".join(delta.text for delta in made.deltas if delta.channel == channel) == text
        text.encode()
    stamps = [made.requested_ns, *(delta.at_ns for delta in made.deltas), made.ended_ns]
    assert stamps == sorted(stamps)
    known = [delta.n_tokens for delta in made.deltas if delta.n_tokens is not None]
    assert sum(known) <= (made.output_tokens or 0)


# --- wrong rules -------------------------------------------------------------------------------------


def with_parser(parse: Callable[..., sse.EventStream]) -> Answer:
    """Return an answer by another parser."""
    return lambda reply, asked: generation(reply, asked, parse=parse)


def with_deltas(change: Callable[[int, Delta, Generation], Delta | None]) -> Answer:
    """Return an answer whose deltas are changed, or left out."""

    def answer(reply: Reply, asked: Asked) -> Generation:
        made = generation(reply, asked)
        changed = (change(number, delta, made) for number, delta in enumerate(made.deltas))
        return replace(made, deltas=tuple(delta for delta in changed if delta is not None))

    return answer


def forgiving(*kinds: type[BackendError]) -> Answer:
    """Return an answer that takes some errors for the end."""

    def answer(reply: Reply, asked: Asked) -> Generation:
        try:
            return generation(reply, asked)
        except kinds as error:
            return replace(error.partial or nothing(reply, asked), finish_reason="stop")

    return answer


def forgetful(reply: Reply, asked: Asked) -> Generation:
    """Lose what had come when a stream breaks off."""
    try:
        return generation(reply, asked)
    except BackendError as error:
        raise type(error)(str(error), partial=nothing(replace(reply, reads=()), asked)) from error


def strict(reply: Reply, asked: Asked) -> Generation:
    """Take every stream that breaks off for a failure, whatever it had said."""
    if reply.broken is not None:
        raise TruncatedStream(f"{asked.where}: broken", partial=nothing(reply, asked))
    return generation(reply, asked)


def demands_done(reply: Reply, asked: Asked) -> Generation:
    """Take a stream without `[DONE]` for truncated."""
    made = generation(reply, asked)
    if made.streamed and b"[DONE]" not in reply.body:
        raise TruncatedStream(f"{asked.where}: no [DONE]", partial=made)
    return made


def counting(count: Callable[[Generation], int | None]) -> Answer:
    """Return an answer with another count of tokens."""

    def answer(reply: Reply, asked: Asked) -> Generation:
        made = generation(reply, asked)
        return replace(made, output_tokens=count(made))

    return answer


def after_the_error(reply: Reply, asked: Asked) -> Generation:
    """Leave events with errors out, and go on."""
    kept = tuple((at, data) for at, data in reply.reads if b'"error"' not in data or b"null" in data)
    return generation(replace(reply, reads=kept), asked)


def usage_as_a_piece(reply: Reply, asked: Asked) -> Generation:
    """Take the event with the counts for a piece of the answer."""
    made = generation(reply, asked)
    if made.usage_ns is None or not made.streamed:
        return made
    return replace(made, deltas=(*made.deltas, Delta(text="", n_tokens=1, at_ns=made.usage_ns)))


WRONG: dict[str, Answer] = {
    "splits lines at LF alone": with_parser(on_newlines_alone),
    "splits lines as Python does": with_parser(as_python_splits_lines),
    "decodes each read by itself": with_parser(decoded_by_read),
    "forgets a CR at the end of a read": with_parser(line_ends_of_each_read),
    "stamps with the first read": with_parser(stamped_with_the_first_read),
    "stamps one read late": with_parser(stamped_one_read_late),
    "drops the pending event": with_parser(without_the_pending_event),
    "takes half a line for a line": with_parser(with_the_incomplete_line),
    "latches the role": with_deltas(
        lambda number, delta, _: replace(delta, n_tokens=1) if number == 0 else delta
    ),
    "drops pieces without text": with_deltas(lambda _, delta, __: delta if delta.text else None),
    "takes a piece for a token": with_deltas(
        lambda _, delta, __: replace(delta, n_tokens=1) if delta.text else delta
    ),
    "spreads tokens evenly": with_deltas(
        lambda _, delta, made: (
            replace(delta, n_tokens=(made.output_tokens or 0) // 3) if delta.text else delta
        )
    ),
    "ends with the stream": with_deltas(
        lambda number, delta, made: replace(delta, at_ns=made.ended_ns) if number == 2 else delta
    ),
    "has no reasoning": with_deltas(lambda _, delta, __: None if delta.channel == "reasoning" else delta),
    "has no calls of tools": with_deltas(
        lambda _, delta, __: None if delta.channel == "tool_call" else delta
    ),
    "takes reasoning for output": with_deltas(lambda _, delta, __: replace(delta, channel="output")),
    "counts pieces": counting(lambda made: len(made.deltas)),
    "counts what was asked for": counting(lambda _: ASKED.max_tokens),
    "counts no counts as none": counting(lambda made: made.output_tokens or 0),
    "does not count the end of a turn": counting(lambda made: sum(bool(delta.text) for delta in made.deltas)),
    "takes counts for a piece": usage_as_a_piece,
    "takes errors for the end": forgiving(ServerError),
    "takes any close for the end": forgiving(TruncatedStream),
    "takes a limit for the end": forgiving(GenerationTimeout),
    "goes on after an error": after_the_error,
    "loses what had come": forgetful,
    "fails what had ended": strict,
    "demands [DONE]": demands_done,
}


@pytest.mark.parametrize("rule", WRONG)
def test_the_streams_catch_a_wrong_rule(rule: str) -> None:
    """Each is one that some client follows, and at least one stream shows it."""
    assert wrong_facts(WRONG[rule])


# --- laws --------------------------------------------------------------------------------------------


def without_stamps(reply: Reply) -> tuple[object, ...]:
    """Return all that is known of an answer or of what had come, but for when."""
    made, error = outcome(reply)
    pieces = [(delta.text, delta.n_tokens, delta.channel) for delta in made.deltas]
    return str(error), pieces, made.output_tokens, made.prompt_tokens, made.count_source, made.finish_reason


@given(
    stream=st.sampled_from([stream for stream in STREAMS if len(stream.reply.body) < 10_000]),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
)
@settings(deadline=None)
def test_an_answer_does_not_depend_on_the_reads(stream: Stream, cuts: list[int]) -> None:
    """Cut anywhere, every stream says the same."""
    body = stream.reply.body
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    reads = tuple((SENT_NS + end, body[start:end]) for start, end in pairwise(places))
    assert without_stamps(replace(stream.reply, reads=reads)) == without_stamps(stream.reply)


@given(stream=st.sampled_from(STREAMS), shift=st.integers(-(10**12), 10**15))
@settings(deadline=None)
def test_only_differences_of_stamps_count(stream: Stream, shift: int) -> None:
    """The zero of the clock is arbitrary."""
    reply = stream.reply
    moved = replace(
        reply,
        reads=tuple((at_ns + shift, data) for at_ns, data in reply.reads),
        requested_ns=reply.requested_ns + shift,
        connected_ns=None,
        headers_ns=None,
        ended_ns=reply.ended_ns + shift,
    )
    assert times(moved) == times(replace(reply, connected_ns=None, headers_ns=None))


def times(reply: Reply) -> Measurement:
    """Return what is measured of a reply."""
    return measure(outcome(reply)[0])


# --- counting on this side ---------------------------------------------------------------------------


def reply_of(*data: bytes) -> Reply:
    """Return a stream that came in one read."""
    [stream] = [stream for stream in FRAMES if stream.name == "LF"]
    return replace(stream.reply, reads=((SENT_NS + 10 * MS, b"".join(data)),))


def test_without_counts_of_the_server_the_whole_text_is_counted() -> None:
    """Reasoning and calls are among it, and the source is told; the limit that was asked for is no count."""
    asked = replace(ASKED, count=len)
    thought = event({"choices": [{"delta": {"reasoning": "hm"}}]})
    found = generation(reply_of(thought, chat("abc"), STOP, DONE), asked)
    assert (found.output_tokens, found.count_source, found.client_tokens) == (5, "client_tokenizer", None)
    assert [delta.n_tokens for delta in found.deltas] == [None, None, 0]
    unknown = generation(reply_of(chat("abc"), STOP, DONE), replace(ASKED, count=lambda _: None))
    assert (unknown.output_tokens, unknown.count_source) == (None, "server_usage")


def test_a_count_of_this_side_is_a_check_and_takes_no_precedence() -> None:
    """It is made when it is asked for."""
    reply = reply_of(chat("abc"), STOP, usage(2), DONE)
    assert generation(reply, replace(ASKED, count=len)).client_tokens is None
    found = generation(reply, replace(ASKED, count=len, checks_counts=True))
    assert (found.output_tokens, found.client_tokens, found.count_source) == (2, 3, "server_usage")


def test_a_broken_answer_is_not_counted() -> None:
    """The server that would count may be what broke."""

    def count(text: str) -> int:
        raise AssertionError(text)

    with pytest.raises(TruncatedStream):
        generation(reply_of(chat("abc")), replace(ASKED, count=count, checks_counts=True))


# --- what an engine says of itself -------------------------------------------------------------------


def test_the_engines_own_times_are_taken_over() -> None:
    """Under the names that every backend has, and raw; what is no finite number is left out."""
    told = timings(3, predicted_ms=40.0, predicted_per_second=50.0, draft_n=2, draft_n_accepted=1)
    found = generation(
        reply_of(chat("abc"), chat(reason="stop", timings={**told, "x": float("nan")}), DONE), ASKED
    )
    assert found.engine_timings == {
        **told,
        "decode_ms": 40.0,
        "output_tokens_per_s": 50.0,
        "accept_length": 1.5,
    }
    assert (found.prompt_tokens, found.cached_tokens, found.output_tokens) == (100, 3, 3)
    plain = generation(reply_of(chat("abc"), STOP, usage(3), DONE), ASKED)
    assert plain.engine_timings == {}


def test_counts_of_the_server_go_before_its_timings() -> None:
    """Where both are told."""
    ended = event({"choices": [], "usage": counts(3, cached=5), "timings": timings(9)})
    found = generation(reply_of(chat("abc"), STOP, ended, DONE), ASKED)
    assert (found.output_tokens, found.prompt_tokens, found.cached_tokens) == (3, 100, 5)


def test_stamps_attempts_and_parameters_are_taken_over() -> None:
    """They are not in the stream."""
    reply = reply_of(chat("abc"), STOP, usage(3), DONE)
    found = generation(reply, replace(ASKED, effective={"temperature": 0.5}))
    assert (found.connected_ns, found.requested_ns, found.headers_ns) == (SENT_NS - MS, SENT_NS, SENT_NS + MS)
    assert found.effective == {"temperature": 0.5}
    assert (found.scheduled_ns, found.dequeued_ns) == (None, None)


def test_a_message_shows_what_a_server_sent_as_it_is_told_to() -> None:
    """The excerpt is made by whoever knows what must not be shown."""
    asked = replace(ASKED, excerpt=lambda text: f"<{len(text)} characters>")
    with pytest.raises(ServerError, match="event 1 of the stream is invalid JSON: <5 characters>"):
        generation(reply_of(b"data: oops!\n\n"), asked)


@pytest.mark.parametrize("channel", ["output", "reasoning", "tool_call"])
def test_a_first_token_of_any_channel_is_one(channel: Channel) -> None:
    """Time to first token and time to first output differ where an answer begins with something else."""
    said_as: dict[Channel, dict[str, object]] = {
        "output": {"content": "a"},
        "reasoning": {"reasoning": "a"},
        "tool_call": {"tool_calls": [{"function": {"arguments": "a"}}]},
    }
    first = event({"choices": [{"delta": said_as[channel]}]})
    reads = ((SENT_NS + 10 * MS, first), (SENT_NS + 30 * MS, chat("b") + STOP + usage(2) + DONE))
    found = measure(generation(replace(reply_of(), reads=reads), ASKED))
    assert (found.ttft_s, found.ttfo_s) == (0.01, 0.01 if channel == "output" else 0.03)
