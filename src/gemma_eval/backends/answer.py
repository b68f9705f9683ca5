"""An answer in the making: tokens become deltas, and the first stop string ends it."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.protocols import Tell
from gemma_eval.records import Delta


class StopStrings:
    """Cuts a growing text before the stop string that is complete first.

    The result does not depend on how the text is divided into pieces: what may still become a stop string
    is held back until it is one or cannot be one.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.met = False

    def push(self, text: str) -> str:
        """Take more text; return what is certain to belong to the answer."""
        if self.met:
            return ""
        self._held += text
        found = [(self._held.find(stop), stop) for stop in self._stops]
        ends = [(start + len(stop), start) for start, stop in found if start >= 0]
        if ends:
            self.met = True
            return self._release(min(ends)[1])
        return self._release(len(self._held) - self._longest_beginning())

    def finish(self) -> str:
        """Return what was held back, now that no more text comes; nothing after a stop string."""
        return "" if self.met else self._release(len(self._held))

    def _release(self, size: int) -> str:
        released, self._held = self._held[:size], self._held[size:]
        return released

    def _longest_beginning(self) -> int:
        """Return how many characters at the end of the held text begin a stop string."""
        longest = max(map(len, self._stops), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stops):
                return size
        return 0


class Answer:
    """The deltas of one answer.

    A delta is made when there is text for it and carries every token since the delta before, so tokens that
    are an incomplete character or the possible beginning of a stop string arrive with the next text. Tokens
    that end an answer are no output: an end-of-turn token is never added, and those that only spell a stop
    string are left out. The output tokens are those of the deltas.
    """

    def __init__(self, stops: Sequence[str], *, tell: Tell | None = None) -> None:
        """`stops` are the strings that end the answer and are no part of it; `tell` is told each delta."""
        self._stops = StopStrings(stops)
        self._tell = tell
        self._deltas: list[Delta] = []
        self._waiting = 0
        self._last_ns = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stops.met

    @property
    def deltas(self) -> tuple[Delta, ...]:
        """The deltas so far."""
        return tuple(self._deltas)

    @property
    def text(self) -> str:
        """The joined texts of the deltas."""
        return "".join(delta.text for delta in self._deltas)

    @property
    def n_tokens(self) -> int:
        """The tokens that the deltas carry."""
        return sum(delta.n_tokens or 0 for delta in self._deltas)

    def add(self, text: str, *, at_ns: int) -> None:
        """Take the text of one more token, which was there at `at_ns`."""
        self._waiting += 1
        self._last_ns = at_ns
        released = self._stops.push(text)
        if released:
            self._emit(released)

    def finish(self, text: str = "") -> None:
        """Take the `text` that no token completed and close the answer."""
        released = self._stops.push(text) + self._stops.finish()
        if released or (self._waiting and not self.stopped):
            self._emit(released)

    def _emit(self, text: str) -> None:
        self._deltas.append(Delta(text=text, n_tokens=self._waiting, at_ns=self._last_ns))
        self._waiting = 0
        if self._tell is not None:
            self._tell(text)
