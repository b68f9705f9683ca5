"""The receiving end of a connection: each read of the socket is stamped, none waits beyond a deadline."""

from __future__ import annotations

import io
import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING

from gemma_eval.protocols import Clock

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Wire:
    """What a socket's reads share with who waits for them: the stamp of the last, and the next deadline."""

    def __init__(self, clock: Clock, *, due_ns: int) -> None:
        self.clock = clock
        self.due_ns = due_ns
        self.at_ns = 0


class _StampedReads(io.RawIOBase):
    """The receiving end of a socket: stamps each read, and waits for none beyond the deadline."""

    def __init__(self, wire: Wire, sock: socket.socket, raw: io.RawIOBase) -> None:
        super().__init__()
        self._wire = wire
        self._settimeout = sock.settimeout
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        wire = self._wire
        left_ns = wire.due_ns - wire.at_ns
        if left_ns <= 0:
            raise TimeoutError
        self._settimeout(left_ns / 1e9)
        count = self._raw.readinto(buffer)
        wire.at_ns = wire.clock()
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class StampedResponse(HTTPResponse):
    """A reply that is read through stamped reads."""

    def __init__(self, wire: Wire, sock: socket.socket, **settings: object) -> None:
        super().__init__(sock, **settings)  # type: ignore[arg-type]
        self.fp = io.BufferedReader(_StampedReads(wire, sock, self.fp.detach()))
