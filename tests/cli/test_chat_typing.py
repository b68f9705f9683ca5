"""What is typed or piped becomes messages of one or several lines, and is kept for the arrow keys."""

from __future__ import annotations

import io
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.cli.chat_typing import MOST_KEPT, GivenUp, keep, kept, messages, piped


def said(text: str) -> list[str]:
    """Return the messages of what is piped in."""
    return list(messages(piped(io.StringIO(text)), lambda: ""))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\ntwo", ["one", "two"]),
        ("one\\\ntwo\n", ["one\ntwo"]),
        ("one\\\ntwo\\\nthree\nfour\n", ["one\ntwo\nthree", "four"]),
        ("C:\\\\\nnext\n", ["C:\\\\", "next"]),
        ("one\\", ["one\\"]),
        ('"""\none\ntwo\n"""\nthree\n', ["one\ntwo", "three"]),
        ('"""one\ntwo"""\n', ["one\ntwo"]),
        ('"""one"""\n', ["one"]),
        ('"""\n/quit\n"""\n', [" /quit"]),
        ('"""\none\n', ["one"]),
        ("\n", [""]),
        ("", []),
    ],
)
def test_lines_become_messages(text: str, found: list[str]) -> None:
    """A backslash at the end goes on; quotes hold several lines, none of which is a command."""
    assert said(text) == found


@given(
    st.lists(st.text(st.characters(blacklist_characters='\\"\r\n', blacklist_categories=["Cs"]), max_size=9))
)
def test_plain_lines_are_messages_as_they_are(lines: Sequence[str]) -> None:
    """One for each, whatever is in it."""
    text = "".join(f"{line}\n" for line in lines)
    assert said(text) == list(lines)


def test_what_is_given_up_is_not_said() -> None:
    """Neither the lines before it, nor anything but what comes after."""
    typed = iter(["one\\", None, "two"])

    def read(prompt: str) -> str | None:
        line = next(typed, "")
        if line is None:
            raise GivenUp
        return line or None

    kept_ones: list[str] = []
    assert list(messages(read, lambda: "> ", keep=kept_ones.append)) == ["two"]
    assert kept_ones == ["two"]


def test_only_the_first_line_has_the_prompt() -> None:
    """Those that go on are asked for without."""
    typed, prompts = iter(["one\\", "two", "three"]), []

    def read(prompt: str) -> str | None:
        prompts.append(prompt)
        return next(typed, None)

    assert list(messages(read, lambda: "> ")) == ["one\ntwo", "three"]
    assert prompts == ["> ", "", "> ", "> "]


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=20), max_size=5))
def test_what_was_typed_comes_back(entries: Sequence[str]) -> None:
    """Several lines are one entry, and a backslash is one."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "history"
        for entry in entries:
            keep(path, entry)
        assert kept(path) == list(entries)


def test_nobody_else_can_read_what_was_typed(tmp_path: Path) -> None:
    """It may be private."""
    path = tmp_path / "history"
    keep(path, "a secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_history_does_not_grow_forever(tmp_path: Path) -> None:
    """Once it is twice as long as what is kept, it is cut; the newest stay."""
    path = tmp_path / "history"
    path.write_text("".join(f"{n}\n" for n in range(2 * MOST_KEPT + 1)))
    assert kept(path)[-1] == str(2 * MOST_KEPT)
    assert len(path.read_text().splitlines()) == MOST_KEPT


def test_a_history_that_cannot_be_read_or_written_stops_no_chat(tmp_path: Path) -> None:
    """Nor does one of bytes that are no text."""
    assert kept(tmp_path / "none") == []
    keep(tmp_path, "a folder")
    assert kept(tmp_path) == []
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\nplain\n")
    assert kept(tmp_path / "bytes")[-1] == "plain"
