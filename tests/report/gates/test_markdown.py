"""The Markdown of the gates tells every verdict, stays small, and has no markup of others in it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from gemma_eval.records import Gating
from gemma_eval.report.gates.markdown import HEAD, MOST_BYTES, section
from gemma_eval.report.gates.words import WORDS
from gemma_eval.report.markdown import Markdown
from tests.report.example import Shape, example
from tests.report.gates.example_gating import HOSTILE, every, gating, many, tainted


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table as a reader of Markdown sees them, without the head."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    start = next(place for place, token in enumerate(tokens) if token.type == "tbody_open")
    end = next(place for place, token in enumerate(tokens) if token.type == "tbody_close")
    cells = [token for token in tokens[start:end] if token.type == "inline"]
    texts = ["".join(part.content for part in cell.children or ()) for cell in cells]
    assert len(texts) % len(HEAD) == 0
    return [texts[place : place + len(HEAD)] for place in range(0, len(texts), len(HEAD))]


def test_every_verdict_is_told_and_what_to_do() -> None:
    """A row for each gate, the worst first, and a sentence for each verdict."""
    text = section(gating())
    told = rows(text)
    assert list(dict.fromkeys(row[0] for row in told)) == list(WORDS)
    assert len(told) == len(every())
    for verdict, words in WORDS.items():
        assert f"- **{verdict}**: {words.sentence}" in text


def test_a_row_has_everything_of_a_gate() -> None:
    """Names, values, change, bounds, data and what is allowed."""
    assert rows(section(gating(every()[-1]))) == [
        [
            *("REGRESSED", "ttft-p50", "greedy · rag", "ttft_s", "12.3 ms", "14.1 ms", "+14.6 %"),
            *("[+9.1 %, +20.4 %]", "12 blocks", "+5.0 %", "critical"),
        ]
    ]


def test_notes_say_what_a_verdict_rests_on() -> None:
    """Under the table, with the name of the gate."""
    text = section(gating())
    assert "- INCONCLUSIVE quality · greedy · cited: leans to worse; -0.020 is allowed" in text
    assert "about 410 cases would decide" in text


def test_without_gates_there_is_no_section() -> None:
    """And where no gate is about anything, that is told."""
    assert section(None) == ""
    assert section(replace(gating(), gated=())).endswith("3 of 15 gates are of a base on another machine")
    assert "No gate is about what was run." in section(replace(gating(), gated=()))


@pytest.mark.parametrize("most_bytes", [16 * 1024, MOST_BYTES, 1024 * 1024])
@pytest.mark.parametrize(
    "found",
    [
        many(6_000),
        replace(many(300), gated=tainted().gated * 40),
        replace(tainted(), notes=(HOSTILE,) * 9_000),
    ],
    ids=["many", "hostile", "many notes"],
)
def test_what_does_not_fit_is_left_out_whole_and_counted(found: Gating, most_bytes: int) -> None:
    """Nothing is cut in the middle, and the worst stay."""
    text = section(found, most_bytes=most_bytes)
    assert len(text.encode()) <= most_bytes
    told = rows(text)
    left_out = re.search(r"^([\d ]+) more gates are in `results\.json`\.$", text, re.MULTILINE)
    counted = int(left_out[1].replace(" ", "")) if left_out else 0
    assert len(told) + counted == len(found.gated)
    assert told[0][0] == "REGRESSED"


def test_no_name_is_markup_a_tag_or_a_mention() -> None:
    """Nothing of them is a link, a picture, a heading, code, HTML or a new row."""
    text = section(tainted(), most_bytes=1024 * 1024)
    told = rows(text)
    assert len(told) == len(every())
    allowed = {"text", "strong_open", "strong_close", "softbreak", "text_special"}
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        assert token.type not in {"html_block", "fence", "code_block", "blockquote_open"}
        assert {part.type for part in token.children or ()} <= allowed
        if token.type == "heading_open":
            assert token.tag == "h2"
    assert "@everyone" not in text
    assert not set(text) & set("\x1b\r\u202e")
    assert "\n::error" not in text


def test_the_report_has_the_section_before_what_was_measured() -> None:
    """Where the run was held against a base, and only there."""
    report = example(Shape(cases=2))
    assert "## Gates" not in Markdown().render(report)
    text = Markdown().render(replace(report, gating=gating()))
    assert text.index("## Gates") < text.index("## Results")
    assert section(gating()) in text


def test_the_report_stays_below_its_size_with_gates() -> None:
    """However many."""
    report = replace(example(Shape(cases=2)), gating=many(6_000))
    without = len(Markdown().render(example(Shape(cases=2))).encode())
    assert len(Markdown().render(report).encode()) - without < MOST_BYTES + 10
