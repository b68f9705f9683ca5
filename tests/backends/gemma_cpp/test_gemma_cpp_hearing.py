"""An answer of `gemma` as it is heard: the counts that the program told, and what they mean."""

from __future__ import annotations

import pytest

from gemma_eval.backends.gemma_cpp.hearing import Hearing
from gemma_eval.backends.gemma_cpp.process import Piece, Stream
from gemma_eval.records import FinishReason, Generation, SamplingProfile

ENDS: list[tuple[str, int | None, int | None, FinishReason]] = [
    ("..\n\nOslo.\n\n", 3, 2, "stop"),
    ("..\n\nOslo.\n\n", 8, 8, "length"),
    ("..\n\n", 1, 0, "stop"),
    ("..\n\n\n\n", 2, 1, "stop"),
    ("..\n\nOslo.\n\n", None, None, "stop"),
]
"""What is written, how many tokens the program counts (8 are allowed), the tokens of the answer, its end."""


class CountsTheEndOfTheTurn(Hearing):
    """A planted error: the token that ends a turn is taken for output."""

    def _end(self) -> tuple[int | None, FinishReason]:
        tokens, reason = super()._end()
        return (None if tokens is None else tokens + (reason == "stop")), reason


def heard(output: str, counted: int | None, kind: type[Hearing] = Hearing) -> Generation:
    """Return the generation of a program that writes so."""
    profile = SamplingProfile(name="p", temperature=0.0, max_tokens=8)
    hearing = kind(profile, started_ns=1_000_000, context_tokens=None)
    notes = "\n[ Reading prompt ] "
    told = (
        "" if counted is None else f"[ Timing info ] Generate: 9 ms for {counted} tokens (1.00 tokens / sec)"
    )
    reads: list[tuple[Stream, str]] = [("stderr", notes), ("stdout", output), ("stderr", told)]
    for number, (stream, text) in enumerate(reads):
        hearing.take(Piece(stream=stream, data=text.encode(), at_ns=5_000_000 + number))
    hearing.answer.finish()
    return hearing.whole()


@pytest.mark.parametrize(("output", "counted", "tokens", "reason"), ENDS)
def test_the_end_of_an_answer_is_told_by_its_count(
    output: str, counted: int | None, tokens: int | None, reason: FinishReason
) -> None:
    """As many as allowed is a cut; fewer is an end of turn, which is counted and is no output."""
    found = heard(output, counted)
    assert (found.output_tokens, found.finish_reason) == (tokens, reason)


def test_a_wrong_count_is_caught() -> None:
    """The table above tells it from the right one."""
    assert any(heard(output, counted, CountsTheEndOfTheTurn).output_tokens != tokens
               for output, counted, tokens, _ in ENDS)  # fmt: skip


def test_the_stamps_are_those_of_the_reads() -> None:
    """From where the program says that it reads; what was before is the loading."""
    found = heard("..\n\nOslo.\n\n", 3)
    assert found.requested_ns == 5_000_000
    assert found.engine_timings == {"decode_ms": 9, "generated_tokens": 3, "load_ms": 4.0}
    assert (found.headers_ns, found.deltas[0].at_ns) == (5_000_001, 5_000_001)
    assert (found.usage_ns, found.ended_ns) == (5_000_002, 5_000_002)


def test_nothing_is_left_of_what_had_not_begun() -> None:
    """A program that broke off before it read the prompt has answered nothing."""
    hearing = Hearing(SamplingProfile(name="p", temperature=0.0), started_ns=1, context_tokens=None)
    hearing.take(Piece(stream="stderr", data=b"Loading\n", at_ns=2))
    assert hearing.partial("error", ended_ns=3) is None
    hearing.take(Piece(stream="stdout", data=b"...", at_ns=4))
    assert hearing.partial("error", ended_ns=5) is None
    hearing.take(Piece(stream="stdout", data=b"\n\nOs", at_ns=6))
    partial = hearing.partial("timeout", ended_ns=7)
    assert partial is not None
    assert (partial.text, partial.prompt_tokens, partial.output_tokens) == ("Os", 3, None)
    assert (partial.finish_reason, partial.ended_ns) == ("timeout", 7)
