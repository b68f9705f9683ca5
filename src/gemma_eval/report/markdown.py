"""The Markdown report: the same figures as the page, for a terminal, a pull request or a diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from gemma_eval.records import Group, Measurement, Outcome, Report, Summary
from gemma_eval.report import numbers
from gemma_eval.report.by_scorer import ByScorer, by_scorer
from gemma_eval.report.conditions import harness_sentence, noisy
from gemma_eval.report.corpus import corpus
from gemma_eval.report.findings import findings, headline, status
from gemma_eval.report.fitting import Part, fitting
from gemma_eval.report.gates.markdown import section
from gemma_eval.report.groups import Groups, centre, group_of, groups_of
from gemma_eval.report.markdown_answers import Texts, answer, failures, lost_points
from gemma_eval.report.markdown_effects import EffectSection, effect_sections
from gemma_eval.report.markdown_facts import facts_of
from gemma_eval.report.markdown_retrieval import retrieval_tables
from gemma_eval.report.markdown_text import fence, inline, line_size, row_size, sentence, size
from gemma_eval.report.markdown_timing import timing_tables
from gemma_eval.report.markdown_variables import tables
from gemma_eval.report.reductions import score_name
from gemma_eval.report.untimed import untimed
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.reduction import case_score, reduction_name

MOST_BYTES = 900 * 1024
"""The size that a report stays below: what code hosts still show."""
_FACTS, _FAILURES, _SKIPPED, _GROUPS, _TIMING, _NOTES, _VARIED, _CASES, _ANSWERS, _EFFECTS, _SCORERS = (
    kib * 1024 for kib in (30, 50, 20, 60, 80, 20, 80, 180, 240, 60, 30)
)

Cells = tuple[str, ...]
Fitted = Part[Cells]


class Markdown:
    """Writes `report.md`."""

    file_name = "report.md"

    def render(self, report: Report) -> str:
        """Return the whole report, below 900 KiB; equal reports give equal text."""
        groups = groups_of(report)
        retrieved = bool(groups.retrievals)
        summaries = [_summary_row(groups, group) for group in groups.order]
        cases = [_case_row(each, retrieved=retrieved) for each in _cells(report.outcomes)]
        varied = tables(report, groups)
        answers = [answer(outcome) for outcome in report.outcomes if lost_points(outcome)]
        timings = timing_tables(report, groups)
        skipped = [(each.model, each.profile, str(each.cells), each.reason) for each in report.run.skipped]
        return _environment().get_template("report.md.j2").render(
            run=report.run,
            retrieved=retrieved,
            noisy=noisy(report.run),
            headline=headline(report, groups),
            findings=findings(report, groups),
            gates=section(report.gating),
            score_name=score_name(report.outcomes),
            failures=fitting(failures(report.outcomes), _texts_size, _FAILURES),
            skipped=fitting(skipped, row_size, _SKIPPED),
            summaries=fitting(summaries, row_size, _GROUPS),
            harness=harness_sentence(report.run),
            effects=_effects(effect_sections(report, groups)),
            timings=[
                (
                    each,
                    fitting(each.rows, row_size, _TIMING // len(timings)),
                    fitting(each.sentences, line_size, _NOTES // len(timings)),
                )
                for each in timings
            ],
            untimed=untimed(report, groups),
            scorers=_scorers(report, groups),
            corpus=corpus(report, groups),
            retrieval=retrieval_tables(report, groups),
            varied=[(each, fitting(each.rows, row_size, _VARIED // len(varied))) for each in varied],
            cases=fitting(cases, row_size, _CASES),
            answers=fitting(answers, _texts_size, _ANSWERS),
            facts=fitting(facts_of(report.run), row_size, _FACTS),
        )  # fmt: skip


def _scorers(report: Report, groups: Groups) -> tuple[ByScorer, Fitted] | None:
    """Return the scores by scorer with the rows that fit."""
    found = by_scorer(report, groups)
    if found is None:
        return None
    rows = [
        (
            row.scorer,
            *(f"{cell.score} {cell.interval}" if cell else numbers.MISSING for cell in row.cells),
            row.n,
        )
        for row in found.rows
    ]
    return found, fitting(rows, row_size, _SCORERS)


def _effects(
    sections: Sequence[EffectSection],
) -> Iterator[tuple[EffectSection, Fitted, Part[str], list[Fitted]]]:
    """Yield each section with its findings, notes and tables, as far as half of the bytes hold them each."""
    words = _EFFECTS // 4 // max(len(sections), 1)
    rows = _EFFECTS // 2 // max(sum(len(each.tables) for each in sections), 1)
    for each in sections:
        found = fitting(each.lines, row_size, words)
        said = fitting(each.notes, line_size, words)
        yield each, found, said, [fitting(table.rows, row_size, rows) for table in each.tables]


@cache
def _environment() -> Environment:
    """Return the template's environment. It escapes nothing by itself: the output is Markdown, not HTML."""
    environment = Environment(  # noqa: S701 - `inline` and `fence` guard every text from elsewhere
        loader=PackageLoader("gemma_eval.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"inline": inline, "sentence": sentence, "fence": fence, "count": numbers.count}
    return environment


# --- tables ------------------------------------------------------------------------------------------


def _summary_row(groups: Groups, group: Group) -> Cells:
    score, ttft = groups.summary(group, "score"), groups.summary(group, "ttft_s")
    rate = centre(groups.summary(group, "output_tokens_per_s"))
    return (
        group.model,
        group.profile,
        group.template,
        *((group.retrieval or numbers.MISSING,) if groups.retrievals else ()),
        numbers.MISSING if score is None else numbers.score_with_interval(score),
        numbers.percentile(ttft, 50, numbers.seconds),
        numbers.percentile(ttft, 95, numbers.seconds),
        numbers.known(rate),
        numbers.bytes_(centre(groups.summary(group, "peak_memory_bytes"))),
        _n(score),
        _n(ttft),
    )


def _n(summary: Summary | None) -> str:
    """Say how many data a value rests on, and how many it lacks."""
    if summary is None:
        return "0"
    missing = f" ({numbers.count(summary.missing)} missing)" if summary.missing else ""
    return f"{numbers.count(summary.n)}{missing}"


def _cells(outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, ...]]:
    """Yield the outcomes of each case and group together, in the order in which they first occur."""
    cells: dict[tuple[str, str, Group], list[Outcome]] = {}
    for outcome in outcomes:
        cell = outcome.trial.cell
        cells.setdefault((cell.suite, cell.case.id, group_of(outcome)), []).append(outcome)
    yield from (tuple(members) for members in cells.values())


def _case_row(outcomes: tuple[Outcome, ...], *, retrieved: bool) -> Cells:
    cell = outcomes[0].trial.cell
    answered = [outcome for outcome in outcomes if outcome.failure is None]
    measured = [outcome.measurement for outcome in answered if outcome.measurement is not None]
    rate = _mean(measured, "output_tokens_per_s")
    return (
        cell.case.id,
        cell.model.name,
        cell.profile.name,
        cell.template.name,
        *((cell.retrieval.name or numbers.MISSING,) if retrieved else ()),
        _case_score(outcomes),
        _verdict(outcomes),
        numbers.seconds(_mean(measured, "ttft_s")),
        numbers.known(rate),
        numbers.count(len(answered))
        if len(answered) == len(outcomes)
        else f"{len(answered)} of {len(outcomes)}",
    )


def _case_score(outcomes: Sequence[Outcome]) -> str:
    """Write the score of a case, and what it is of its repeats where that is not their mean."""
    score, case = case_score(outcomes), outcomes[0].trial.cell.case
    plain = case.reduce == "mean" or not case.checks
    return numbers.score(score) if plain else f"{numbers.score(score)} ({reduction_name(case)})"


def _verdict(outcomes: Sequence[Outcome]) -> str:
    """Return the worst that happened to a case; `open` is that nothing was demanded."""
    found = {status(outcome) for outcome in outcomes}
    order: tuple[Literal["error", "missed", "open", "passed"], ...] = ("error", "missed", "open", "passed")
    return next(name for name in order if name in found)


def _mean(
    measurements: Sequence[Measurement], name: Literal["ttft_s", "output_tokens_per_s"]
) -> float | None:
    values = [value for measured in measurements if (value := getattr(measured, name)) is not None]
    return mean(values) if values else None


# --- size --------------------------------------------------------------------------------------------


def _texts_size(texts: Texts) -> int:
    lines = sum(size(inline(line)) for line in (texts.heading, *texts.notes))
    return lines + sum(size(inline(name) + fence(text)) + 12 for name, text in texts.fenced) + 12
