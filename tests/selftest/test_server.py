"""The server says what it was asked to say, when it was due, and tells the truth about it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any

import pytest

from gemma_eval.errors import BackendError
from gemma_eval.selftest.process import RunningServer, running
from gemma_eval.selftest.script import Script

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server for all tests here."""
    with running() as started:
        yield started


def ask(server: RunningServer, path: str, body: str, *, method: str = "POST") -> tuple[int, bytes]:
    """Return the status of a reply and its body."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()


def stream(
    server: RunningServer, script: Script, *, path: str = CHAT, text: str = "hello", usage: bool = True
) -> list[Mapping[str, Any]]:
    """Return the events of a stream, without the last, which says that it is done."""
    said = {"messages": [{"role": "user", "content": text}]} if path == CHAT else {"prompt": text}
    wanted = {"stream_options": {"include_usage": True}} if usage else {}
    status, body = ask(server, path, json.dumps({"model": script.name, "stream": True, **said, **wanted}))
    assert status == 200
    *events, done = body.decode().removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def stamps(events: list[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the stamps in the pieces themselves."""
    return tuple(event["sent_ns"] for event in events if "sent_ns" in event)


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
def test_a_stream_says_what_its_script_says(server: RunningServer, path: str) -> None:
    """Text and counts, by either way of asking."""
    script = Script(
        pieces=3, first_ms=0, gaps_ms=(0,), tokens=(1, 2), texts=("Os", "lo ", "🙂"), prompt_tokens=11
    )
    events = stream(server, script, path=path)
    choices = [choice for event in events for choice in event["choices"]]
    said = [choice["delta"].get("content") if path == CHAT else choice["text"] for choice in choices]
    assert "".join(filter(None, said)) == "Oslo 🙂"
    assert choices[-1]["finish_reason"] == "stop"
    assert events[-1]["usage"] == {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}


def test_the_truth_is_what_the_pieces_carry(server: RunningServer) -> None:
    """The stamps that are told afterwards are those in the stream, and the request is known by its text."""
    server.truth()
    before_ns = time.perf_counter_ns()
    events = stream(server, Script(pieces=5, gaps_ms=(1,), tokens=(2,)), text="which am I?")
    after_ns = time.perf_counter_ns()
    [served] = server.truth().served
    assert served.request == "which am I?"
    assert served.sent_ns == stamps(events)
    assert served.tokens == (2,) * 5
    assert before_ns < served.received_ns < served.sent_ns[0] < served.sent_ns[-1] < after_ns
    assert server.truth().served == ()


def test_no_piece_is_sent_before_it_is_due(server: RunningServer) -> None:
    """Each is due by itself: one that is late does not make the next one late."""
    script = Script(pieces=6, first_ms=20, gaps_ms=(5, 10))
    server.truth()
    stream(server, script)
    [served] = server.truth().served
    late_ms = [
        (sent_ns - served.received_ns) / 1e6 - due_ms
        for sent_ns, due_ms in zip(served.sent_ns, script.due_ms, strict=True)
    ]
    assert min(late_ms) >= 0
    assert all(later > earlier for earlier, later in pairwise(served.sent_ns))


@pytest.mark.parametrize(
    ("role", "path", "first"), [(True, CHAT, False), (False, CHAT, True), (True, COMPLETIONS, True)]
)
def test_a_role_comes_first_and_carries_nothing(
    server: RunningServer, role: bool, path: str, first: bool
) -> None:
    """Only where a conversation is asked for, and only if the script has it."""
    events = stream(server, Script(pieces=2, role=role), path=path)
    assert ("sent_ns" in events[0]) is first
    assert len(stamps(events)) == 2


def test_counts_come_when_the_script_and_the_client_want_them(server: RunningServer) -> None:
    """At the end, with every piece too, or never; and never to a client that does not ask."""

    def counts(script: Script, *, usage: bool = True) -> list[int]:
        events = stream(server, script, usage=usage)
        return [event["usage"]["completion_tokens"] for event in events if "usage" in event]

    assert counts(Script(pieces=3, tokens=(2,))) == [6]
    assert counts(Script(pieces=3, tokens=(2,), usage="each")) == [2, 4, 6, 6]
    assert counts(Script(pieces=3, usage="never")) == []
    assert counts(Script(pieces=3), usage=False) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", "", 404),
        ("POST", "/v1/models", "{}", 404),
        ("POST", CHAT, "no JSON", 400),
        ("POST", CHAT, '{"stream": true}', 400),
        ("POST", CHAT, '{"model": "gemma", "stream": true, "messages": [{"content": "x"}]}', 400),
        ("POST", COMPLETIONS, '{"model": "{}", "prompt": "x"}', 400),
    ],
)
def test_what_cannot_be_answered_is_refused(
    server: RunningServer, method: str, path: str, body: str, status: int
) -> None:
    """With the status and the error of a server of this kind."""
    got, reply = ask(server, path, body, method=method)
    assert got == status
    assert json.loads(reply)["error"]["message"]


def test_a_connection_serves_one_request_after_the_other(server: RunningServer) -> None:
    """It is kept, as clients expect."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        for _ in range(2):
            connection.request("GET", "/v1/models")
            [model] = json.loads(connection.getresponse().read())["data"]
            assert Script.named(model["id"]) == Script()


def test_the_server_ends_with_the_block() -> None:
    """No process is left."""
    with running() as started:
        pid = started.process_id
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_interrupt_from_the_keyboard_is_not_for_the_server(server: RunningServer) -> None:
    """It goes to the group of processes in front, and would be a traceback on the screen."""
    assert os.getpgid(server.process_id) != os.getpgid(0)


def test_the_server_ends_with_a_parent_that_is_killed() -> None:
    """Its standard input ends, and so does the server."""
    program = (
        "import os, signal\n"
        "from gemma_eval.selftest.process import running\n"
        "with running() as server:\n"
        "    print(server.port, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    port = int(done.stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
                connection.request("GET", "/v1/models")
                connection.getresponse().read()
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("the server outlived its parent by 20 s")


def test_a_server_that_does_not_start_is_one_clear_error() -> None:
    """It says what came in the place of a port."""
    with (
        pytest.raises(BackendError, match="the test server did not start: it printed ''"),
        running(program=("-c", "")),
    ):
        pytest.fail("it did not start")


def test_a_server_that_never_says_its_port_is_not_waited_for() -> None:
    """Half a line is no port either."""
    silent = ("-c", "import time; print(1, end='', flush=True); time.sleep(600)")
    with (
        pytest.raises(BackendError, match="the test server did not start: it printed"),
        running(program=silent, start_within_s=0.3),
    ):
        pytest.fail("it did not start")


def test_a_server_that_does_not_tell_what_it_served_is_one_clear_error() -> None:
    """One that is gone, and one that keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = RunningServer(port=listener.getsockname()[1], process_id=0, patience_s=0.1)
        with pytest.raises(BackendError, match="did not tell what it had served: timed out"):
            silent.truth()
    with pytest.raises(BackendError, match="did not tell what it had served"):
        silent.truth()


def test_a_server_that_does_not_end_is_killed() -> None:
    """Whatever it waits for."""
    sleeping = ("-c", "import time; print(1, flush=True); time.sleep(600)")
    with running(program=sleeping, end_within_s=0.1) as started:
        pid = started.process_id
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
