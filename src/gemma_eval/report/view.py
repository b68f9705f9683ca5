"""The page as plain rows and words, so that its templates only lay out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gemma_eval.records import Failure, Group, Report, Run, Summary
from gemma_eval.report import numbers
from gemma_eval.report.benchmarks import Benchmarks, alone, benchmarks
from gemma_eval.report.by_scorer import ByScorer, by_scorer
from gemma_eval.report.cells import timed_cells
from gemma_eval.report.conditions import harness_sentence, noisy
from gemma_eval.report.corpus import Corpus, corpus
from gemma_eval.report.distributions import Distribution, distributions
from gemma_eval.report.dots import DotFigure, dot_figures
from gemma_eval.report.effect_rows import EffectTables, effect_tables, factors
from gemma_eval.report.facts import Facts
from gemma_eval.report.findings import Finding, best, findings, wholeness
from gemma_eval.report.gates.page import GateSection, gate_section
from gemma_eval.report.groups import Groups, centre, groups_of, interval_of
from gemma_eval.report.heat import HeatFigure, heat_figures
from gemma_eval.report.lines import LineFigure, line_figures
from gemma_eval.report.matrix import Bar, Matrix, bar_of, ends, link, matrix
from gemma_eval.report.pareto_rows import TradeTable, trade_table
from gemma_eval.report.provenance import provenance
from gemma_eval.report.reductions import score_name
from gemma_eval.report.retrieval_rows import Retrievals, retrievals
from gemma_eval.report.scatter import Scatter, scatter
from gemma_eval.report.series import planes, variations
from gemma_eval.report.serving_rows import Loads, loads
from gemma_eval.report.trials import TrialRow, trial_rows
from gemma_eval.report.untimed import untimed


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryRow:
    """One group in words."""

    number: int
    model: str
    profile: str
    template: str
    retrieval: str
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
    axes: tuple[str, ...]
    matrices: tuple[Matrix, ...]
    by_scorer: ByScorer | None
    corpus: Corpus | None
    retrieval: Retrievals | None
    factors: str
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
    retrievals: tuple[str, ...]
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
        axes=_axes(groups),
        matrices=tuple(matrix(groups, model) for model in groups.models) if scored else (),
        by_scorer=by_scorer(report, groups),
        corpus=corpus(report, groups),
        retrieval=retrievals(report, groups),
        factors=factors(groups),
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
        retrievals=groups.retrievals,
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
        retrieval=group.retrieval,
        score=numbers.score(centre(score)),
        interval="" if interval_of(score) is None else numbers.interval(*ends(score)),
        bar=bar_of(score),
        ttft_p50=numbers.percentile(ttft, 50, numbers.seconds),
        ttft_p95=numbers.percentile(ttft, 95, numbers.seconds),
        tokens_per_s=numbers.known(rate),
        memory=numbers.bytes_(centre(groups.summary(group, "peak_memory_bytes"))),
        n=numbers.count(_n(score) or _n(ttft)),
        missing=_missing(score),
        link=link(groups, group),
    )


def _axes(groups: Groups) -> tuple[str, ...]:
    """Name what stands across the matrices."""
    if not groups.tells_retrievals:
        return ("templates",)
    return ("templates", "retrievals") if len(groups.templates) > 1 else ("retrievals",)


def _n(summary: Summary | None) -> int:
    return 0 if summary is None else summary.n


def _missing(score: Summary | None) -> str:
    return numbers.count(score.missing) if score is not None and score.missing else ""


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
