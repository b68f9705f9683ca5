"""A server that did not answer is left alone for a while: an outage costs one timeout, not one a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

PAUSE_S = 15.0
"""How long: with a timeout of 1 s an outage takes at most a sixteenth of the time."""


class Breaker:
    """Remembers since when a server does not answer; all stores of a process on one server share one."""

    def __init__(self, *, pause_s: float = PAUSE_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed."""
        self.pause_s = pause_s
        self._clock = clock
        self._until_s: float | None = None
        self._why = ""

    @property
    def open_for_s(self) -> float:
        """How many seconds the server is left alone from now on, 0 where it may be asked."""
        return 0.0 if self._until_s is None else max(0.0, self._until_s - self._clock())

    @property
    def why(self) -> str:
        """What was wrong when it was asked last."""
        return self._why

    def failed(self, why: str) -> None:
        """Leave the server alone from now on."""
        self._until_s, self._why = self._clock() + self.pause_s, why

    def answered(self) -> None:
        """Take note that the server is there."""
        self._until_s = None


def breaker_of(address: str) -> Breaker:
    """Return the breaker of a server; it outlives the stores, for a run may open one for each case."""
    with _LOCK:
        return _BREAKERS.setdefault(address, Breaker())


_LOCK = Lock()
_BREAKERS: dict[str, Breaker] = {}
