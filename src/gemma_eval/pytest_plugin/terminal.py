"""The closing lines of a run: a table per model, and what became of its trials; in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from textwrap import wrap

from gemma_eval.records import Group, Report, Summary
from gemma_eval.report import numbers
from gemma_eval.report.groups import groups_of
from gemma_eval.report.untimed import untimed

WIDTH = 80
_HEADER = ("profile", "template", "score [95 %]", "TTFT p50/p95", "tokens/s", "memory", "n")
_NAMES = 2
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and how it is emphasised on a terminal that can."""

    text: str
    markup: Mapping[str, bool] = field(default_factory=dict)


def table(summaries: Sequence[Summary]) -> list[Line]:
    """Return a table of profile by template for each model: score, TTFT, output tokens/s, peak memory and n.

    `n` counts the cases that were scored, or the generations that were timed when nothing was scored.
    """
    by_group: dict[Group, dict[str, Summary]] = {}
    for summary in summaries:
        by_group.setdefault(summary.group, {})[summary.metric] = summary
    rows = [_HEADER, *(_row(group, metrics) for group, metrics in by_group.items())]
    widths = _widths(rows)
    shown: list[Line] = []
    models = groupby(zip(by_group, rows[1:], strict=True), key=lambda pair: pair[0].model)
    for model, pairs in models:
        shown += [Line(f"model {model}", {"bold": True}), Line(_formatted(_HEADER, widths))]
        shown += [Line(_formatted(row, widths)) for _, row in pairs]
        shown.append(Line(""))
    return shown


def ending(report: Report) -> list[Line]:
    """Return what became of the planned trials: how many were recorded, failed, or are missing."""
    planned, recorded = report.run.planned, len(report.outcomes)
    failed = sum(outcome.failure is not None for outcome in report.outcomes)
    unscored = sum(any(score.value is None for score in outcome.scores) for outcome in report.outcomes)
    shown = [Line(f"{recorded} of {planned} trials recorded")]
    if failed:
        shown.append(Line(f"{failed} without an answer: they count as missing, not as 0", {"red": True}))
    if unscored:
        shown.append(Line(f"{unscored} with a check that could not be scored", {"yellow": True}))
    for sentence in untimed(report, groups_of(report)):
        shown += map(Line, wrap(sentence, WIDTH))
    if recorded < planned:
        missing = "1 trial is" if planned - recorded == 1 else f"{planned - recorded} trials are"
        text = f"interrupted: {missing} missing, the report is partial and says so"
        shown.append(Line(text, {"yellow": True}))
    return shown


def _row(group: Group, metrics: Mapping[str, Summary]) -> tuple[str, ...]:
    score, ttft = metrics["score"], metrics["ttft_s"]
    return (
        group.profile,
        group.template,
        numbers.score_with_interval(score),
        _pair(numbers.seconds(ttft.p50), numbers.seconds(ttft.p95)),
        numbers.rate(metrics["output_tokens_per_s"].p50).removesuffix("/s"),
        numbers.bytes_(metrics["peak_memory_bytes"].p50),
        numbers.count(score.n or ttft.n),
    )


def _pair(first: str, second: str) -> str:
    """Join two numbers, naming their unit once when it is the same: `12.3/15.1 ms`."""
    value, _, unit = first.rpartition(" ")
    return f"{value}/{second}" if value and second.endswith(f" {unit}") else f"{first}/{second}"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return column widths that fit 80 columns: only the two columns of names give way."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - WIDTH
    while excess > 0 and max(widths[:_NAMES]) > len("template"):
        widths[widths.index(max(widths[:_NAMES]))] -= 1
        excess -= 1
    return widths


def _formatted(row: Sequence[str], widths: Sequence[int]) -> str:
    names = [_cut(text, width).ljust(width) for text, width in zip(row, widths, strict=True)][:_NAMES]
    figures = [text.rjust(width) for text, width in zip(row, widths, strict=True)][_NAMES:]
    return _GAP.join([*names, *figures])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
