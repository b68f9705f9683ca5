"""A server on a loopback port that does what a script says, byte for byte: `with serve(answer) as server: …`.

An answer is a row of steps: bytes are sent, a number of seconds is waited, and `RESET`, `CLOSE` and `HANG`
end the connection, end it in order, or leave it open without a word.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Step = bytes | float | Literal["reset", "close", "hang"]
RESET: Step = "reset"
CLOSE: Step = "close"
HANG: Step = "hang"

MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "somebody"}]}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    received_ns: int
    """When its last byte had come."""

    @property
    def fields(self) -> Mapping[str, object]:
        """The fields of the body."""
        found: Mapping[str, object] = json.loads(self.body)
        return found


def reply(body: bytes | Mapping[str, object] = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    """Return a reply of known length; `content_type="…"` is a header, and JSON the usual type."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"content_type": "application/json", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    head = "\r\n".join((f"HTTP/1.1 {status}", *lines, f"content-length: {len(data)}"))
    return f"{head}\r\n\r\n".encode() + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return a piece of a body whose length is not known."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(*steps: Step) -> tuple[Step, ...]:
    """Return a stream of events; bytes among the steps are its pieces."""
    return (STREAM_HEAD, *(chunk(step) if isinstance(step, bytes) else step for step in steps))


@dataclass(kw_only=True)
class HostileServer:
    """What was asked, and where."""

    port: int
    answers: Sequence[Sequence[Step]]
    paths: Mapping[str, bytes]
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the interface."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def posted(self) -> list[Asked]:
        """The requests for answers."""
        return [asked for asked in self.asked if asked.path.endswith("completions")]

    def answer(self, asked: Asked) -> Sequence[Step]:
        """Return what a request gets: a fixed reply of its path, or the next answer; the last goes on."""
        self.asked.append(asked)
        if asked.path.endswith("completions"):
            return self.answers[min(len(self.posted), len(self.answers)) - 1]
        return (
            self.paths.get(asked.path, reply({"error": {"message": "no such path"}}, status="404 Not Found")),
        )


@contextmanager
def serve(
    *answers: Sequence[Step],
    models: Mapping[str, object] | None = None,
    paths: Mapping[str, bytes] | None = None,
) -> Iterator[HostileServer]:
    """Serve on a free port, each request for an answer by the next of `answers`, until the block ends."""
    known = {"/v1/models": reply(MODELS if models is None else models), **(paths or {})}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileServer(port=listener.getsockname()[1], answers=answers, paths=known)
        thread = threading.Thread(target=_accept, args=(listener, server), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in server.open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _accept(listener: socket.socket, server: HostileServer) -> None:
    threads = []
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            server.open.append(connection)
            threads.append(threading.Thread(target=_converse, args=(connection, server), daemon=True))
            threads[-1].start()
    for thread in threads:
        thread.join(10)


def _converse(connection: socket.socket, server: HostileServer) -> None:
    with connection, suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (asked := _read(connection)) is not None:
            for step in server.answer(asked):
                if not _do(step, connection, server):
                    return


def _do(step: Step, connection: socket.socket, server: HostileServer) -> bool:
    """Do one step; return whether the connection goes on."""
    if isinstance(step, bytes):
        connection.sendall(step)
    elif isinstance(step, str):
        if step == HANG:
            server.stopping.wait(30)
        elif step == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    else:
        server.stopping.wait(step)
    return True


def _read(connection: socket.socket) -> Asked | None:
    """Return the next request, whole, so that closing sends no reset."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(1 << 16)
    received_ns = time.perf_counter_ns()
    method, path, _ = line.split(" ")
    return Asked(method=method, path=path, headers=headers, body=body, received_ns=received_ns)
