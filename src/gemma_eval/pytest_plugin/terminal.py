"""The closing lines of a run: tables of groups, benchmarks and loads, and what became of its trials."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from textwrap import wrap

from gemma_eval.records import NOBODY, Gating, Group, Outcome, Report, Skipped, Summary, Verdict
from gemma_eval.report import numbers
from gemma_eval.report.benchmarks import alone, is_flagged, n_of
from gemma_eval.report.cells import TimedCell, timed_cells
from gemma_eval.report.conditions import harness_sentence, noisy
from gemma_eval.report.gates.github import annotation_lines
from gemma_eval.report.gates.terminal import lines
from gemma_eval.report.groups import Groups, groups_of
from gemma_eval.report.judges import about_judges, own_judges
from gemma_eval.report.reductions import told as reduced
from gemma_eval.report.serving_rows import Served, served, warnings
from gemma_eval.report.untimed import untimed
from gemma_eval.report.visible import visible

WIDTH = 80
MOST_ROWS = 40
"""A table of benchmarks or loads is cut here; the report has them all."""
MOST_REASONS = 3
"""So many reasons why cells were skipped are said; the report has them all."""

_AXES = ("profile", "template", "retrieval")
_MEMORY = "memory"
_OF_ANSWERS = ("TTFT p50/p95", "tokens/s", _MEMORY)
_FIGURES = ("score [95 %]", *_OF_ANSWERS, "n")
_BENCHMARKS = ("benchmark", "group", "TTFT p50", "prompt tok/s", "output tok/s", "n")
_LOADS = ("load", "group", "ok", "req/s", "output tok/s", "TTFT p50/p95", "good/s")
_NAMES = 2
_SHORTEST = len("template")
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and how it is emphasised on a terminal that can."""

    text: str
    markup: Mapping[str, bool] = field(default_factory=dict)


def closing(report: Report) -> list[Line]:
    """Return everything that is said of a run, in lines of 80 columns."""
    gates = [] if report.gating is None else [Line(""), *verdicts(report.gating), Line("")]
    return [*table(report.summaries), *timings(report), *ending(report), *gates]


def table(summaries: Sequence[Summary]) -> list[Line]:
    """Return a table of the groups for each model: score, TTFT, output tokens/s, peak memory and n.

    `n` counts the cases that were scored, or the generations that were timed when nothing was scored.
    """
    by_group: dict[Group, dict[str, Summary]] = {}
    for summary in summaries:
        by_group.setdefault(summary.group, {})[summary.metric] = summary
    columns = _columns(tuple(by_group))
    names = sum(column in _AXES for column in columns)
    rows = [columns, *(_row(group, metrics, columns) for group, metrics in by_group.items())]
    widths = _widths(rows, names=names)
    shown: list[Line] = []
    models = groupby(zip(by_group, rows[1:], strict=True), key=lambda pair: pair[0].model)
    for model, pairs in models:
        kept = [at for at, column in enumerate(columns) if model != NOBODY or column not in _OF_ANSWERS]
        title = f"model {model}" if model != NOBODY else "passages alone"
        wide = [widths[at] for at in kept]
        whole = (columns, *(row for _, row in pairs))
        made = [Line(_formatted([row[at] for at in kept], wide, names=names)) for row in whole]
        shown += [Line(title, {"bold": True}), *made, Line("")]
    return shown


def _columns(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the heads of the columns: where retrievals have names, only axes with a choice have one.

    With all three of these there is no room for the memory.
    """
    if not any(group.retrieval for group in groups):
        return (*_AXES[:_NAMES], *_FIGURES)
    asked = [group for group in groups if group.has_model]
    several = [axis for axis in _AXES[:_NAMES] if len({getattr(group, axis) for group in asked}) > 1]
    figures = [name for name in _FIGURES if name != _MEMORY or len(several) < _NAMES]
    return (*several, "retrieval", *figures)


def timings(report: Report) -> list[Line]:
    """Return a table of the benchmarks, a row for each case and group, and one of the loads."""
    groups = groups_of(report)
    cells = timed_cells(report, groups)
    one_by_one, under_load = alone(cells), served(cells)
    shown = _cut_table(_BENCHMARKS, [_benchmark(cell, groups) for cell in one_by_one])
    if any(is_flagged(cell) for cell in one_by_one[:MOST_ROWS]):
        shown[-1:] = [*_wrapped("! prompts from a cache, or answers of different lengths"), Line("")]
    shown += _cut_table(_LOADS, [_load(each, groups) for each in under_load])
    said = [line for each in under_load for said in warnings(each, groups) for line in _wrapped(said)]
    return [*shown, *said, *([Line("")] if said else [])]


def ending(report: Report) -> list[Line]:
    """Return what became of the planned trials, what was skipped, and how far the times can be trusted."""
    run = report.run
    planned, recorded = run.planned, len(report.outcomes)
    failed = sum(outcome.failure is not None for outcome in report.outcomes)
    unscored = sum(any(score.value is None for score in outcome.scores) for outcome in report.outcomes)
    shown = [Line(f"{recorded} of {planned} trials recorded")]
    if failed:
        shown.append(Line(f"{failed} without an answer: they count as missing, not as 0", {"red": True}))
    if unscored:
        shown.append(Line(f"{unscored} with a check that could not be scored", {"yellow": True}))
    for sentence in left_out(run.skipped):
        shown += _wrapped(sentence, {"yellow": True})
    shown += _wrapped(went_without(report.outcomes), {"yellow": True})
    for sentence in own_judges(report):
        shown += _wrapped(sentence, {"yellow": True})
    shown += _wrapped(about_judges(report))
    shown += _wrapped(reduced(report.outcomes))
    for sentence in untimed(report, groups_of(report)):
        shown += _wrapped(sentence)
    shown += _wrapped(noisy(run), {"yellow": True}) + _wrapped(harness_sentence(run))
    if recorded < planned:
        missing = "1 trial is" if planned - recorded == 1 else f"{planned - recorded} trials are"
        text = f"interrupted: {missing} missing, the report is partial and says so"
        shown.append(Line(text, {"yellow": True}))
    elif run.state != "done":
        shown.append(Line("interrupted before all its blocks were measured", {"yellow": True}))
    return shown


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """Return how many cells were skipped for each reason, the most frequent ones."""
    counts: Counter[str] = Counter()
    for each in skipped:
        counts[each.reason] += each.cells
    said = [
        f"{count} {'cell' if count == 1 else 'cells'} skipped: {reason}"
        for reason, count in counts.most_common(MOST_REASONS)
    ]
    more = len(counts) - len(said)
    return [*said, f"cells skipped for other reasons: {more}, see the report"] if more > 0 else said


def went_without(outcomes: Sequence[Outcome]) -> str | None:
    """Say how many trials lacked what their retrieval asks for, as a memory that is away, and why."""
    reasons = Counter(each.trace.degraded for each in outcomes if each.trace and each.trace.degraded)
    if not reasons:
        return None
    n, why = reasons.total(), [reason for reason, _ in reasons.most_common(MOST_REASONS)]
    trials = "1 trial" if n == 1 else f"{n} trials"
    return f"{trials} went without something that was asked for, and count all the same: {'; '.join(why)}"


def verdicts(gating: Gating) -> list[Line]:
    """Return what became of the gates, each line in the colour of its verdict."""
    return [Line(text, _COLOURS.get(verdict, {}) if verdict else {}) for text, verdict in lines(gating)]


_COLOURS: Mapping[Verdict, Mapping[str, bool]] = {
    "REGRESSED": {"red": True},
    "MISSING": {"red": True},
    "PASS": {"green": True},
    "ACCEPTED": {"green": True},
    "INCONCLUSIVE": {"yellow": True},
    "INCOMPARABLE": {"yellow": True},
    "INCOMPLETE": {"yellow": True},
    "INVALID": {"yellow": True},
}


def commands(gating: Gating | None) -> tuple[str, ...]:
    """Return what GitHub Actions shows beside the changed files, when this runs there."""
    if gating is None or os.environ.get("GITHUB_ACTIONS") != "true":
        return ()
    return tuple(annotation_lines(gating))


def _row(group: Group, metrics: Mapping[str, Summary], columns: Sequence[str]) -> tuple[str, ...]:
    score, ttft = metrics["score"], metrics["ttft_s"]
    figures = (
        numbers.score_with_interval(score),
        _p50_p95(ttft),
        numbers.known(metrics["output_tokens_per_s"].p50),
        numbers.bytes_(metrics["peak_memory_bytes"].p50),
        numbers.count(score.n or ttft.n),
    )
    names = {axis: getattr(group, axis) or numbers.MISSING for axis in _AXES}
    known = {**names, **dict(zip(_FIGURES, figures, strict=True))}
    return tuple(known[column] for column in columns)


def _benchmark(cell: TimedCell, groups: Groups) -> tuple[str, ...]:
    return (
        visible(cell.name),
        visible(groups.label(cell.group)),
        numbers.percentile(cell.summary("ttft_s"), 50, numbers.seconds),
        numbers.known(cell.summary("prompt_tokens_per_s").p50),
        numbers.known(cell.summary("output_tokens_per_s").p50),
        f"{n_of(cell)}{' !' if is_flagged(cell) else ''}",
    )


def _load(each: Served, groups: Groups) -> tuple[str, ...]:
    found = each.serving
    whole = None if found.traffic is None else found.traffic.whole
    return (
        visible(each.cell.name),
        visible(groups.label(each.cell.group)),
        f"{found.answered}/{found.scheduled}",
        numbers.known(None if whole is None else whole.requests_per_s),
        numbers.known(None if whole is None else whole.output_tokens_per_s),
        _p50_p95(each.ttft),
        numbers.known(None if found.goodput is None else found.goodput.per_s),
    )


def _p50_p95(summary: Summary) -> str:
    """Join two percentiles, naming their unit once when it is the same: `12.3/15.1 ms`."""
    first = numbers.percentile(summary, 50, numbers.seconds)
    second = numbers.percentile(summary, 95, numbers.seconds)
    value, _, unit = first.rpartition(" ")
    return f"{value}/{second}" if value and second.endswith(f" {unit}") else f"{first}/{second}"


def _cut_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[Line]:
    """Return a table with its header in bold and an empty line below it; nothing without rows."""
    if not rows:
        return []
    shown = rows[:MOST_ROWS]
    widths = _widths([header, *shown])
    lines = [Line(_formatted(header, widths), {"bold": True})]
    lines += [Line(_formatted(row, widths)) for row in shown]
    if len(rows) > MOST_ROWS:
        lines.append(Line(f"{len(rows) - MOST_ROWS} more rows are in the report"))
    return [*lines, Line("")]


def _wrapped(sentence: str | None, markup: Mapping[str, bool] | None = None) -> list[Line]:
    return [Line(line, markup or {}) for line in wrap(visible(sentence or ""), WIDTH)]


def _widths(rows: Sequence[Sequence[str]], *, names: int = _NAMES) -> list[int]:
    """Return column widths that fit 80 columns: only the first ones, with names, give way."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - WIDTH
    while excess > 0 and max(widths[:names]) > _SHORTEST:
        widths[widths.index(max(widths[:names]))] -= 1
        excess -= 1
    return widths


def _formatted(row: Sequence[str], widths: Sequence[int], *, names: int = _NAMES) -> str:
    named = [_cut(text, width).ljust(width) for text, width in zip(row, widths, strict=True)][:names]
    figures = [text.rjust(width) for text, width in zip(row, widths, strict=True)][names:]
    return _GAP.join([*named, *figures])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
