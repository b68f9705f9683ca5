"""A server of scripted streams that knows when it sent what: `python -m gemma_eval.selftest.server`.

It speaks as much of OpenAI's protocol as a client needs that streams: `/v1/models`, `/v1/chat/completions`
and `/v1/completions`; `GET /served` tells what was sent and when, and forgets it. The model's name of a
request is the script of its reply. Each connection has a thread that blocks on its socket, and a process of
its own keeps the work of this side from the client that is measured. Stamps are of the system's monotonic
clock, which all processes share. It prints its port, and ends when its standard input does: no parent leaves
it behind.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from contextlib import suppress

from gemma_eval.measure.clock import clock
from gemma_eval.selftest.frames import Frames, frames
from gemma_eval.selftest.ledger import Ledger, Served
from gemma_eval.selftest.request import APIS, Question, Request, question, read
from gemma_eval.selftest.script import Script

_BACKLOG = 256
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def main() -> None:
    """Serve on a free loopback port until standard input ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=serve, args=(listener, Ledger()), daemon=True).start()
        sys.stdin.read()


def serve(listener: socket.socket, ledger: Ledger) -> None:
    """Give each connection a thread, until the listener is closed."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_converse, args=(connection, ledger), daemon=True).start()


def _converse(connection: socket.socket, ledger: Ledger) -> None:
    """Answer the requests of one connection; a client that goes away ends it."""
    with connection, suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (request := read(connection)) is not None:
            _answer(connection, request, ledger)


def _answer(connection: socket.socket, request: Request, ledger: Ledger) -> None:
    asked = f"{request.method} {request.path}"
    if asked == "GET /served":
        _reply(connection, "200 OK", ledger.take().written())
    elif asked == "GET /v1/models":
        model = {"id": Script().name, "object": "model"}
        _reply(connection, "200 OK", json.dumps({"object": "list", "data": [model]}))
    elif request.method != "POST" or request.path not in APIS:
        _reply(connection, "404 Not Found", _error(f"{asked} is not served here"))
    else:
        _complete(connection, request, ledger)


def _complete(connection: socket.socket, request: Request, ledger: Ledger) -> None:
    try:
        wanted = question(request)
    except ValueError as error:
        _reply(connection, "400 Bad Request", _error(str(error)))
        return
    made = frames(wanted.script, api=wanted.api, wants_usage=wanted.wants_usage)
    with ledger.in_flight():
        ledger.write(_stream(connection, made, wanted, request.received_ns))
    connection.sendall(made.end)


def _stream(connection: socket.socket, made: Frames, wanted: Question, received_ns: int) -> Served:
    """Send each piece when it is due, with its stamp taken right before."""
    connection.sendall(_HEAD + made.role)
    sent = []
    for frame, due_ms in zip(made.pieces, wanted.script.due_ms, strict=True):
        time.sleep(max(0.0, (received_ns - clock()) / 1e9 + due_ms / 1e3))
        now_ns = clock()
        connection.sendall(frame.stamped(now_ns))
        sent.append(now_ns)
    return Served(
        request=wanted.text,
        received_ns=received_ns,
        sent_ns=tuple(sent),
        tokens=tuple(tokens for _, tokens in wanted.script.contents()),
    )


def _reply(connection: socket.socket, status: str, body: str) -> None:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    )
    connection.sendall((head + body).encode())


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error"}})


if __name__ == "__main__":
    main()
