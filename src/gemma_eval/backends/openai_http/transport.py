"""Requests over HTTP whose reads are stamped: one blocking read and one reading of the clock at a time.

Nothing is parsed while a reply comes, beyond what frames it. Deadlines hold for every wait, even for headers
that come byte by byte, and are of the clock that stamps. Redirects are not followed, proxies of the
environment are not used, and no reply is asked for in compressed form.

Each request has a connection of its own, which is there before it is stamped. One that was kept may be closed
by the server just when it is used again, as llama-server closes each after a stream: the request would fail,
or have to be sent a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection as PlainConnection
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from ssl import SSLError

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from gemma_eval.backends.openai_http.address import Address
from gemma_eval.backends.openai_http.faults import no_http, unreachable, unsafe
from gemma_eval.backends.openai_http.hearing import Hear
from gemma_eval.backends.openai_http.reply import Broken, Read, Reply
from gemma_eval.backends.openai_http.wire import StampedResponse, Wire
from gemma_eval.errors import BackendError
from gemma_eval.protocols import Clock

_READ_BYTES = 1 << 16
_COMMENT = ord(":")
_LAST_BYTES = (b"[DONE]\n\n", b"[DONE]\r\n\r\n", b"[DONE]\r\r", b"[DONE]\n", b"[DONE]")
_AFTER_THE_LAST_S = 1.0
"""How long a server may take to close a reply whose last event has come."""
_LAST_WRITE_BYTES = 1 << 14
"""What any socket takes without waiting for the server to read."""
_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long a reply may take and how long it may be; the names are those of the options that set them.

    A sign of life is no token: it does not put off `idle_timeout_s`.
    """

    connect_timeout_s: float = 5.0
    first_token_timeout_s: float = 300.0
    idle_timeout_s: float = 60.0
    timeout_s: float = 600.0
    max_response_bytes: int = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; `has_begun` says of the bytes that have come whether a token is among them.

    `hear` is given what each read gave, after its stamp was taken.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    has_begun: Callable[[bytes], bool] = bool
    hear: Hear | None = None


class Transport:
    """The way to one server; any number of threads may send at once. `clock` stamps what comes."""

    def __init__(self, address: Address, *, clock: Clock) -> None:
        self._address = address
        self.clock = clock
        self._closed = False

    def send(self, request: Request, *, limits: Limits) -> Reply:
        """Return what came of `request`, and what broke it off. Raises BackendError when closed."""
        if self._closed:
            raise BackendError(f"the connection to {self._address.origin} has been closed")
        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        connection = kind(self._address.host, self._address.port, timeout=limits.connect_timeout_s)
        exchange = _Exchange(connection, request, limits=limits, clock=self.clock)
        try:
            return exchange.run()
        finally:  # also when the waiting is interrupted: the server should see that nobody waits
            exchange.close()

    def close(self) -> None:
        """Send nothing more; a second call does nothing."""
        self._closed = True


class _Exchange:
    """One request and its reply on one connection."""

    def __init__(self, connection: HTTPConnection, request: Request, *, limits: Limits, clock: Clock) -> None:
        self._connection = connection
        self._request = request
        self._limits = limits
        self._clock = clock
        self._reads: list[Read] = []
        self._connected_ns: int | None = None
        self._requested_ns: int | None = None
        self._headers_ns: int | None = None
        self._response: HTTPResponse | None = None
        self._began_ns = clock()
        self._end_ns = self._began_ns + _nanoseconds(limits.timeout_s)
        self._wire = Wire(clock, due_ns=self._end_ns)
        self._has_begun = self._is_over = False

    def run(self) -> Reply:
        broken = self._broken()
        ended_ns = self._clock() if broken else self._wire.at_ns
        response = self._response
        return Reply(
            status=response.status if response else None,
            headers={name.lower(): value for name, value in response.getheaders()} if response else {},
            reads=tuple(self._reads),
            connected_ns=self._connected_ns,
            requested_ns=self._began_ns if self._requested_ns is None else self._requested_ns,
            headers_ns=self._headers_ns,
            ended_ns=ended_ns,
            broken=broken,
        )

    def close(self) -> None:
        """Close the reply, which holds the socket, and the connection."""
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def _broken(self) -> Broken | None:
        """Run the exchange; return what it broke off with, which nothing does after the last event."""
        try:
            self._connect()
            self._send()
            self._response = self._begin()
            broken = self._receive(self._response)
        except TimeoutError:
            broken = self._timed_out()
        except IncompleteRead:
            broken = _CUT
        except (HTTPError, OSError) as error:
            broken = self._lost(error)
        except HTTPException as error:
            broken = Broken(kind="protocol", what=no_http(error))
        return None if self._is_over else broken

    def _connect(self) -> None:
        self._connection.connect()
        self._connected_ns = self._clock()

    def _send(self) -> None:
        """Send the request, and stamp it right before the call that writes its last bytes.

        That call wakes the server, which may run at once in the place of this thread: a stamp after it would
        be late by what the server has done by then.
        """
        connection, body = self._connection, self._request.body or b""
        connection.sock.settimeout(self._limits.timeout_s)
        at_once = body[-_LAST_WRITE_BYTES:]
        with suppress(BrokenPipeError):  # a server that does not read all of it may say why
            connection.putrequest(self._request.method, self._request.path)
            for name, value in self._request.headers.items():
                connection.putheader(name, value)
            connection.putheader("Connection", "close")
            if body:
                connection.putheader("Content-Length", str(len(body)))
            self._stamp_request()
            connection.endheaders()
            if len(body) > len(at_once):
                connection.send(body[: -len(at_once)])
            if body:
                self._stamp_request()
                connection.send(at_once)

    def _stamp_request(self) -> None:
        self._requested_ns = self._clock()
        first_ns = self._requested_ns + _nanoseconds(self._limits.first_token_timeout_s)
        self._wire.due_ns = min(first_ns, self._end_ns)

    def _begin(self) -> HTTPResponse:
        """Read the headers. The standard library's own reply is leaner than urllib3's, which decodes."""
        self._wire.at_ns = self._clock()
        self._connection.response_class = partial(StampedResponse, self._wire)  # type: ignore[assignment]
        response = PlainConnection.getresponse(self._connection)
        self._headers_ns = self._wire.at_ns
        return response

    def _receive(self, response: HTTPResponse) -> Broken | None:
        """Read the body to its end.

        The standard library does not note how much of a known length was read in pieces.
        """
        read, add, wire, length = response.read1, self._reads.append, self._wire, response.length
        hear = self._request.hear
        idle_ns, most = _nanoseconds(self._limits.idle_timeout_s), self._limits.max_response_bytes
        size = 0
        while size != length and (data := read(_READ_BYTES)):
            at_ns = wire.at_ns
            add((at_ns, data))
            if hear is not None:
                hear(data)
            size += len(data)
            if size > most:
                what = f"more than {most:,} bytes came, and it was ended; max_response_bytes allows more"
                return Broken(kind="too_large", what=what)
            if data.endswith(_LAST_BYTES):
                self._is_over = True
                wire.due_ns = at_ns + _nanoseconds(_AFTER_THE_LAST_S)
            elif data[0] != _COMMENT and (self._has_begun or self._begins(size)):
                wire.due_ns = min(at_ns + idle_ns, self._end_ns)
        return None if length is None or size == length else _CUT

    def _begins(self, size: int) -> bool:
        """Whether a token has come; what is that long and has none is not looked at again."""
        so_far = b"".join(data for _, data in self._reads)
        self._has_begun = size > _READ_BYTES or self._request.has_begun(so_far)
        return self._has_begun

    def _timed_out(self) -> Broken:
        limits = self._limits
        if self._connected_ns is None:
            return Broken(kind="unreachable", what=unreachable(TimeoutError(), limits.connect_timeout_s))
        if self._clock() >= self._end_ns:
            what = f"it took longer than {limits.timeout_s:g} s; timeout_s allows more"
        elif self._has_begun:
            what = f"nothing came for {limits.idle_timeout_s:g} s; idle_timeout_s allows more"
        else:
            limit_s = limits.first_token_timeout_s
            what = f"no token came within {limit_s:g} s; first_token_timeout_s allows more"
        return Broken(kind="timeout", what=what)

    def _lost(self, error: Exception) -> Broken:
        if self._connected_ns is None and isinstance(error, SSLError):
            return Broken(kind="tls", what=unsafe(error))
        if self._connected_ns is None:
            return Broken(kind="unreachable", what=unreachable(error, self._limits.connect_timeout_s))
        if isinstance(error, RemoteDisconnected):
            return Broken(kind="reset", what="the connection was closed without a reply")
        return Broken(kind="reset", what="the connection was reset")


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NS)


_CUT = Broken(kind="cut", what="the connection was closed within it")
