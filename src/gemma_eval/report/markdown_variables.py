"""What was varied as tables of Markdown: the points of each line, and a grid for each pair of variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gemma_eval.records import Report
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups
from gemma_eval.report.heat import HeatFigure, heat_figures
from gemma_eval.report.lines import LineFigure, line_figures
from gemma_eval.report.series import planes, variations

Cells = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table under its title."""

    title: str
    header: Cells
    rows: tuple[Cells, ...]


def tables(report: Report, groups: Groups) -> tuple[Table, ...]:
    """Return the tables of a report, none when nothing was varied."""
    points = [_points(figure) for figure in line_figures(variations(report), groups)]
    grids = [grid for figure in heat_figures(planes(report), groups) for grid in _grids(figure)]
    return (*points, *grids)


def _points(figure: LineFigure) -> Table:
    tokens = ("prompt tokens",) if figure.has_tokens else ()
    perplexity = ("perplexity",) if figure.is_likelihood else ()
    return Table(
        title=figure.title,
        header=("group", figure.variable, *tokens, f"{figure.scored} [95 % interval]", *perplexity, "cases"),
        rows=tuple(
            (
                row.name,
                *row.at,
                *((row.prompt_tokens,) if figure.has_tokens else ()),
                row.score,
                *((row.perplexity,) if figure.is_likelihood else ()),
                row.n,
            )
            for row in figure.rows
        ),
    )


def _grids(figure: HeatFigure) -> Iterator[Table]:
    for each in figure.maps:
        tokens = [f" ({count} tokens)" for count in each.tokens] or [""] * len(each.columns)
        columns = (f"{name}{more}" for name, more in zip(each.columns, tokens, strict=True))
        yield Table(
            title=f"{figure.title}: {each.name}",
            header=(f"{figure.down} down, {figure.across} across", *columns),
            rows=tuple(
                (row.value, *(numbers.MISSING if cell is None else cell.score for cell in row.cells))
                for row in each.rows
            ),
        )
