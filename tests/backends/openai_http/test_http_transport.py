"""Reads are stamped as they come, nothing waits longer than it may, and what breaks a reply off is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from gemma_eval.backends.openai_http import address as http_address
from gemma_eval.backends.openai_http.reply import Reply
from gemma_eval.backends.openai_http.transport import Limits, Request, Transport
from gemma_eval.errors import BackendError
from tests.backends.openai_http.hostile_server import (
    CLOSE,
    HANG,
    RESET,
    STREAM_END,
    STREAM_HEAD,
    HostileServer,
    Step,
    chunk,
    reply,
    serve,
    stream,
)

TOKEN = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
LIMITS = Limits(connect_timeout_s=5, first_token_timeout_s=5, idle_timeout_s=5, timeout_s=20)
POST = Request(
    method="POST", path="/v1/completions", body=b'{"stream": true}', has_begun=lambda body: b'"a"' in body
)


@contextmanager
def line(*answers: Sequence[Step]) -> Iterator[tuple[Transport, HostileServer]]:
    """Serve `answers`, with a transport to there."""
    with serve(*answers) as server:
        transport = Transport(http_address.parse(server.url, model="test"), clock=time.perf_counter_ns)
        try:
            yield transport, server
        finally:
            transport.close()


def sent(*answer: Step, limits: Limits = LIMITS) -> Reply:
    """Return what comes of one request."""
    with line(answer) as (transport, _):
        return transport.send(POST, limits=limits)


def what(found: Reply) -> str:
    """Return what broke a reply off."""
    return f"{found.broken.kind}: {found.broken.what}" if found.broken else ""


def test_a_stream_is_read_piece_by_piece_with_stamps_in_order() -> None:
    """Connection, request, headers, each read and the end are of one clock; a gap shows in the stamps."""
    found = sent(*stream(TOKEN, 0.05, TOKEN, 0.05, DONE), STREAM_END)
    assert (found.status, found.body, what(found)) == (200, TOKEN + TOKEN + DONE, "")
    assert found.content_type == "text/event-stream"
    stamps = [found.connected_ns, found.requested_ns, found.headers_ns]
    stamps += [at_ns for at_ns, _ in found.reads] + [found.ended_ns]
    known = [stamp for stamp in stamps if stamp is not None]
    assert known == sorted(known)
    assert len(known) == len(stamps)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(found.reads)]
    assert all(gap > 40_000_000 for gap in gaps)


def test_the_request_is_sent_as_it_was_given() -> None:
    """Nothing compressed is asked for, and no proxy is in the way."""
    with line((reply(b"{}"),)) as (transport, server):
        transport.send(replace(POST, headers={"x-test": "1"}), limits=LIMITS)
        [asked] = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/completions", b'{"stream": true}')
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["x-test"] == "1"


def test_a_request_is_stamped_before_the_server_can_have_it() -> None:
    """And after the connection was there: a stamp after the write may be late by the server's work."""
    with line((reply(b"{}"),)) as (transport, server):
        sent = [transport.send(POST, limits=LIMITS) for _ in range(50)]
        received = [asked.received_ns for asked in server.asked]

    def are_before(stamps: Sequence[int | None]) -> bool:
        return all((stamp or 0) <= at_ns for stamp, at_ns in zip(stamps, received, strict=True))

    assert are_before([one.requested_ns for one in sent])
    assert not are_before([one.headers_ns for one in sent])
    assert all((one.connected_ns or 0) <= one.requested_ns for one in sent)


def test_a_long_request_is_stamped_when_its_last_bytes_are_written() -> None:
    """The time in which a server reads slowly is none of its answer's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = http_address.parse(f"http://127.0.0.1:{listener.getsockname()[1]}", model="test")
        threading.Thread(target=read_slowly, args=(listener,), daemon=True).start()
        transport = Transport(address, clock=time.perf_counter_ns)
        found = transport.send(replace(POST, body=b" " * (32 << 20)), limits=LIMITS)
        transport.close()
    assert found.status == 200
    assert found.connected_ns is not None
    assert found.requested_ns - found.connected_ns > 250_000_000


def read_slowly(listener: socket.socket) -> None:
    """Wait before reading a request of 32 MiB, and answer."""
    connection, _ = listener.accept()
    with connection:
        time.sleep(0.3)
        size = 0
        while size < 32 << 20:
            size += len(connection.recv(1 << 20))
        connection.sendall(reply(b"{}", connection="close"))


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt goes nowhere but to the server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent(reply(b"{}")).status == 200


def test_each_request_has_a_connection_of_its_own() -> None:
    """And says so, so that the server need not keep it."""
    with line((reply(b"{}"),), (*stream(TOKEN, DONE), STREAM_END), (reply(b"{}"),)) as (transport, server):
        for _ in range(3):
            assert transport.send(POST, limits=LIMITS).status == 200
        assert server.connections == 3
        assert [asked.headers["connection"] for asked in server.asked] == ["close"] * 3


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_server_that_closes_after_each_reply_gets_no_request_twice(end: Step) -> None:
    """Without saying so, as llama-server does; one sent twice would be measured from the wrong sending."""
    with line((reply(b"{}"), end)) as (transport, server):
        for _ in range(10):
            assert transport.send(POST, limits=LIMITS).status == 200
        assert len(server.asked) == 10


def test_a_request_that_is_not_answered_is_not_sent_again_unseen() -> None:
    """Whether there is another attempt is not decided here."""
    with line((reply(b"1"),), (CLOSE,), (reply(b"2"),)) as (transport, server):
        found = [what(transport.send(POST, limits=LIMITS)) for _ in range(2)]
        assert found == ["", "reset: the connection was closed without a reply"]
        assert len(server.asked) == 2


@pytest.mark.parametrize("answer", [stream(TOKEN, HANG), (HANG,)])
def test_a_server_sees_that_nobody_waits_any_more(answer: tuple[Step, ...]) -> None:
    """Both for headers and for tokens; it would go on writing."""
    short = replace(LIMITS, first_token_timeout_s=0.2, idle_timeout_s=0.2)
    with line(answer) as (transport, server):
        assert what(transport.send(POST, limits=short)).startswith("timeout")
        server.open[0].settimeout(5)
        assert server.open[0].recv(1) == b""


def test_threads_may_send_at_once() -> None:
    """Each has a connection of its own while it waits."""
    with line((0.1, reply(b"{}"))) as (transport, server), ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: transport.send(POST, limits=LIMITS), range(8)))
        assert [one.status for one in found] == [200] * 8
        assert server.connections == 8


def test_a_closed_transport_says_so() -> None:
    """Closing twice is closing once."""
    with line((reply(b"{}"),)) as (transport, _):
        transport.send(POST, limits=LIMITS)
        transport.close()
        transport.close()
        with pytest.raises(BackendError, match="has been closed"):
            transport.send(POST, limits=LIMITS)


# --- how replies break off ---------------------------------------------------------------------------


NO_HTTP = 'protocol: what came is not HTTP, it begins with "SSH-2.0-OpenSSH_9.2"; is the address right?'
LONG = "got more than 65536 bytes when reading header line"
NO_HEADER = f"protocol: what came is not HTTP ({LONG}); is the address right?"


@pytest.mark.parametrize(
    ("answer", "broken"),
    [
        ((RESET,), "reset: the connection was reset"),
        ((CLOSE,), "reset: the connection was closed without a reply"),
        ((b"HTTP/1.1 200 OK\r\ncontent-le", CLOSE), ""),
        (
            (b"SSH-2.0-OpenSSH_9.2\r\n", CLOSE),
            NO_HTTP,
        ),
        (
            (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, CLOSE),
            NO_HEADER,
        ),
        ((*stream(TOKEN), 0.05, RESET), "reset: the connection was reset"),
        ((*stream(TOKEN), CLOSE), "cut: the connection was closed within it"),
        ((STREAM_HEAD, b"40\r\nabc", CLOSE), "cut: the connection was closed within it"),
        ((STREAM_HEAD, b"zz\r\n", CLOSE), "cut: the connection was closed within it"),
        (
            (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nabc", CLOSE),
            "cut: the connection was closed within it",
        ),
        ((*stream(TOKEN, DONE), 0.05, RESET), ""),
        ((*stream(TOKEN, DONE), CLOSE), ""),
        ((b"HTTP/1.1 200 OK\r\n\r\n" + TOKEN, CLOSE), ""),
    ],
)
def test_what_breaks_a_reply_off_is_told(answer: tuple[Step, ...], broken: str) -> None:
    """After the last event of a stream nothing can break it off."""
    found = sent(*answer)
    assert what(found) == broken
    assert found.requested_ns <= found.ended_ns


def test_what_had_come_before_it_broke_off_is_kept() -> None:
    """With its stamps."""
    found = sent(*stream(TOKEN, 0.02, TOKEN), 0.05, RESET)
    assert (found.body, len(found.reads)) == (TOKEN + TOKEN, 2)


def test_a_server_that_is_not_there_is_told_of() -> None:
    """There is no reply and no connection, and the reason is the system's."""
    with serve() as server:
        address = http_address.parse(server.url, model="test")
    found = Transport(address, clock=time.perf_counter_ns).send(POST, limits=LIMITS)
    assert (found.status, found.connected_ns) == (None, None)
    assert what(found) == "unreachable: no connection: Connection refused"


def test_a_name_that_nobody_knows_is_told_of() -> None:
    """It is no fault of the network's."""
    address = http_address.parse("http://no-such-host.invalid:1/v1", model="test")
    found = Transport(address, clock=time.perf_counter_ns).send(POST, limits=LIMITS)
    assert what(found) == "unreachable: no machine of that name is known"


def test_a_server_without_encryption_is_told_of() -> None:
    """Certificates are checked, and there is no falling back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = http_address.parse(f"https://127.0.0.1:{listener.getsockname()[1]}", model="test")
        threading.Thread(target=answer_in_plain, args=(listener,), daemon=True).start()
        found = Transport(address, clock=time.perf_counter_ns).send(POST, limits=LIMITS)
    said = "tls: it does not speak TLS (wrong version number); if it is a plain server, the location"
    assert what(found) == f"{said} should begin with http://"


def answer_in_plain(listener: socket.socket) -> None:
    """Answer a greeting of TLS as a server does that knows none."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


# --- limits ------------------------------------------------------------------------------------------

PING = b": ping\n\n"
DRIP: tuple[Step, ...] = (
    b"HTTP/1.1 200 OK\r\n",
    *(step for _ in range(400) for step in (b"x: y\r\n"[:3], 0.05)),
)


@pytest.mark.parametrize(
    ("answer", "limits", "broken"),
    [
        ((HANG,), {"first_token_timeout_s": 0.2}, "no token came within 0.2 s; first_token_timeout_s"),
        (stream(b'data: {"role": 1}\n\n', HANG), {"first_token_timeout_s": 0.2}, "first_token_timeout_s"),
        (stream(*((PING, 0.05) * 100)), {"first_token_timeout_s": 0.4}, "first_token_timeout_s"),
        (stream(TOKEN, HANG), {"idle_timeout_s": 0.2}, "nothing came for 0.2 s; idle_timeout_s"),
        (stream(TOKEN, *((PING, 0.05) * 100)), {"idle_timeout_s": 0.4}, "idle_timeout_s allows more"),
        (stream(*((TOKEN, 0.05) * 100)), {"timeout_s": 0.4}, "it took longer than 0.4 s; timeout_s"),
        (DRIP, {"timeout_s": 0.4}, "it took longer than 0.4 s; timeout_s"),
        (DRIP, {"first_token_timeout_s": 0.4}, "no token came within 0.4 s"),
    ],
    ids=[
        "nothing",
        "a role",
        "signs of life",
        "silence",
        "signs of life after it",
        "endless",
        "drip",
        "slow drip",
    ],
)
def test_nothing_waits_longer_than_it_may(
    answer: tuple[Step, ...], limits: dict[str, float], broken: str
) -> None:
    """Each limit is named with the option that raises it; signs of life and single bytes put nothing off."""
    began = time.monotonic()
    found = sent(*answer, limits=replace(LIMITS, **limits))  # type: ignore[arg-type]  # all are seconds
    [limit] = limits.values()
    assert found.broken is not None
    assert found.broken.kind == "timeout"
    assert broken in found.broken.what
    assert limit <= time.monotonic() - began < limit + 4


def test_a_token_resets_the_limit_of_silence() -> None:
    """A stream that goes on may take longer than it."""
    found = sent(*stream(*((TOKEN, 0.1) * 6), DONE), STREAM_END, limits=replace(LIMITS, idle_timeout_s=0.4))
    assert what(found) == ""
    assert len(found.reads) == 7


def test_a_server_that_does_not_close_after_the_end_costs_a_second_at_most() -> None:
    """What it says after that is nothing to wait for."""
    began = time.monotonic()
    found = sent(*stream(TOKEN, DONE, HANG), limits=LIMITS)
    assert (found.body, what(found)) == (TOKEN + DONE, "")
    assert time.monotonic() - began < 4


def test_an_endless_stream_is_ended() -> None:
    """The limit and its option are named, and no more is kept than was allowed."""
    found = sent(*stream(*((TOKEN,) * 100)), HANG, limits=replace(LIMITS, max_response_bytes=1000))
    assert (
        what(found)
        == "too_large: more than 1,000 bytes came, and it was ended; max_response_bytes allows more"
    )
    assert len(found.body) < 2000


def test_a_wait_for_one_answer_holds_up_no_other() -> None:
    """Each thread waits by itself."""
    with line((HANG,), (reply(b"{}"),)) as (transport, _):
        slow = threading.Thread(
            target=transport.send, args=(POST,), kwargs={"limits": replace(LIMITS, first_token_timeout_s=1)}
        )
        slow.start()
        time.sleep(0.2)
        assert transport.send(POST, limits=LIMITS).status == 200
        assert slow.is_alive()
        slow.join()


def test_a_long_reply_without_a_token_is_not_searched_for_one_for_ever() -> None:
    """Looking for the first token costs no more than the reading."""
    looked: list[int] = []

    def has_begun(body: bytes) -> bool:
        looked.append(len(body))
        return False

    part = b"data: " + b"x" * 20_000 + b"\n\n"
    with line((*stream(*((part,) * 30), DONE), STREAM_END)) as (transport, _):
        found = transport.send(replace(POST, has_begun=has_begun), limits=LIMITS)
    assert len(found.body) == 30 * len(part) + len(DONE)
    assert max(looked) <= 65_536


def test_chunks_in_one_read_have_one_stamp() -> None:
    """What came together is not drawn out by taking it apart."""
    found = sent(STREAM_HEAD, 0.05, chunk(TOKEN) + chunk(TOKEN) + chunk(DONE) + STREAM_END)
    assert len(found.reads) == 3
    assert len({at_ns for at_ns, _ in found.reads}) == 1
    assert found.ended_ns == found.reads[-1][0]
