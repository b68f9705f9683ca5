"""Hostile and damaged files give one error each, quickly, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.files import decode
from gemma_eval.files.locate import Later, Lines
from gemma_eval.files.read import LARGEST_BYTES, ReadError, read_bytes
from gemma_eval.files.read import decode as decode_bytes

TOO_LONG_S = 5.0
"""Far above what any of these takes, far below what an unguarded parser takes."""


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a = 1\nb = \n", "is not TOML: invalid value", 2),
        ("a = 1\na = 2\n", "cannot overwrite a value", 2),
        ("a = 'x", "is not TOML", 1),
        ("[a]\n[a]\n", "cannot declare", 2),
        (".".join("a" * 20_000) + " = 1", "dotted parts", 1),
        ("\nx = " + "[" * 5000 + "]" * 5000, "nested deeper than 32", 2),
        ("x = " + "{a=" * 5000 + "1" + "}" * 5000, "nested deeper than 32", 1),
        ("x = " + "[ # ]\n" * 5000 + "] # [\n" * 5000, "nested deeper than 32", 33),
        ("x = " + "[ # ]\n" * 40 + "] # [\n" * 40, "nested deeper than 32", 33),
        ("x = " + "9" * 100_000, "too many digits", 0),
        ("x = 1\0", "is not TOML", 1),
        ("x = \ud800", "is not TOML", 1),
    ],
    ids=[
        "value",
        "twice",
        "open",
        "table",
        "dots",
        "arrays",
        "tables",
        "hidden",
        "shallow",
        "digits",
        "nul",
        "surrogate",
    ],
)
def test_damaged_toml_names_its_line(text: str, what: str, line: int) -> None:
    """The parser's words, our place, and a limit before the parser where it would exhaust the machine."""
    started = time.perf_counter()
    with pytest.raises(ReadError, match=what) as caught:
        decode.toml(text)
    assert caught.value.line == line
    assert time.perf_counter() - started < TOO_LONG_S


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ('{"a": 1,\n}', "is not JSON", 2),
        ("[]", "is not a JSON object", 1),
        ("[" * 5000, "nested deeper than 32", 1),
        ('{"a": ' + "9" * 100_000 + "}", "too many digits", 0),
        ('{"a": "x",\n "b": "\\ud800"}', "half of a surrogate pair", 2),
        ("", "is not JSON", 1),
    ],
    ids=["comma", "array", "deep", "digits", "surrogate", "empty"],
)
def test_damaged_json_names_its_line(text: str, what: str, line: int) -> None:
    """As for TOML."""
    with pytest.raises(ReadError, match=what) as caught:
        decode.json_table(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("read", "text"), [(decode.json_table, '{"a": {\n"b": 1}}'), (decode.toml, "[a]\nb = 1\n")]
)
def test_lines_are_looked_for_when_they_are_asked_for(
    read: Callable[[str], tuple[decode.Table, Lines]], text: str
) -> None:
    """Of a file that is right nobody asks, and to find them takes longer than all else."""
    table, lines = read(text)
    assert table == {"a": {"b": 1}}
    assert isinstance(lines.of, Later)
    assert "_found" not in vars(lines.of)
    assert lines.at(("a", "b")) == 2
    assert "_found" in vars(lines.of)


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_fine() -> None:
    """Only a half is refused."""
    table, _ = decode.json_table('{"a": "\\ud83d\\ude00", "b": "\\\\ud800"}')
    assert table == {"a": "\N{GRINNING FACE}", "b": "\\ud800"}


@pytest.mark.parametrize(
    ("data", "what", "line"),
    [
        (b"\xef\xbb\xbfa = 1", "byte order mark", 1),
        ("a = 1".encode("utf-16"), "UTF-16", 1),
        (b"a = 1\nb = '\xff'\n", "is not UTF-8 here", 2),
    ],
)
def test_text_that_is_not_plain_utf_8_is_refused(data: bytes, what: str, line: int) -> None:
    """A mark or another encoding is named, a wrong byte has its line."""
    with pytest.raises(ReadError, match=what) as caught:
        decode_bytes(data)
    assert caught.value.line == line


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    """One byte above the limit is enough to know; the file may have a hundred million."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ReadError, match="larger than"):
        read_bytes(path)
    os.truncate(path, LARGEST_BYTES)
    assert len(read_bytes(path)) == LARGEST_BYTES


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe that nobody writes to would block for ever, a device would never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ReadError, match="not a regular file"):
            read_bytes(path)
    for path in (tmp_path, tmp_path / "absent", Path("a\0b"), Path("a" * 5000)):
        with pytest.raises(ReadError, match="cannot be read"):
            read_bytes(path)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab01.=[]{},:\"'\\\n# é\t-+e_", max_size=60))
def test_no_text_makes_the_decoders_raise_anything_else(text: str) -> None:
    """A text is decoded or refused."""
    for read in (decode.toml, decode.json_table):
        try:
            table, lines = read(text)
        except ReadError:
            continue
        assert all(lines.at((key,)) >= 1 for key in table)
