"""Profile and template, and quality against speed, as tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gemma_eval.records import Report
from gemma_eval.report.effect_rows import EffectRow, EffectTables, effect_tables, factors
from gemma_eval.report.groups import Groups
from gemma_eval.report.pareto_rows import TradeTable, trade_table
from gemma_eval.report.reductions import score_name

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EffectTable:
    """A table and what it holds."""

    caption: str
    header: Cells
    rows: tuple[Cells, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectSection:
    """What is shown of one model, or of all: findings as topics with sentences, tables and notes."""

    title: str
    lines: tuple[Cells, ...]
    tables: tuple[EffectTable, ...]
    notes: tuple[str, ...]


def effect_sections(report: Report, groups: Groups) -> tuple[EffectSection, ...]:
    """Return a section for each model with a choice of profile or template, and one of quality and speed."""
    found = effect_tables(report)
    trade, score = trade_table(groups), f"{score_name(report.outcomes)} [95 % interval]"
    return (
        *(_section(each, score, factors(groups)) for each in found),
        *(() if trade is None else (_trade(trade, score),)),
    )


def _section(of: EffectTables, score: str, varied: str) -> EffectSection:
    return EffectSection(
        title=f"What {varied} do{of.title and ': '}{of.title}",
        lines=tuple((each.topic, each.text) for each in of.findings),
        tables=tuple(_tables(of, score, varied)),
        notes=of.notes,
    )


def _tables(of: EffectTables, score: str, varied: str) -> Iterator[EffectTable]:
    """Yield the tables; `score` heads the column of scores."""
    if of.parts:
        yield EffectTable(
            f"Each {varied} held against the first, and both together against the sum of the two",
            (
                "effect",
                "of",
                score,
                "change",
                "95 % interval",
                "shown",
                "n",
                "detectable",
            ),
            tuple((part.name, *_row(row)) for part in of.parts for row in part.rows),
        )
    if of.ranking:
        yield EffectTable(
            "Every choice held against the best",
            ("choice", score, "behind", "95 % interval", "standing", "n", "detectable"),
            tuple(_row(row) for row in of.ranking),
        )
    if of.ledger:
        header = ("choice", score, "of cases", "of repeats", "standard error")
        judged = () if of.ledger[0].of_judges is None else ("of judges",)
        more = ("twice the cases", "twice the repeats", "cases", "repeats", "n", "detectable")
        yield EffectTable(
            "What the error of each score is made of, and what it would be with more",
            (*header, *judged, *more),
            tuple(
                (
                    *(row.name, _both(row.score, row.interval), row.of_cases, row.of_repeats, row.now),
                    *(() if row.of_judges is None else (row.of_judges,)),
                    *(row.twice_cases, row.twice_repeats, row.cases, row.repeats, row.n, row.detectable),
                )
                for row in of.ledger
            ),
        )


def _trade(of: TradeTable, score: str) -> EffectSection:
    header = ("group", score, f"{of.speed} [95 % interval]", "standing")
    return EffectSection(
        title="Quality and speed",
        lines=(),
        tables=(
            EffectTable(
                "The front are those that no other one is as good as in both and better in one",
                (*header, "cases", "timings", "detectable"),
                tuple(
                    (
                        *(
                            row.name,
                            _both(row.score, row.score_interval),
                            _both(row.speed, row.speed_interval),
                        ),
                        *(row.standing, row.cases, row.answers, row.detectable),
                    )
                    for row in of.rows
                ),
            ),
        ),
        notes=of.notes,
    )


def _row(row: EffectRow) -> Cells:
    scored = _both(row.score, row.interval)
    return row.name, scored, row.change, row.bounds, row.standing, row.n, row.detectable


def _both(value: str, interval: str) -> str:
    return f"{value} {interval}" if interval else value
