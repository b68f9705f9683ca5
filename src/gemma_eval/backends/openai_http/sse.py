"""Server-sent events from stamped reads: what a stream says does not depend on how it came in pieces.

A line ends with CRLF, LF or CR. The lines of an event end with an empty one, and its `data` are joined with
LF. Comments, as servers send them to keep a connection alive, are no events. An event is stamped with the
read that its last line ended in.
Source: WHATWG HTML, 9.2.6 "Interpreting an event stream". Three things differ, for servers do: an event that
the stream ends in is delivered, a field `error` is an event of that name, and lines have a limit.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from gemma_eval.backends.openai_http.reply import Read

MOST_BYTES = 1 << 20
"""The longest event, and the longest line."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event: its `data`, bytes that are no UTF-8 replaced, and the stamp of the read that completed it.

    `is_whole` is false for one that the end of the stream completed, and no empty line.
    """

    name: str = ""
    data: str
    at_ns: int
    is_utf8: bool = True
    is_whole: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class EventStream:
    """The events of a stream, the line that it broke off in, and why no more was read if there is more."""

    events: tuple[Event, ...]
    rest: bytes = b""
    flaw: str | None = None


def parse(reads: Sequence[Read], *, most_bytes: int = MOST_BYTES) -> EventStream:
    """Return the events of a whole stream; one above `most_bytes` is a flaw, and nothing after it is read."""
    body = b"".join(data for _, data in reads)
    stamps = _Stamps(reads)
    events: list[Event] = []
    lines = _Lines()
    start = len(_BOM) if body.startswith(_BOM) else 0
    for end in _LINE_END.finditer(body, start):
        line = body[start : end.start()]
        start = end.end()
        if not line:
            events.extend(lines.event(stamps.at(end.start())))
            lines = _Lines()
            continue
        lines.take(line, ended_at=end.start())
        if max(len(line), lines.size) > most_bytes:
            return EventStream(events=tuple(events), flaw=_too_long(most_bytes))
    rest = body[start:]
    if len(rest) > most_bytes:
        return EventStream(events=tuple(events), flaw=_too_long(most_bytes))
    if lines.data and not rest:
        events.extend(lines.event(stamps.at(lines.ended_at), is_whole=False))
    return EventStream(events=tuple(events), rest=rest)


class _Stamps:
    """Which read each byte of a stream came in."""

    def __init__(self, reads: Sequence[Read]) -> None:
        self._ends = list(accumulate(len(data) for _, data in reads))
        self._stamps = [at_ns for at_ns, _ in reads]

    def at(self, offset: int) -> int:
        """Return the stamp of the read that the byte at `offset` came in."""
        return self._stamps[bisect_right(self._ends, offset)]


@dataclass(slots=True)
class _Lines:
    """The lines of an event that has not ended; `ended_at` is the offset of the last line's end."""

    name: bytes = b""
    data: list[bytes] = field(default_factory=list)
    size: int = 0
    ended_at: int = 0

    def take(self, line: bytes, *, ended_at: int) -> None:
        """Take one line that is not empty."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self.name = value
        elif name in (b"data", b"error"):
            self.data.append(value)
            self.size += len(line)
            self.ended_at = ended_at
            if name == b"error":
                self.name = name

    def event(self, at_ns: int, *, is_whole: bool = True) -> tuple[Event, ...]:
        """Return the event that these lines are: none without data."""
        if not self.data:
            return ()
        raw = b"\n".join(self.data)
        data = raw.decode(errors="replace")
        is_utf8 = "\N{REPLACEMENT CHARACTER}" not in data or data.encode() == raw
        name = self.name.decode(errors="replace")
        return (Event(name=name, data=data, at_ns=at_ns, is_utf8=is_utf8, is_whole=is_whole),)


def _too_long(most_bytes: int) -> str:
    return f"an event of more than {most_bytes:,} bytes"
