"""What the test server knows to be true: when each request had come, and when each piece was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A reply, in nanoseconds of the system's monotonic clock.

    `request` is the text that was asked, by which a client knows its own; `received_ns` when the last byte
    of it had been read; `sent_ns` when each piece was handed to the socket, and `tokens` what it carried.
    """

    request: str
    received_ns: int
    sent_ns: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What was served, and the most requests that were in flight at once."""

    served: tuple[Served, ...]
    most_in_flight: int

    @classmethod
    def read(cls, text: str) -> Truth:
        """Return what `written` wrote."""
        plain = json.loads(text)
        served = tuple(
            Served(
                request=str(row["request"]),
                received_ns=int(row["received_ns"]),
                sent_ns=tuple(row["sent_ns"]),
                tokens=tuple(row["tokens"]),
            )
            for row in plain["served"]
        )
        return cls(served=served, most_in_flight=int(plain["most_in_flight"]))

    def written(self) -> str:
        """Return this as JSON."""
        return json.dumps(asdict(self))


class Ledger:
    """The replies of a server, written by all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: list[Served] = []
        self._in_flight = 0
        self._most = 0

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while its pieces are sent.

        The count goes down before the bytes that end the reply are sent, so that a client which sends its
        next request at once is not counted twice.
        """
        with self._lock:
            self._in_flight += 1
            self._most = max(self._most, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def write(self, served: Served) -> None:
        """Take a reply that has been sent."""
        with self._lock:
            self._served.append(served)

    def take(self) -> Truth:
        """Return what was served since this was last asked, and begin again."""
        with self._lock:
            truth = Truth(served=tuple(self._served), most_in_flight=self._most)
            self._served.clear()
            self._most = self._in_flight
        return truth
