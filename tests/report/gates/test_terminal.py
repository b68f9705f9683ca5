"""The table of gates fits 80 columns, begins with what is worst, and obeys no name."""

from __future__ import annotations

from dataclasses import replace
from math import log1p

import pytest

from gemma_eval.records import Gating
from gemma_eval.report.gates.terminal import MOST_ROWS, lines
from gemma_eval.report.gates.words import WORDS, notes
from tests.report.gates.example_gating import SCORE, TTFT, every, gate, gated, gating, many, tainted

WIDE = gated(
    gate(
        "a-gate-with-a-name-that-is-as-long-as-a-line-of-the-terminal-that-it-is-written-on-to",
        "e2e_s",
        line=1,
    ),
    replace(
        TTFT,
        n=123_456_789,
        base=1.5e9,
        candidate=9e15,
        difference=15.6,
        low=-700.0,
        high=700.0,
        needed=10**12,
    ),
)


def text_of(found: Gating) -> str:
    """Return all lines."""
    return "\n".join(text for text, _ in lines(found))


def test_every_verdict_has_a_row_and_a_sentence() -> None:
    """And every gate a row, with its notes below."""
    told = text_of(gating())
    flat = " ".join(told.split())
    for verdict, words in WORDS.items():
        assert f"{verdict}: {words.sentence}" in flat
    for each in every():
        assert f"{each.gate.id} · {each.label}" in told
        assert all(note in flat for note in notes(each))


def test_a_metric_is_named_below_only_where_the_gate_has_another_name() -> None:
    """A gate that is called as its metric needs no second name."""
    assert "  ttft_s; critical;" in text_of(gating(gated(gate("first", "ttft_s", line=1), TTFT)))
    assert "  critical;" in text_of(gating(gated(gate("ttft_s", "ttft_s", line=1), TTFT)))


def test_what_was_compared_comes_first_and_the_worst_next() -> None:
    """The last line counts the verdicts."""
    found = list(lines(gating()))
    assert found[0][0].startswith("Candidate 20261129T040000-b8797bf against base")
    told = [verdict for _, verdict in found if verdict is not None]
    assert told[0] == "REGRESSED"
    assert " ".join(text for text, _ in found[-2:]).startswith("Gates: 3 REGRESSED, 1 MISSING")


def test_a_row_carries_its_verdict_for_who_colours_it() -> None:
    """So that the caller need not read it out of the text."""
    for text, verdict in lines(gating()):
        if text.startswith("  ") and text.endswith(tuple(WORDS)):
            assert verdict == text.split()[-1]


def test_short_names_stand_beside_their_figures() -> None:
    """In one line."""
    short = replace(gated(gate("q", "score", line=1), replace(SCORE, verdict="PASS", n=9)), label="a")
    told = [text for text, _ in lines(gating(short))]
    row = next(text for text in told if text.startswith("q "))
    assert row.split() == ["q", "a", "0.91", "0.83", "-0.080", "[-0.119,", "-0.041]", "9", "cases", "PASS"]
    head = next(text for text in told if text.startswith("gate"))
    assert head.index("verdict") == row.index("PASS")


@pytest.mark.parametrize(
    "found",
    [gating(), tainted(), many(90), gating(WIDE), gating(WIDE, *every()), replace(gating(), gated=())],
    ids=["every", "hostile", "many", "wide", "wide among others", "none"],
)
def test_no_line_is_longer_than_80_columns(found: Gating) -> None:
    """Whatever the names and the numbers, and nothing of a figure is lost."""
    assert all(len(text) <= 80 for text, _ in lines(found))


def test_figures_too_wide_for_a_table_are_written_one_after_the_other() -> None:
    """Every one of them."""
    flat = " ".join(text_of(gating(WIDE)).split())
    assert "candidate 9 000 000 000 000 000 s, change x 10^6.8," in flat
    assert "bounds [-100.0 %, x 10^304.0], n 123 456 789 blocks, verdict REGRESSED" in flat


def test_a_long_table_is_cut_and_what_is_left_out_is_counted() -> None:
    """The best are left out."""
    told = text_of(many(200))
    assert told.count("120 cases") == MOST_ROWS
    assert "and 10 REGRESSED, 100 INCONCLUSIVE, 50 PASS more in the report" in told


def test_gates_that_are_about_nothing_are_told() -> None:
    """A gate with a misspelt glob should not look like one that passed."""
    assert text_of(replace(gating(), gated=())).endswith("No gate is about what was run.")


def test_no_name_is_a_command_to_the_terminal_or_to_a_runner() -> None:
    """No escape, and no line that GitHub takes for a command, wherever the text is wrapped."""
    for width in range(80):
        spaced = tainted(f"{'x' * width} ::error::x ##[error]y \x1b[2J")
        for text, _ in lines(spaced):
            assert not text.lstrip().startswith("::")
            assert "##[" not in text
            assert "\x1b" not in text


def test_an_improvement_of_a_rate_is_written_with_a_plus() -> None:
    """Though its difference is negative, since + is worse there."""
    slower = replace(TTFT, metric="output_tokens_per_s", difference=log1p(0.25), low=None, high=None)
    flat = " ".join(text_of(gating(gated(gate("rate", "output_tokens_per_s", line=1), slower))).split())
    assert "-20.0 %" in flat
