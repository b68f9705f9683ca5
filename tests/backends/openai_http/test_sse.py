"""Events do not depend on how their bytes came in pieces; each is stamped with the read that ended it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.openai_http.reply import Read
from gemma_eval.backends.openai_http.sse import MOST_BYTES, Event, EventStream, parse

Parse = Callable[[Sequence[Read]], EventStream]


def pieces(*parts: bytes) -> list[Read]:
    """Return reads that came one nanosecond after the other, the first at 1."""
    return [(number, part) for number, part in enumerate(parts, 1)]


def split(body: bytes, cuts: Sequence[int]) -> list[Read]:
    """Return `body` in reads that are cut at the offsets `cuts`."""
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return pieces(*(body[start:end] for start, end in pairwise(places)))


def said(stream: EventStream) -> tuple[tuple[tuple[str, str, bool, bool], ...], bytes, str | None]:
    """Return all that a stream says but for its stamps."""
    events = ((event.name, event.data, event.is_utf8, event.is_whole) for event in stream.events)
    return tuple(events), stream.rest, stream.flaw


def data(*reads: bytes, by: Parse = parse) -> list[str]:
    """Return the data of the events."""
    return [event.data for event in by(pieces(*reads)).events]


TABLE: tuple[tuple[str, tuple[bytes, ...], list[tuple[str, int]]], ...] = (
    ("LF", (b"data: a\n\ndata: b\n\n",), [("a", 1), ("b", 1)]),
    ("CRLF", (b"data: a\r\n\r\ndata: b\r\n\r\n",), [("a", 1), ("b", 1)]),
    ("CR", (b"data: a\r\rdata: b\r\r",), [("a", 1), ("b", 1)]),
    ("mixed", (b"data: a\n\r\ndata: b\r\ndata: c\n\n",), [("a", 1), ("b\nc", 1)]),
    ("CR, then LF in the next read", (b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"), [("a\nb", 3)]),
    ("the line in one read, its end in others", (b"data: a", b"\n", b"\n"), [("a", 3)]),
    ("a byte per read", tuple(bytes([byte]) for byte in b"data: a\n\n"), [("a", 9)]),
    ("two events in the second read", (b"data: a", b"\n\ndata: b\n\n"), [("a", 2), ("b", 2)]),
    ("BOM", (b"\xef\xbb", b"\xbfdata: a\n\n"), [("a", 2)]),
    ("BOM within is none", (b"data: a\n\n\xef\xbb\xbfdata: b\n\n",), [("a", 1)]),
    ("comments", (b": ping\n\n:\n:a\ndata: a\n: b\n\n",), [("a", 1)]),
    ("several lines", (b"data: a\ndata:\ndata: b\n\n",), [("a\n\nb", 1)]),
    ("one space is removed", (b"data:a\n\ndata:  a\n\n",), [("a", 1), (" a", 1)]),
    ("data without a colon", (b"data\n\ndata\ndata\n\n",), [("", 1), ("\n", 1)]),
    ("other fields", (b"id: 7\nevent: x\nretry: 10\nfoo: bar\nDATA: b\ndata: a\n\n",), [("a", 1)]),
    ("an event without data", (b"event: x\n\ndata: a\n\n",), [("a", 1)]),
    ("blank lines", (b"\n\n\r\ndata: a\n\n\n\n",), [("a", 1)]),
    ("no empty line at the end", (b"data: a\n\ndata: b\n", b": end\n"), [("a", 1), ("b", 1)]),
    ("a colon in the value", (b"data: a: b\n\n",), [("a: b", 1)]),
    ("other line ends of Unicode", ("data: a\u2028b\x85c\x0cd\n\n".encode(),), [("a\u2028b\x85c\x0cd", 1)]),
    ("a character in two reads", (b"data: \xc3", b"\xa9\n\n"), [("é", 2)]),
    ("an incomplete line", (b"data: a\n\ndata: b\nda",), [("a", 1)]),
    ("nothing", (), []),
    ("an empty read", (b"", b"data: a\n\n", b""), [("a", 2)]),
)
"""What is read, and the data with the stamps that must come of it."""


def stands(by: Parse) -> list[str]:
    """Return the names of the rows that a parser gets wrong."""
    found = {
        name: [(event.data, event.at_ns) for event in by(pieces(*reads)).events] for name, reads, _ in TABLE
    }
    return [name for name, _, expected in TABLE if found[name] != expected]


def test_every_row_of_the_table_stands() -> None:
    """Line ends, comments, joined lines, marks of byte order: data and stamps."""
    assert stands(parse) == []


def on_newlines_alone(reads: Sequence[Read]) -> EventStream:
    """Split where Python splits bytes on LF: a CR stays."""
    return parse([(at_ns, read.replace(b"\r", b"?")) for at_ns, read in reads])


def as_python_splits_lines(reads: Sequence[Read]) -> EventStream:
    """Split where `str.splitlines` does."""
    text = b"".join(read for _, read in reads).decode(errors="replace")
    body = "\n".join(text.splitlines()) + ("\n" if text.endswith(("\n", "\r")) else "")
    return parse([(reads[0][0] if reads else 0, body.encode())])


def a_line_end_for_each_byte(reads: Sequence[Read]) -> EventStream:
    """Take CRLF for two line ends."""
    return parse([(at_ns, read.replace(b"\r", b"\n")) for at_ns, read in reads])


def line_ends_of_each_read(reads: Sequence[Read]) -> EventStream:
    """Forget at the end of a read that it ended with CR."""
    return parse([(at_ns, read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) for at_ns, read in reads])


def decoded_by_read(reads: Sequence[Read]) -> EventStream:
    """Decode each read by itself."""
    return parse([(at_ns, read.decode(errors="replace").encode()) for at_ns, read in reads])


def stamped_with_the_first_read(reads: Sequence[Read]) -> EventStream:
    """Stamp every event with the beginning."""
    found = parse(reads)
    return replace(found, events=tuple(replace(event, at_ns=1) for event in found.events))


def stamped_one_read_late(reads: Sequence[Read]) -> EventStream:
    """Stamp an event when the next read has shown that it is over."""
    found = parse(reads)
    events = tuple(replace(event, at_ns=min(event.at_ns + 1, len(reads))) for event in found.events)
    return replace(found, events=events)


def without_the_pending_event(reads: Sequence[Read]) -> EventStream:
    """Drop what no empty line completed."""
    found = parse(reads)
    return replace(found, events=tuple(event for event in found.events if event.is_whole))


def with_the_incomplete_line(reads: Sequence[Read]) -> EventStream:
    """Take the end of the stream for the end of a line."""
    return parse([*reads, (len(reads), b"\n")])


def with_the_mark_of_byte_order(reads: Sequence[Read]) -> EventStream:
    """Take the mark for the beginning of a field's name."""
    return parse([(1, b"x: y\n"), *reads] if reads and reads[0][1][:1] == b"\xef" else reads)


def changed(change: Callable[[Event], Event]) -> Parse:
    """Return a parser whose events are changed."""

    def parsed(reads: Sequence[Read]) -> EventStream:
        found = parse(reads)
        return replace(found, events=tuple(map(change, found.events)))

    return parsed


WRONG: tuple[Parse, ...] = (
    on_newlines_alone,
    as_python_splits_lines,
    a_line_end_for_each_byte,
    line_ends_of_each_read,
    decoded_by_read,
    stamped_with_the_first_read,
    stamped_one_read_late,
    without_the_pending_event,
    with_the_incomplete_line,
    with_the_mark_of_byte_order,
    changed(lambda event: replace(event, data=event.data.lstrip())),
    changed(lambda event: replace(event, data=event.data.replace("\n", ""))),
    changed(lambda event: replace(event, data=" " + event.data)),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_the_table_catches_a_wrong_parser(wrong: Parse) -> None:
    """Each breaks one rule, as some client does."""
    assert stands(wrong)


def test_bytes_that_are_no_utf_8_are_flagged_and_cost_no_other_event() -> None:
    """A replacement character that was sent as such is no flaw."""
    found = parse(pieces(b"data: \xff\n\n", "data: \N{REPLACEMENT CHARACTER}\n\n".encode(), b"data: a\n\n"))
    assert [(event.data, event.is_utf8) for event in found.events] == [
        ("\N{REPLACEMENT CHARACTER}", False),
        ("\N{REPLACEMENT CHARACTER}", True),
        ("a", True),
    ]


def test_the_name_of_an_event_is_kept_and_a_field_error_is_one() -> None:
    """Older llama-servers send errors in a field of that name."""
    found = parse(pieces(b'event: x\ndata: a\n\nerror: {"code": 500}\n\ndata: b\n\n'))
    assert [(event.name, event.data) for event in found.events] == [
        ("x", "a"),
        ("error", '{"code": 500}'),
        ("", "b"),
    ]


def test_an_event_that_the_end_completed_says_so() -> None:
    """The incomplete line that a stream broke off in is there to be seen."""
    assert [event.is_whole for event in parse(pieces(b"data: a\n\ndata: b\n")).events] == [True, False]
    assert parse(pieces(b"data: a\n\ndata: [DO")).rest == b"data: [DO"


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + b"x" * MOST_BYTES + b"\n\n",
        b"data: " + b"x" * MOST_BYTES,
        b": " + b"x" * MOST_BYTES + b"\n",
        (b"data: " + b"x" * 1000 + b"\n") * (MOST_BYTES // 1000) + b"\n",
    ],
    ids=["line", "incomplete line", "comment", "many lines"],
)
def test_what_is_too_long_is_a_flaw_and_keeps_what_came_before(body: bytes) -> None:
    """A server that sends no line end fills no memory with one event."""
    after = b"data: b\n\n" if body.endswith(b"\n") else b""
    found = parse(pieces(b"data: a\n\n", body, after))
    assert [event.data for event in found.events] == ["a"]
    assert found.flaw == "an event of more than 1,048,576 bytes"
    assert parse(pieces(b"data: " + b"x" * (MOST_BYTES - 10) + b"\n\n")).flaw is None


def test_signs_of_life_may_come_as_long_as_they_like() -> None:
    """Comments take no part in the length of the event that they interrupt."""
    assert data(b"data: a\n" + b": ping\n" * (MOST_BYTES // 4) + b"\n") == ["a"]


# --- laws --------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(b"data", b"data:", b"data: ", b": ", b"event: ", b"error: ", b"x", b" ", b"[DONE]"),
        *(b"\r", b"\n", b"\r\n", b"\n\n"),
        *("é".encode(), "\u2028".encode(), b"\xf0\x9f", b"\x98\x80", b"\xff", b"\xef\xbb\xbf"),
    ]
)
BODIES = st.lists(WORDS, max_size=30).map(b"".join)


@given(body=BODIES, cuts=st.lists(st.integers(0, 200), max_size=12))
@settings(deadline=None)
def test_what_is_said_does_not_depend_on_the_reads(body: bytes, cuts: list[int]) -> None:
    """In one read, in a byte per read, or cut anywhere."""
    whole = said(parse(pieces(body)))
    assert said(parse(split(body, cuts))) == whole
    assert said(parse(pieces(*(bytes([byte]) for byte in body)))) == whole


@given(body=BODIES, cuts=st.lists(st.integers(0, 200), max_size=12))
@settings(deadline=None)
def test_an_event_is_stamped_with_the_first_read_that_it_could_be_seen_in(
    body: bytes, cuts: list[int]
) -> None:
    """No read before it has the event, and that one has; only the end itself completes others."""
    reads = split(body, cuts)
    stamps = [event.at_ns for event in parse(reads).events]
    assert stamps == sorted(stamps)
    for number, event in enumerate(parse(reads).events):
        if event.is_whole:
            assert whole_events(reads[: event.at_ns]) > number
            assert whole_events(reads[: event.at_ns - 1]) <= number


def whole_events(reads: Sequence[Read]) -> int:
    """Count the events that an empty line completed."""
    return sum(event.is_whole for event in parse(reads).events)


@given(body=BODIES)
@settings(deadline=None)
def test_an_automaton_that_reads_byte_by_byte_says_the_same(body: bytes) -> None:
    """Another implementation, straight from the standard."""
    found = parse(pieces(body))
    assert [event.data for event in found.events if event.is_whole] == by_the_standard(body)


def by_the_standard(body: bytes) -> list[str]:
    """Return the data of the events that an empty line ended, one byte after the other."""
    found: list[str] = []
    line, lines, after_cr = b"", list[bytes](), False
    for byte in body.removeprefix(b"\xef\xbb\xbf"):
        if byte == 10 and after_cr:
            after_cr = False
            continue
        after_cr = byte == 13
        if byte not in (10, 13):
            line += bytes([byte])
            continue
        if line:
            lines.append(line)
        elif given_data := [value_of(kept) for kept in lines if kept.split(b":")[0] in (b"data", b"error")]:
            found.append(b"\n".join(given_data).decode(errors="replace"))
        if not line:
            lines = []
        line = b""
    return found


def value_of(line: bytes) -> bytes:
    """Return what stands after the colon and one space."""
    value = line[line.index(b":") + 1 :] if b":" in line else b""
    return value[1:] if value[:1] == b" " else value
