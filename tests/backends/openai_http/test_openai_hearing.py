"""What is heard of a stream is its answer, however the stream came in pieces."""

from __future__ import annotations

import json

import pytest

from gemma_eval.backends.openai_http.hearing import hearing


def event(**delta: str) -> bytes:
    """Return an event of a stream."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


STREAM = (
    b": alive\n\n"
    + event(role="assistant")
    + event(reasoning_content="Hm.")
    + event(content="Os")
    + event(content="lo é")
    + b'data: {"choices": [{"index": 0, "text": "!"}]}\r\n\r\n'
    + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_told_as_it_comes(size: int) -> None:
    """Neither reasoning nor signs of life are of it."""
    told: list[str] = []
    hear = hearing(told.append)
    for start in range(0, len(STREAM), size):
        hear(STREAM[start : start + size])
    assert told == ["Os", "lo é", "!"]


def test_what_is_no_event_is_passed_over() -> None:
    """It is said when the reply has ended; what comes after it is heard."""
    told: list[str] = []
    hear = hearing(told.append)
    hear(b"data: {broken\n\ndata: 7\n\n" + event(content="Oslo"))
    assert told == ["Oslo"]
