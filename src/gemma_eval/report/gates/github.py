"""The gates for GitHub Actions: the summary of a step, and annotations at the lines of gates.

Source: GitHub, "Workflow commands for GitHub Actions"; the runner takes at most 1 MiB of a step's summary and
ten annotations of a kind from a step, and drops what is beyond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from gemma_eval.records import Gated, Gating
from gemma_eval.report import numbers
from gemma_eval.report.gates.markdown import section
from gemma_eval.report.gates.words import Level, account, gate_of, group_of, level, tally, worst_first
from gemma_eval.report.visible import visible

MOST_BYTES = 1024 * 1024
"""The size that the summary of a step stays below."""
MOST_ANNOTATIONS = 8
MOST_TEXT = 1_000
"""Texts of annotations are cut to this many characters."""

_LEVELS: tuple[Level, ...] = get_args(Level)
_COMMANDS: Mapping[Level, str] = {"error": "error", "warning": "warning", "note": "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def step_summary(gating: Gating) -> str:
    """Return what `$GITHUB_STEP_SUMMARY` is given: Markdown below 1 MiB, the worst verdicts first."""
    return section(gating, most_bytes=MOST_BYTES, elsewhere="the JSON of the gates") + "\n"


def annotation_lines(gating: Gating) -> Iterator[str]:
    """Yield a workflow command for each of the worst gates, and one that counts the others.

    They point to the line of the gate where it was written. What is proved comes before what is not.
    """
    told = [(each, loud) for each in worst_first(gating.gated) if (loud := level(each))]
    told.sort(key=lambda pair: _LEVELS.index(pair[1]))
    for each, loud in told[:MOST_ANNOTATIONS]:
        yield _command(loud, account(each), {**_place(each), "title": _title(each)})
    rest = told[MOST_ANNOTATIONS:]
    if rest:
        counted = tally([each for each, _ in rest])
        text = f"{numbers.count(len(rest))} more gates: {counted}; the summary of the step has them"
        yield _command(rest[0][1], text, {"title": "More gates"})


def _title(gated: Gated) -> str:
    name = " · ".join(filter(None, (gate_of(gated), group_of(gated))))
    return f"{gated.comparison.verdict} {name}"


def _place(gated: Gated) -> dict[str, str]:
    source = gated.gate.source
    return {} if source is None else {"file": visible(source.path), "line": str(source.line)}


def _command(loud: Level, text: str, properties: Mapping[str, str]) -> str:
    given = ",".join(f"{name}={_escaped(_cut(value), _PROPERTY)}" for name, value in properties.items())
    return f"::{_COMMANDS[loud]} {given}::{_escaped(_cut(text), _DATA)}"


def _escaped(text: str, codes: Mapping[str, str]) -> str:
    return "".join(codes.get(character, character) for character in text)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
