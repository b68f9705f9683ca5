"""Retrievals as rows in words, as a picture of quality against latency, and as lines over what was added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.records import Report
from gemma_eval.report import numbers
from gemma_eval.report.by_scorer import Clusters, cell_of, clusters_of
from gemma_eval.report.groups import Groups, Interval, Measured, centre, interval_of
from gemma_eval.report.lines import LineFigure, line_figures
from gemma_eval.report.retrievals import ORACLE, Found, disturbed, found_by
from gemma_eval.report.scatter import Look, Point, Scatter, figure
from gemma_eval.report.trends import some
from gemma_eval.stats.losses import LOSSES

HASHING = "hashing"
"""The backend of an embedder that is there to test plumbing with."""
MOST_REASONS = 3
"""So many reasons of one retrieval are told."""
_LATENCY = Look(
    id="retrieval-scatter",
    title="Score against the time from the question to the prompt",
    x_title="ms from the question to the prompt, median",
    write=lambda value: f"{numbers.number(value)} ms",
    is_latency=True,
)
_LOST = ("not retrieved", "ranked out", "not packed", "lost by the model")
"""What the steps that lose an answer are called, in the order of `stats.losses.LOSSES`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table in words; the first cell of a row is its name."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrievals:
    """The section: tables, quality against latency where two groups have both, lines, and notes."""

    tables: tuple[Table, ...]
    scatter: Scatter | None
    lines: tuple[LineFigure, ...]
    notes: tuple[str, ...]


def retrievals(report: Report, groups: Groups) -> Retrievals | None:
    """Return what is shown of the retrievals of a run, `None` where none of them has a name."""
    found = found_by(report)
    if not found:
        return None
    answers = [each for each in found if each.group.has_model]
    alone = [each for each in found if not each.group.has_model]
    clusters = clusters_of(report.outcomes)
    what = "What a model makes of it; times are from the question to the prompt"
    only = "Passages alone; times are from the question to the passages"
    parts = (
        _table(what, answers, groups, clusters) if answers else None,
        _table(only, alone, groups, clusters) if alone else None,
        _lost(found, groups),
    )
    return Retrievals(
        tables=tuple(part for part in parts if part is not None),
        scatter=_scatter(answers or alone, groups),
        lines=line_figures(disturbed(report), groups, id_="disturbed"),
        notes=tuple(_notes(found, groups)),
    )


def name_of(found: Found, groups: Groups) -> str:
    """Name a row; the retrieval is named even where there is but one."""
    label = groups.label(found.group)
    named = found.group.retrieval
    return label if not named or named in label.split(" · ") else f"{label} · {named}"


def _table(caption: str, found: Sequence[Found], groups: Groups, clusters: Clusters) -> Table:
    scorers = tuple(dict.fromkeys(scorer for each in found for scorer in each.values))
    return Table(
        caption=caption,
        header=("retrieval", "score [95 %]", *scorers, "p50", "p95", "degraded", "n"),
        rows=tuple(
            (
                name_of(each, groups),
                numbers.score_with_interval(each.score),
                *(_value(each, scorer, clusters) for scorer in scorers),
                numbers.percentile(each.latency, 50, numbers.seconds),
                numbers.percentile(each.latency, 95, numbers.seconds),
                numbers.share(each.degraded / each.searched) if each.searched else numbers.MISSING,
                numbers.count(each.trials),
            )
            for each in found
        ),
    )


def _value(found: Found, scorer: str, clusters: Clusters) -> str:
    cell = cell_of(found.values.get(scorer, {}), clusters)
    return numbers.MISSING if cell is None else " ".join(filter(None, (cell.score, cell.interval)))


def _lost(found: Sequence[Found], groups: Groups) -> Table | None:
    """Return where answers were lost, `None` where none was or nobody can know."""
    rows = tuple(
        (
            _told(each, groups),
            *(numbers.count(each.lost[step]) for step in LOSSES),
            f"{numbers.count(sum(each.lost.values()))} of {numbers.count(each.trials)}",
        )
        for each in found
        if each.searched
    )
    if not any(any(each.lost.values()) for each in found):
        return None
    caption = "Where wrong answers were lost: the first step after which what they needed was not there"
    return Table(caption=caption, header=("retrieval", *_LOST, "in all"), rows=rows)


def _scatter(found: Sequence[Found], groups: Groups) -> Scatter | None:
    """Return quality against latency of the groups of the summary that have both.

    *Oracle* says what could be had, and nobody can choose it; among distractors it is drawn elsewhere.
    """
    points = []
    for each in found:
        score, latency_s = centre(each.score), each.latency.p50
        if each.distractors:
            continue
        if each.group in groups.order and score is not None and latency_s is not None:
            ends = interval_of(each.latency)
            ms: Interval | None = None if ends is None else (1e3 * ends[0], 1e3 * ends[1])
            speed = Measured(group=each.group, value=1e3 * latency_s, interval=ms)
            quality = Measured(group=each.group, value=score, interval=interval_of(each.score))
            points.append(Point(speed=speed, score=quality, is_choice=each.retriever != ORACLE))
    return figure(groups, points, _LATENCY)


def _told(found: Found, groups: Groups) -> str:
    """Name a group where answers and passages alone stand beside each other."""
    return name_of(found, groups) + ("" if found.group.has_model else " alone")


def _notes(found: Sequence[Found], groups: Groups) -> Iterator[str]:
    if not groups.same_cases:
        yield "Not every group has the same cases, so these scores do not compare as they stand."
    hashed = [_told(each, groups) for each in found if HASHING in each.embedders]
    if hashed:
        text = f"{some(hashed)} had the vectors of the hashing embedder, which knows how words are spelt and "
        yield text + "not what they mean: it is there to test plumbing, and its figures are of no embedder."
    for each in found:
        if each.degraded:
            trials = "1 trial" if each.searched == 1 else f"{numbers.count(each.searched)} trials"
            text = f"{_told(each, groups)}: {numbers.count(each.degraded)} of {trials} went without "
            yield text + f"something that was asked for: {'; '.join(each.reasons[:MOST_REASONS])}."
    cached = sum(each.cached for each in found)
    if cached:
        are = "answer was" if cached == 1 else "answers were"
        yield f"{numbers.count(cached)} {are} given by a cache; no time of theirs counts."
    silent = [_told(each, groups) for each in found if not each.searched]
    if silent:
        yield f"{some(silent)} looked for nothing, and so took no time for it."
    if any(each.latency.n for each in found):
        text = "Times are those of the critical path: legs that ran beside each other do not add up. "
        yield text + "gemma-eval steps shows them step by step."
