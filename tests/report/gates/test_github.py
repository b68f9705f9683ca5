"""What GitHub is told: a summary below its limit, and annotations that are commands of ours alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gemma_eval.records import Gating
from gemma_eval.report.gates.github import MOST_ANNOTATIONS, MOST_BYTES, annotation_lines, step_summary
from gemma_eval.report.gates.words import WORDS, account, level
from tests.report.gates.example_gating import every, gating, many, tainted

COMMAND = re.compile(r"::(?P<name>error|warning|notice) (?P<properties>[^:]*)::(?P<text>[^\r\n]*)")


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as the runner does: properties up to the next two colons, then the data.

    Source: actions/runner, ActionCommand.TryParseV2 and its tables of escapes.
    """
    found = COMMAND.fullmatch(line)
    assert found, line
    properties = dict(each.split("=", 1) for each in found["properties"].split(","))
    unescaped = {
        name: _read(text, {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","})
        for name, text in properties.items()
    }
    return found["name"], unescaped, _read(found["text"], {"%0D": "\r", "%0A": "\n"})


def _read(text: str, codes: dict[str, str]) -> str:
    for code, character in codes.items():
        text = text.replace(code, character)
    return text.replace("%25", "%")


def test_an_annotation_stands_at_the_line_of_its_gate() -> None:
    """With the verdict and the names as its title, and everything else as its text."""
    ttft = every()[-1]
    (line,) = annotation_lines(gating(ttft))
    assert parsed(line) == (
        "error",
        {"file": "suites/standard.toml", "line": "19", "title": "REGRESSED ttft-p50 · greedy · rag"},
        account(ttft),
    )


def test_a_gate_that_stands_nowhere_has_an_annotation_without_a_place() -> None:
    """One that holds when nothing is written."""
    found = replace(every()[-1], gate=replace(every()[-1].gate, source=None))
    (line,) = annotation_lines(gating(found))
    assert set(parsed(line)[1]) == {"title"}


@pytest.mark.parametrize("each", every(), ids=lambda each: f"{each.comparison.verdict}-{each.gate.id}")
def test_every_verdict_but_a_pass_is_annotated(each: object) -> None:
    """As loudly as its tier and verdict are."""
    found = next(one for one in every() if one == each)
    told = [parsed(line)[0] for line in annotation_lines(gating(found))]
    loud = level(found)
    assert told == ([] if loud is None else ["notice" if loud == "note" else loud])


def test_only_the_worst_are_annotated_and_the_others_counted() -> None:
    """GitHub drops what is beyond ten of a kind."""
    told = [parsed(line) for line in annotation_lines(many(400))]
    assert len(told) == MOST_ANNOTATIONS + 1
    assert {name for name, _, _ in told} == {"error"}
    assert told[-1][2].startswith("292 more gates: 92 REGRESSED, 200 INCONCLUSIVE;")
    assert len(list(annotation_lines(many(3)))) == 2


def test_what_is_proved_of_a_critical_gate_comes_first() -> None:
    """Before warnings, and those before notes."""
    told = [parsed(line)[0] for line in annotation_lines(gating())]
    order = ["error", "warning", "notice"]
    assert told == sorted(told, key=order.index)


def test_no_name_ends_a_command_or_begins_one() -> None:
    """Each is one line, and what is read out of it is the name as it is shown."""
    lines = list(annotation_lines(tainted()))
    assert len(lines) == MOST_ANNOTATIONS + 1
    for line in lines:
        _, properties, text = parsed(line)
        assert set(properties) <= {"file", "line", "title"}
        assert not set(line) & set("\x1b\r\n\u202e")
        assert len(text) <= 1000
    name, properties, _ = parsed(lines[0])
    assert (name, properties["line"]) == ("error", "39")
    assert properties["title"].startswith("REGRESSED e2e a|b <script>")


def test_an_unescaped_name_would_be_noticed() -> None:
    """The check above fails on a command in which a colon was left as it is."""
    line = next(iter(annotation_lines(tainted())))
    with pytest.raises(AssertionError):
        parsed(line.replace("%3A", ":"))


def test_the_summary_tells_every_verdict() -> None:
    """With what to do."""
    text = step_summary(gating())
    assert all(f"- **{verdict}**: {words.sentence}" in text for verdict, words in WORDS.items())


@pytest.mark.parametrize(
    "found", [many(9_000), replace(tainted(), gated=tainted().gated * 60)], ids=["many", "hostile"]
)
def test_the_summary_stays_below_what_github_shows(found: Gating) -> None:
    """A larger one is dropped whole."""
    text = step_summary(found)
    assert 100_000 < len(text.encode()) < MOST_BYTES
    assert "more gates are in `the JSON of the gates`." in text
