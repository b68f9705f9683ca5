"""The page as plain rows and words, so that its templates only lay out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from gemma_eval.records import Failure, Group, Report, Run, Summary
from gemma_eval.report import charts, numbers
from gemma_eval.report.benchmarks import Benchmarks, alone, benchmarks
from gemma_eval.report.by_scorer import ByScorer, by_scorer
from gemma_eval.report.cells import timed_cells
from gemma_eval.report.conditions import harness_sentence, noisy
from gemma_eval.report.corpus import Corpus, corpus
from gemma_eval.report.distributions import Distribution, distributions
from gemma_eval.report.dots import DotFigure, dot_figures
from gemma_eval.report.effect_rows import EffectTables, effect_tables
from gemma_eval.report.facts import Facts
from gemma_eval.report.findings import Finding, best, findings, wholeness
from gemma_eval.report.gates.page import GateSection, gate_section
from gemma_eval.report.groups import Groups, centre, groups_of, interval_of, overlap
from gemma_eval.report.heat import HeatFigure, heat_figures
from gemma_eval.report.lines import LineFigure, line_figures
from gemma_eval.report.pareto_rows import TradeTable, trade_table
from gemma_eval.report.provenance import provenance
from gemma_eval.report.reductions import score_name
from gemma_eval.report.scatter import Scatter, scatter
from gemma_eval.report.series import planes, variations
from gemma_eval.report.serving_rows import Loads, loads
from gemma_eval.report.trials import TrialRow, trial_rows
from gemma_eval.report.untimed import untimed
from gemma_eval.report.visible import visible

BAR_WIDTH = 96
HEAT_STEPS = 10

Standing = Literal["best", "overlaps", "below", "alone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A score and its interval on a line from 0 to 1."""

    at: float
    low: float
    high: float
    width: int = BAR_WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryRow:
    """One group in words."""

    number: int
    model: str
    profile: str
    template: str
    score: str
    interval: str
    bar: Bar | None
    ttft_p50: str
    ttft_p95: str
    tokens_per_s: str
    memory: str
    n: str
    missing: str
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixCell:
    """The score of a group, its shade (0..10), and how its interval stands to the best of the matrix."""

    score: str
    interval: str
    bar: Bar | None
    shade: int
    standing: Standing
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixRow:
    """A profile with a cell for each template, `None` where that pair did not run."""

    profile: str
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """The scores of one model, profiles down and templates across."""

    model: str
    templates: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureRow:
    """One kind of failure: how often, its first message, and where to find its trials."""

    kind: str
    n: str
    message: str
    cases: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Everything that the page shows, in its order."""

    run: Run
    noisy: str | None
    headline: str
    wholeness: str
    findings: tuple[Finding, ...]
    gates: GateSection | None
    failures: tuple[FailureRow, ...]
    scored: bool
    score_name: str
    summaries: tuple[SummaryRow, ...]
    matrices: tuple[Matrix, ...]
    by_scorer: ByScorer | None
    corpus: Corpus | None
    effects: tuple[EffectTables, ...]
    lines: tuple[LineFigure, ...]
    heats: tuple[HeatFigure, ...]
    untimed: tuple[str, ...]
    harness: str | None
    benchmarks: Benchmarks | None
    dots: tuple[DotFigure, ...]
    loads: Loads | None
    distributions: tuple[Distribution, ...]
    scatter: Scatter | None
    trade: TradeTable | None
    trials: tuple[TrialRow, ...]
    models: tuple[str, ...]
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    provenance: tuple[Facts, ...]


def page(report: Report) -> Page:
    """Arrange a report for the page."""
    groups = groups_of(report)
    scored = any(groups.measured("score"))
    cells = timed_cells(report, groups)
    return Page(
        run=report.run,
        noisy=noisy(report.run),
        headline=best(groups),
        wholeness=wholeness(report),
        findings=findings(report, groups),
        gates=gate_section(report.gating),
        failures=_failures(report),
        scored=scored,
        score_name=score_name(report.outcomes),
        summaries=tuple(_summary_row(groups, group) for group in groups.order),
        matrices=tuple(_matrix(groups, model) for model in groups.models) if scored else (),
        by_scorer=by_scorer(report, groups),
        corpus=corpus(report, groups),
        effects=effect_tables(report),
        lines=line_figures(variations(report), groups),
        heats=heat_figures(planes(report), groups),
        untimed=untimed(report, groups),
        harness=harness_sentence(report.run),
        benchmarks=benchmarks(alone(cells), groups),
        dots=dot_figures(alone(cells), groups),
        loads=loads(cells, groups),
        distributions=distributions(report, groups),
        scatter=scatter(groups),
        trade=trade_table(groups),
        trials=trial_rows(report),
        models=groups.models,
        profiles=groups.profiles,
        templates=groups.templates,
        provenance=provenance(report.run),
    )


def _summary_row(groups: Groups, group: Group) -> SummaryRow:
    score, ttft = groups.summary(group, "score"), groups.summary(group, "ttft_s")
    rate = centre(groups.summary(group, "output_tokens_per_s"))
    return SummaryRow(
        number=groups.order.index(group) + 1,
        model=group.model,
        profile=group.profile,
        template=group.template,
        score=numbers.score(centre(score)),
        interval="" if interval_of(score) is None else numbers.interval(*_ends(score)),
        bar=_bar(score),
        ttft_p50=numbers.percentile(ttft, 50, numbers.seconds),
        ttft_p95=numbers.percentile(ttft, 95, numbers.seconds),
        tokens_per_s=numbers.known(rate),
        memory=numbers.bytes_(centre(groups.summary(group, "peak_memory_bytes"))),
        n=numbers.count(_n(score) or _n(ttft)),
        missing=_missing(score),
        link=_link(groups, group),
    )


def _n(summary: Summary | None) -> int:
    return 0 if summary is None else summary.n


def _missing(score: Summary | None) -> str:
    return numbers.count(score.missing) if score is not None and score.missing else ""


def _ends(summary: Summary | None) -> tuple[float | None, float | None]:
    return interval_of(summary) or (None, None)


def _bar(score: Summary | None) -> Bar | None:
    value = centre(score)
    if value is None:
        return None
    x = charts.Scale(low=0.0, high=1.0, start=0.0, stop=BAR_WIDTH)
    low, high = interval_of(score) or (value, value)
    return Bar(at=x(value), low=x(low), high=x(high))


def _matrix(groups: Groups, model: str) -> Matrix:
    known = [each for each in groups.measured("score") if each.group.model == model]
    top = max(known, key=lambda each: each.value).group if known else None
    alone = len(known) == 1
    rows = []
    for profile in groups.profiles:
        members = (Group(model=model, profile=profile, template=template) for template in groups.templates)
        rows.append(
            MatrixRow(
                profile=profile, cells=tuple(_cell(groups, group, top, alone=alone) for group in members)
            )
        )
    return Matrix(model=model, templates=groups.templates, rows=tuple(rows))


def _cell(groups: Groups, group: Group, top: Group | None, *, alone: bool) -> MatrixCell | None:
    score = groups.summary(group, "score")
    value = centre(score)
    if value is None or top is None:
        return None
    return MatrixCell(
        score=numbers.score(value),
        interval="" if interval_of(score) is None else numbers.interval(*_ends(score)),
        bar=_bar(score),
        shade=round(min(max(value, 0.0), 1.0) * HEAT_STEPS),
        standing="alone" if alone else _standing(groups, group, top),
        link=_link(groups, group),
    )


def _standing(groups: Groups, group: Group, top: Group) -> Standing:
    if group == top:
        return "best"
    return "overlaps" if overlap(*groups.score_intervals(group, top)) else "below"


def _link(groups: Groups, group: Group) -> str:
    """Return the address on this page that filters the table of cases to one group."""
    chosen = {"model": visible(group.model)} if len(groups.models) > 1 else {}
    return "#" + urlencode({**chosen, "profile": visible(group.profile), "template": visible(group.template)})


def _failures(report: Report) -> tuple[FailureRow, ...]:
    kinds: dict[str, list[tuple[Failure, str]]] = defaultdict(list)
    for outcome in report.outcomes:
        if outcome.failure is not None:
            kinds[outcome.failure.kind].append((outcome.failure, outcome.trial.cell.case.id))
    return tuple(
        FailureRow(
            kind=kind,
            n=numbers.count(len(found)),
            message=found[0][0].message,
            cases=_some({case for _, case in found}),
        )
        for kind, found in sorted(kinds.items(), key=lambda item: -len(item[1]))
    )


def _some(names: set[str], *, most: int = 5) -> str:
    shown = sorted(names)[:most]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
