"""What a server is asked beside answers: it tells, it has no such path, or what went wrong is said."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gemma_eval.backends.openai_http import address as http_address
from gemma_eval.backends.openai_http.line import ASIDE, Line
from gemma_eval.backends.openai_http.transport import Transport
from gemma_eval.errors import BackendError, GenerationTimeout, ServerError
from tests.backends.openai_http.hostile_server import CLOSE, HANG, RESET, Step, reply, serve

HALF = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"tokens": [1'


def told(*answer: Step) -> object:
    """Return what a question gets as an answer, within a fifth of a second."""
    with serve(answer) as server:
        address = http_address.parse(server.url, model="test")
        line = Line(
            address=address,
            transport=Transport(address, clock=time.perf_counter_ns),
            key=None,
            api_key_env=None,
            limits=replace(ASIDE, timeout_s=0.2),
        )
        return line.ask("/v1/completions", {})


def test_a_server_tells_or_has_no_such_path() -> None:
    """What is no object is nothing told."""
    assert told(reply({"tokens": [1]})) == {"tokens": [1]}
    assert told(reply(b"", status="404 Not Found")) is None
    assert told(reply(b"[1]")) is None


@pytest.mark.parametrize("answer", [(HANG,), (HALF, HANG)], ids=["nothing", "half of it"])
def test_an_answer_that_does_not_come_is_told_with_what_may_help(answer: tuple[Step, ...]) -> None:
    """No option allows more time, so none is named."""
    with pytest.raises(
        GenerationTimeout, match=r"no whole answer within 0\.2 s; is the server still"
    ) as caught:
        told(*answer)
    assert "_timeout_s" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((HALF, CLOSE), "/completions: the connection was closed within it"),
        ((HALF, 0.05, RESET), "/completions: the connection was reset"),
        ((CLOSE,), "/completions: the connection was closed without a reply"),
    ],
)
def test_half_an_answer_is_not_taken_for_a_path_that_is_not_there(
    answer: tuple[Step, ...], says: str
) -> None:
    """A server that knows it is not to be taken for one of another kind."""
    with pytest.raises(ServerError, match=says):
        told(*answer)


def test_a_server_that_is_not_there_is_an_error() -> None:
    """Whatever was to be asked."""
    with serve() as server:
        address = http_address.parse(server.url, model="test")
    line = Line(
        address=address,
        transport=Transport(address, clock=time.perf_counter_ns),
        key=None,
        api_key_env=None,
    )
    with pytest.raises(BackendError, match="no connection: Connection refused"):
        line.ask("/v1/models", None)
