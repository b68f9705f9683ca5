"""The page shows every gate with a picture of its interval, and words that survive without colour."""

from __future__ import annotations

import re
from dataclasses import replace
from math import log1p

import pytest

from gemma_eval.records import Comparison, Gated
from gemma_eval.report.gates import page
from gemma_eval.report.gates.page import EDGE, MOST_ROWS, WIDTH, IntervalMark, gate_section, interval_mark
from gemma_eval.report.gates.words import WORDS
from gemma_eval.report.html import Html
from tests.report.example import Shape, example
from tests.report.gates.example_gating import SCORE, TTFT, every, gate, gated, gating, many, tainted
from tests.report.test_html import Tags

REPORT = example(Shape(cases=2))
MARKED = [each for each in every() if each.comparison.low is not None]
ACROSS = (WIDTH - 2 * EDGE) / 4
"""One margin on paper: it shows four of them."""


def mark_of(comparison: Comparison) -> IntervalMark:
    """Return the picture of a comparison."""
    found = interval_mark(gated(gate("g", comparison.metric, line=1), comparison))
    assert found is not None
    return found


def read_off(mark: IntervalMark, at: float, comparison: Comparison) -> float:
    """Read a difference from its place: 0 is the thin line, the margin the thick one."""
    assert mark.zero is not None
    return comparison.margin * (at - mark.zero) / (mark.margin - mark.zero)


def test_the_ends_of_a_bar_stand_at_the_bounds() -> None:
    """Read back with the two lines as the only scale."""
    narrow = replace(SCORE, difference=0.01, low=-0.015, high=0.033)
    mark = mark_of(narrow)
    assert mark.at is not None
    assert read_off(mark, mark.low, narrow) == pytest.approx(-0.015)
    assert read_off(mark, mark.at, narrow) == pytest.approx(0.01)
    assert read_off(mark, mark.high, narrow) == pytest.approx(0.033)
    assert not mark.is_cut_left
    assert not mark.is_cut_right
    moved = replace(mark, zero=0.0)
    assert read_off(moved, mark.low, narrow) != pytest.approx(-0.015)


@pytest.mark.parametrize("each", MARKED, ids=lambda each: f"{each.comparison.verdict}-{each.gate.id}")
def test_a_bar_stands_to_the_thick_line_as_its_verdict_says(each: Gated) -> None:
    """Right of it what is proved to be worse than allowed, left of it what is proved not to be."""
    mark, comparison = interval_mark(each), each.comparison
    assert mark is not None
    assert comparison.low is not None
    assert comparison.high is not None
    assert (mark.low > mark.margin) == (comparison.low > comparison.margin)
    assert (mark.high < mark.margin) == (comparison.high < comparison.margin)
    assert 0 < mark.low <= (mark.at or mark.low) <= mark.high < WIDTH


def test_what_goes_on_beyond_the_paper_has_a_point() -> None:
    """So has a side without a bound."""
    wide = mark_of(replace(TTFT, low=-1.0, high=1.0))
    assert (wide.is_cut_left, wide.is_cut_right) == (True, True)
    assert (wide.low, wide.high) == (EDGE, WIDTH - EDGE)
    half = mark_of(replace(TTFT, low=None, high=log1p(0.01)))
    assert (half.is_cut_left, half.is_cut_right) == (True, False)


def test_all_pictures_have_their_lines_at_the_same_place() -> None:
    """However large the margin is, so that rows compare at a glance; a limit has no line of no change."""
    marks = [mark for each in every() if (mark := interval_mark(each)) is not None]
    assert len({mark.margin for mark in marks}) == 1
    assert {mark.zero for mark in marks} == {marks[0].margin - ACROSS, None}
    limits = [each for each in MARKED if each.gate.limit is not None]
    assert [interval_mark(each).zero for each in limits if interval_mark(each)] == [None]  # type: ignore[union-attr]


def test_a_gate_without_bounds_has_no_picture() -> None:
    """Nor does one that has nothing at all."""
    assert interval_mark(gated(gate("g", "ttft_s", line=1), replace(TTFT, low=None, high=None))) is None


def test_bounds_that_are_the_limit_itself_are_drawn() -> None:
    """Nothing is divided by 0."""
    mark = mark_of(replace(TTFT, difference=0.0, low=0.0, high=0.0, margin=0.0))
    assert mark.low == mark.at == mark.high == mark.margin


def test_every_verdict_is_a_word_on_the_page_with_what_to_do() -> None:
    """In a badge, so that it is told apart without colour."""
    text = Html().render(replace(REPORT, gating=gating()))
    for verdict, words in WORDS.items():
        badge = f'<span class="verdict {verdict.lower()}">{verdict}</span>'
        assert text.count(badge) == 1 + sum(each.comparison.verdict == verdict for each in every())
        assert f"<dt>{badge}</dt><dd>{words.sentence}</dd>" in text
    assert text.count('<svg class="gate-mark"') == len(MARKED)


def test_badges_differ_in_more_than_colour() -> None:
    """Proved ones are filled, unknown ones broken, accepted ones doubled: print loses nothing."""
    style = re.findall(r"\.verdict\.(\w+)(?:, \.verdict\.\w+)* \{ ([^}]+)\}", Html().render(REPORT))
    kinds = {re.sub(r"var\(--\w+\)", "", rule) for _, rule in style}
    assert len(style) == len(kinds) >= 4


def test_the_section_is_there_only_with_gates() -> None:
    """And so is the link to it."""
    for report in (REPORT, replace(REPORT, gating=gating())):
        text = Html().render(report)
        for part in ('<section id="gates"', '<a href="#gates">'):
            assert (part in text) == (report.gating is not None)


def test_gates_that_are_about_nothing_are_told() -> None:
    """Rather than a table without rows."""
    text = Html().render(replace(REPORT, gating=replace(gating(), gated=())))
    assert "No gate is about what was run." in text
    assert '<table class="gates">' not in text


def test_no_name_is_markup_on_the_page() -> None:
    """They are text, and what would act unseen is visible."""
    text = Html().render(replace(REPORT, gating=tainted()))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not set(text) & set("\x1b\u202e")
    for name, attributes in Tags(text).tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], name
        assert name not in {"img", "iframe", "object", "embed", "link", "base"}


def test_a_long_table_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst stay."""
    section = gate_section(many(MOST_ROWS + 7))
    assert section is not None
    assert (len(section.rows), section.left_out) == (MOST_ROWS, 7)
    assert section.rows[0].verdict == "REGRESSED"
    monkeypatch.setattr(page, "MOST_ROWS", 3)
    assert "4 more gates are in results.json." in Html().render(replace(REPORT, gating=many(7)))
