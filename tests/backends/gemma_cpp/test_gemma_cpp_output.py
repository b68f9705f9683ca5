"""What `gemma` writes, taken apart: every byte of the answer and none of the markup around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.backends.gemma_cpp.output import MOST_BYTES, AnswerOutput, Notes

WHOLE = {
    "....\n\nOslo.\n\n": "Oslo.",
    "\n\nOslo.\n\n": "Oslo.",
    "....\n\n...and so on...\n\n": "...and so on...",
    "....\n\nA line.\n\nAnother.\n\n": "A line.\n\nAnother.",
    "....\n\nIt ends with a newline\n\n\n": "It ends with a newline\n",
    "....\n\n\n\n": "",
    "....\n\n": "",
    "..\n\nCafé ✓ 🦊\n\n": "Café ✓ 🦊",
}
"""What is written, and the answer in it."""

NOTES = (
    "\n[ Reading prompt ] "
    "\n\n[ Timing info ] Prefill: 12 ms for 4 prompt tokens (333.33 tokens / sec); "
    "Time to first token: 15 ms\n"
    "\n[ Timing info ] Generate: 80 ms for 6 tokens (75.00 tokens / sec)\n"
)


class KeepsTheEnd(AnswerOutput):
    """A planted error: the program's blank line counts as the answer's."""

    def _take(self, text: str, at_ns: int) -> None:
        self._emit(text, at_ns)
        self._newlines = (0, 0)


class CountsDotsAnywhere(AnswerOutput):
    """A planted error: dots of the answer are taken for those of the prompt."""

    def _take(self, text: str, at_ns: int) -> None:
        super()._take(text.lstrip("."), at_ns)


def answer(raw: bytes, cuts: list[int], kind: type[AnswerOutput] = AnswerOutput) -> str:
    """Return the answer in `raw`, read in pieces that end at `cuts`."""
    output = kind(())
    ends = sorted({cut % (len(raw) + 1) for cut in cuts} | {len(raw)})
    for at_ns, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        output.push(raw[start:end], at_ns=at_ns)
    output.finish()
    return output.text


@pytest.mark.parametrize(("raw", "text"), WHOLE.items())
def test_the_answer_is_what_stands_between_the_blank_lines(raw: str, text: str) -> None:
    """Read whole, and byte by byte."""
    assert answer(raw.encode(), []) == text
    assert answer(raw.encode(), list(range(len(raw.encode())))) == text


@pytest.mark.parametrize("wrong", [KeepsTheEnd, CountsDotsAnywhere])
def test_a_wrong_division_is_caught(wrong: type[AnswerOutput]) -> None:
    """The table above tells such a parser from the right one."""
    assert any(answer(raw.encode(), [], wrong) != text for raw, text in WHOLE.items())


@given(
    text=st.text(st.characters(codec="utf-8"), max_size=30),
    dots=st.integers(0, 20),
    cuts=st.lists(st.integers(0, 200), max_size=10),
)
def test_how_the_bytes_are_read_does_not_change_the_answer(text: str, dots: int, cuts: list[int]) -> None:
    """A character may be cut, and so may the blank lines."""
    raw = f"{'.' * dots}\n\n{text}\n\n".encode()
    assert answer(raw, cuts) == text


def test_pieces_have_the_stamps_of_their_reads() -> None:
    """A newline that waits keeps its own, and so does a first token without text."""
    output = AnswerOutput(())
    for at_ns, data in ((1, b"...."), (2, b"\n\n"), (3, b"Oslo"), (4, b"\n"), (5, b"\xc3"), (6, b"\xa9\n\n")):
        output.push(data, at_ns=at_ns)
    output.finish()
    assert [(delta.text, delta.at_ns) for delta in output.deltas] == [("Oslo", 3), ("\n", 4), ("é", 6)]
    assert (output.dots, output.began_ns) == (4, 2)
    assert {delta.n_tokens for delta in output.deltas} == {None}


def test_a_stop_string_ends_the_answer_before_itself() -> None:
    """Though it is spread over reads, and though a newline of it waits."""
    output = AnswerOutput(("\nEnd",))
    for data in (b".\n\nOslo", b"\n", b"E", b"n", b"ding\nEnd of it"):
        output.push(data, at_ns=1)
    assert (output.text, output.stopped) == ("Oslo", True)


def test_a_stop_string_that_is_the_end_of_the_output_is_not_met() -> None:
    """The blank line at the end is the program's."""
    output = AnswerOutput(("\n\n",))
    output.push(b".\n\nOslo\n\n", at_ns=1)
    output.finish()
    assert (output.text, output.stopped) == ("Oslo", False)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", r"wrote '' and no blank line after it"),
        (b"....", r"wrote '\.\.\.\.' and no blank line after it"),
        (b"usage: gemma", r"began with 'usage: gemma', not with dots and a blank line"),
        (b"..\n\nOslo", r"no blank line after the answer, which ends with 'Oslo'"),
        (b"..\n\nOslo\n", r"no blank line after the answer"),
        (b"..\n\nOslo \xff", r"bytes that are not UTF-8: b'\\xff'"),
        (b"..\n\nOslo \xc3", r"bytes that are not UTF-8: b'\\xc3'"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(raw: bytes, complaint: str) -> None:
    """A message quotes what was written."""
    output = AnswerOutput(())
    with pytest.raises(ValueError, match=complaint):  # noqa: PT012 - either may find it
        output.push(raw, at_ns=1)
        output.finish()


def test_an_answer_without_end_is_given_up_on() -> None:
    """A program that does not heed its limit cannot fill the memory."""
    output = AnswerOutput(())
    output.push(b"..\n\n", at_ns=1)
    with pytest.raises(ValueError, match="wrote more than 4,194,304 bytes"):  # noqa: PT012 - the last of many
        for _ in range(MOST_BYTES // 1000 + 1):
            output.push(b"x" * 1000, at_ns=1)


def test_the_notes_tell_times_and_counts() -> None:
    """Those of the lines as they are written."""
    notes = Notes()
    for at_ns, character in enumerate(NOTES):
        notes.push(character.encode(), at_ns=at_ns)
    assert notes.figures == {
        "prompt_ms": 12,
        "prefill_tokens": 4,
        "time_to_first_token_ms": 15,
        "decode_ms": 80,
        "generated_tokens": 6,
    }
    assert notes.reading_ns == NOTES.index("]")
    assert notes.counted_ns == NOTES.index(" (75") - 1


@pytest.mark.parametrize("missing", ["Prefill", "Time to first token", "Generate", "[ Timing info ]"])
def test_a_line_that_is_missing_is_not_made_up(missing: str) -> None:
    """Each number is there or not, whatever the others are."""
    notes = Notes()
    notes.push(NOTES.replace(missing, "Something else").encode(), at_ns=1)
    lacking = {
        "Prefill": {"prompt_ms", "prefill_tokens"},
        "Time to first token": {"time_to_first_token_ms"},
        "Generate": {"decode_ms", "generated_tokens"},
    }.get(missing, set())
    full = {"prompt_ms", "prefill_tokens", "time_to_first_token_ms", "decode_ms", "generated_tokens"}
    assert set(notes.figures) == full - lacking


def test_the_dots_of_an_older_build_stand_on_stderr() -> None:
    """One for each token of the prompt."""
    notes = Notes()
    notes.push(b"\n[ Reading prompt ] .....\n\n[ Timing info ] ...", at_ns=1)
    assert notes.dots == 5


@pytest.mark.parametrize(
    ("line", "overflow"),
    [
        ("Warn at gemma.cc:548: prefill 40 + max_gen_steps 100 > seq_len 128, truncating.", (140, 128)),
        ("Abort at gemma.cc:520: max_prompt_size = 200, seq_len = 128, increase --seq_len to …", (264, 128)),
        ("Abort at gemma.cc:520: max_prompt_size = 200, increase --seq_len to at least that.", (264, 96)),
        ("WARNING: max_generated_tokens 9000 > kSeqLen 8192, truncating.", (9000, 8192)),
        ("Warn at matmul.cc:1: something else, truncating.", None),
    ],
)
def test_what_does_not_fit_is_read_off_the_complaint(line: str, overflow: tuple[int, int] | None) -> None:
    """Older and newer builds say it differently."""
    notes = Notes()
    notes.push(line.encode(), at_ns=1)
    assert notes.overflow(max_tokens=64, context_tokens=96) == overflow


def test_a_prompt_that_does_not_fit_into_nobody_knows_what_is_no_overflow() -> None:
    """An older build does not name the room, and none was asked for."""
    notes = Notes()
    notes.push(b"max_prompt_size = 200, increase --seq_len to at least that.", at_ns=1)
    assert notes.overflow(max_tokens=64, context_tokens=None) is None


def test_the_last_words_are_the_last_line() -> None:
    """What was written before them does not stand in a message."""
    notes = Notes()
    assert notes.last_line == "(nothing on stderr)"
    notes.push(b"Loading\nAbort at x.cc:1: no\n\n", at_ns=1)
    assert notes.last_line == "Abort at x.cc:1: no"
    notes.push(b"x" * 100_000, at_ns=2)
    assert len(notes.text) == 1 << 16


def test_what_came_before_bytes_that_are_no_text_is_kept_also_within_one_read() -> None:
    """However the system has joined what the program wrote."""
    answer = AnswerOutput(())
    with pytest.raises(ValueError, match="not UTF-8"):
        answer.push(b"..\n\nFinn lives\xff", at_ns=5)
    assert answer.text == "Finn lives"
