"""K2: streams that servers send and clients get wrong, each with what is true of it to the nanosecond.

Times are milliseconds after the request. A stream is asked for at `SENT_NS`, and every read has its stamp.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from gemma_eval.backends.openai_http.reply import Broken, Reply
from gemma_eval.records import Channel, CountSource, FinishReason

MS = 1_000_000
SENT_NS = 7_000 * MS
Time = int | Fraction | str
"""Milliseconds, or the reason why there is no such time."""

Known = Mapping[str, Any]
"""Some of the fields of `Facts`."""

Row = tuple[int, int | None, str] | tuple[int, int | None, str, Channel]
"""A delta: milliseconds, tokens, text, and its channel where it is no output."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a stream: deltas, counts, how it ended, and the times that follow.

    `error` is the kind of the error that it ends with, `words` are in its message; what else is said is then
    true of what had come.
    """

    deltas: tuple[Row, ...]
    output_tokens: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    count_source: CountSource = "server_usage"
    finish_reason: FinishReason = "stop"
    usage_ms: int | None = None
    ended_ms: int
    streamed: bool = True
    ttft: Time
    tpot: Time
    e2e: Time
    stall: Time
    error: Literal["server_error", "truncated", "timeout"] | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream: its reads with their times, how it broke off, and what is true of it."""

    name: str
    reads: tuple[tuple[int, bytes], ...]
    facts: Facts
    broken: Broken | None = None
    content_type: str = "text/event-stream; charset=utf-8"

    @property
    def reply(self) -> Reply:
        """The stream as a transport gives it."""
        return Reply(
            status=200,
            headers={"content-type": self.content_type},
            reads=tuple((SENT_NS + at * MS, data) for at, data in self.reads),
            connected_ns=SENT_NS - MS,
            requested_ns=SENT_NS,
            headers_ns=SENT_NS + MS,
            ended_ns=SENT_NS + self.facts.ended_ms * MS,
            broken=self.broken,
        )


# --- what servers send -------------------------------------------------------------------------------


def event(said: Mapping[str, object], *, end: str = "\n\n") -> bytes:
    """Return an event as most servers write it."""
    return f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', **said})}{end}".encode()


def chat(content: object = None, *, reason: str | None = None, **more: object) -> bytes:
    """Return a piece of a chat; `more` are other fields of the event."""
    delta = {} if content is None else {"content": content}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more})


def delta(said: Mapping[str, object], *, reason: str | None = None, **more: object) -> bytes:
    """Return a piece of a chat with this delta."""
    return event({"choices": [{"index": 0, "delta": said, "finish_reason": reason}], **more})


def plain(text: str, *, reason: str | None = None, **more: object) -> bytes:
    """Return a piece of a completion."""
    return event({"choices": [{"index": 0, "text": text, "finish_reason": reason}], **more})


def whole(choice: Mapping[str, object]) -> bytes:
    """Return an answer in one piece."""
    return json.dumps({"choices": [choice], "usage": counts(3)}).encode()


def counts(output: int, prompt: int = 100, **details: int) -> Mapping[str, object]:
    """Return the field `usage`."""
    told: dict[str, object] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
    }
    if "cached" in details:
        told["prompt_tokens_details"] = {"cached_tokens": details["cached"]}
    if "reasoning" in details:
        told["completion_tokens_details"] = {"reasoning_tokens": details["reasoning"]}
    return told


def usage(output: int, **details: int) -> bytes:
    """Return the event with the counts, which has no choices."""
    return event({"choices": [], "usage": counts(output, **details)})


def timings(predicted_n: int, **more: float) -> Mapping[str, object]:
    """Return llama-server's field `timings`."""
    return {"cache_n": 3, "prompt_n": 97, "prompt_ms": 200.5, "predicted_n": predicted_n, **more}


ROLE = delta({"role": "assistant", "content": None})
STOP = chat(reason="stop")
LENGTH = chat(reason="length")
DONE = b"data: [DONE]\n\n"


# --- what is true of three pieces at 10, 20 and 50 ms --------------------------------------------------


def three(
    name: str,
    *reads: tuple[int, bytes],
    broken: Broken | None = None,
    content_type: str = "text/event-stream; charset=utf-8",
    **facts: Any,  # noqa: ANN401 - the fields of Facts
) -> Stream:
    """Return a stream of "a", "b" and "c" at 10, 20 and 50 ms, of one token each, whatever is around them."""
    usual: Known = {
        "deltas": ((10, None, "a"), *BC),
        "output_tokens": 3,
        "prompt_tokens": 100,
        "usage_ms": 60,
        "ended_ms": 70,
        "ttft": 10,
        "tpot": 20,
        "e2e": 50,
        "stall": 30,
    }
    told = Facts(**{**usual, **facts})
    return Stream(name=name, reads=reads, facts=told, broken=broken, content_type=content_type)


END = STOP + usage(3) + DONE


def with_line_ends(end: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return the three pieces and their end with other line ends."""
    return tuple((at, data.replace(b"\n", end)) for at, data in ((10, A), *REST))


def by_byte(last: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield reads of one byte each, a millisecond apart, the last at `last`."""
    for place, byte in enumerate(data, 1):
        yield last - len(data) + place, bytes([byte])


A, B, C = chat("a"), chat("b"), chat("c")
REST = ((20, B), (50, C), (60, END))
BC: tuple[Row, ...] = ((20, None, "b"), (50, None, "c"), (60, 0, ""))


def no_times(reason: str) -> Known:
    """Return that there is no time, and why."""
    return dict.fromkeys(("ttft", "tpot", "e2e", "stall"), reason)


UNCOUNTED: Known = {"output_tokens": None, "prompt_tokens": None, "usage_ms": None}
BROKEN: Known = {**UNCOUNTED, **no_times("failed"), "finish_reason": "error", "ended_ms": 50}
AB: Known = {**BROKEN, "deltas": ((10, None, "a"), (20, None, "b"))}
LATER: Known = {**no_times("timeout"), "finish_reason": "timeout", "error": "timeout"}
"""What ended at a limit; a first token before it has a time."""
WAITED: Known = {"usage_ms": 70, "streamed": False, **no_times("not_streamed"), "e2e": 70}
JSON = "application/json"
RESET = Broken(kind="reset", what="the connection was reset")
CUT = Broken(kind="cut", what="the connection was closed within it")
IDLE = Broken(kind="timeout", what="nothing came for 60 s; idle_timeout_s allows more")
LATE = Broken(kind="timeout", what="no token came within 300 s; first_token_timeout_s allows more")
HUGE = Broken(
    kind="too_large", what="more than 9 bytes came, and it was ended; max_response_bytes allows more"
)
