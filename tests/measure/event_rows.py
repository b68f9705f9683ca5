"""Event rows for tests: the stream that nine tools describe in nine ways, and any other there may be."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from gemma_eval.records import Attempt, Channel, Delta, FinishReason, Generation, Resources

MS = 1_000_000
SENT = 7_000 * MS

Piece = tuple[int, int | None, str] | tuple[int, int | None, str, Channel]
"""Nanoseconds after the request was sent, tokens, text, and the channel where it is not *output*."""


def channel_of(piece: Piece) -> Channel:
    """Return the channel of a piece."""
    return piece[3] if len(piece) == 4 else "output"


def joined(deltas: Sequence[Delta], channel: Channel) -> str:
    """Return the text of one channel."""
    return "".join(delta.text for delta in deltas if delta.channel == channel)


def generation(
    pieces: Sequence[Piece],
    *,
    output_tokens: int | None,
    ended_ns: int,
    prompt_tokens: int | None = 100,
    cached_tokens: int | None = 0,
    finish_reason: FinishReason = "stop",
    streamed: bool = True,
) -> Generation:
    """Return a generation that was sent at `SENT` and ended `ended_ns` after that."""
    deltas = tuple(
        Delta(text=piece[2], n_tokens=piece[1], at_ns=SENT + piece[0], channel=channel_of(piece))
        for piece in pieces
    )
    return Generation(
        text=joined(deltas, "output"),
        reasoning=joined(deltas, "reasoning"),
        tool_calls=joined(deltas, "tool_call"),
        deltas=deltas,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        output_tokens=output_tokens,
        count_source="engine",
        finish_reason=finish_reason,
        requested_ns=SENT,
        ended_ns=SENT + ended_ns,
        streamed=streamed,
    )


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
"""A role, five deltas with eight tokens, the end: one stream, nine answers in nine tools."""


@st.composite
def generations(draw: st.DrawFn) -> Generation:
    """Return an event row with its stamps in order, whatever else it holds or lacks."""
    pieces = draw(st.lists(_PIECE, max_size=10))
    streamed = draw(st.sampled_from((True, True, True, False)))
    pieces = pieces if streamed else pieces[:1]
    at = SENT
    deltas = []
    for gap, n_tokens, text, channel in pieces:
        at += gap
        deltas.append(Delta(text=text, n_tokens=n_tokens, at_ns=at, channel=channel))
    ended = at + draw(_GAP if streamed else st.just(0))
    before = draw(st.lists(_GAP, min_size=3, max_size=3))
    stamps = [SENT - sum(before[place:]) for place in range(3)]
    scheduled, dequeued, connected = (draw(st.sampled_from((None, stamp))) for stamp in stamps)
    return Generation(
        text=joined(deltas, "output"),
        reasoning=joined(deltas, "reasoning"),
        tool_calls=joined(deltas, "tool_call"),
        deltas=tuple(deltas),
        prompt_tokens=draw(st.none() | st.integers(1, 9000)),
        cached_tokens=draw(st.none() | st.just(0) | st.integers(0, 9000)),
        output_tokens=draw(_count_of(deltas)),
        client_tokens=draw(st.none() | st.integers(0, 50)),
        count_source="engine",
        finish_reason=draw(st.sampled_from(("stop", "stop", "length", "tool_calls", "error", "timeout"))),
        scheduled_ns=scheduled,
        dequeued_ns=dequeued,
        connected_ns=connected,
        requested_ns=SENT,
        headers_ns=draw(st.sampled_from((None, SENT))),
        usage_ns=draw(st.sampled_from((None, ended))),
        ended_ns=ended,
        streamed=streamed,
        attempts=draw(st.sampled_from(((), (), (), (_ATTEMPT,)))),
        engine_timings=draw(_TIMINGS),
        batch_size=draw(st.sampled_from((1, 1, 1, 4))),
    )


WATCHED = st.sampled_from((None, "not_watched", "shared")) | st.builds(
    Resources,
    peak_memory_bytes=st.none() | st.integers(0, 2**40),
    mean_memory_bytes=st.none() | st.integers(0, 2**40),
    cpu_s=st.none() | st.floats(0, 1e4),
    involuntary_switches=st.none() | st.integers(0, 99),
    energy_j=st.none() | st.floats(0, 1e6),
    energy_source=st.sampled_from((None, "nvml")),
)
"""What may be known of the resources of a generation."""

_GAP = st.integers(0, 10**10)
_CHANNEL: st.SearchStrategy[Channel] = st.sampled_from(("output", "output", "reasoning", "tool_call"))
_PIECE = st.tuples(
    _GAP,
    st.sampled_from((0, 1, 1, 1, 2, 5, None, None)),
    st.sampled_from(("", "x", "xy")),
    _CHANNEL,
)
_TIMINGS = st.fixed_dictionaries(
    {},
    optional={
        "prompt_ms": st.just(0.0) | st.floats(1e-3, 1e6),
        "output_tokens_per_s": st.floats(1, 1e4),
        "accept_length": st.floats(1, 8),
    },
)
_ATTEMPT = Attempt(kind="server_error", message="500", requested_ns=SENT - 9 * MS, ended_ns=SENT - 8 * MS)


def _count_of(deltas: Sequence[Delta]) -> st.SearchStrategy[int | None]:
    """Return what an engine may count: the tokens of its deltas, some that have none, or nonsense."""
    counts = (bool(delta.text) if delta.n_tokens is None else delta.n_tokens for delta in deltas)
    total = sum(counts)
    return st.sampled_from((None, total, total, total, total + 1, total + 3, max(0, total - 1), 0))
