"""A request as the test server reads it from a socket, stamped when its last byte had come."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gemma_eval.measure.clock import clock
from gemma_eval.selftest.frames import Api
from gemma_eval.selftest.script import Script

APIS: Mapping[str, Api] = {"/v1/chat/completions": "chat", "/v1/completions": "completions"}
"""The paths that answers are asked on."""

_MOST_HEADER_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request that has been read whole; `received_ns` is when its last byte had come."""

    method: str
    path: str
    body: bytes
    received_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a request asks: the script of the reply, and the text that a client knows its request by."""

    script: Script
    api: Api
    text: str
    wants_usage: bool


def read(connection: socket.socket) -> Request | None:
    """Return the next request of a connection, `None` when there is none or its head is too long."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(_MOST_HEADER_BYTES)
        if not more or len(data) > _MOST_HEADER_BYTES:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    missing = _length(fields) - len(body)
    while missing > 0:
        more = connection.recv(missing)
        if not more:
            return None
        body += more
        missing -= len(more)
    received_ns = clock()
    method, path, *_ = (*line.split(" "), "", "")
    return Request(method=method, path=path, body=body, received_ns=received_ns)


def question(request: Request) -> Question:
    """Return what a request asks. Raises ValueError, with what is wrong."""
    try:
        asked = json.loads(request.body)
        api = APIS[request.path]
        if asked.get("stream") is not True:
            raise ValueError("stream must be true: only streams are served here")
        return Question(
            script=Script.named(asked["model"]),
            api=api,
            text=str(asked["messages"][-1]["content"] if api == "chat" else asked["prompt"]),
            wants_usage=bool((asked.get("stream_options") or {}).get("include_usage")),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"no such request is answered: {type(error).__name__}: {error}") from error


def _length(fields: list[str]) -> int:
    named = (field.partition(":") for field in fields)
    lengths = [value for name, _, value in named if name.strip().lower() == "content-length"]
    return int(lengths[0]) if lengths and lengths[0].strip().isdigit() else 0
