"""Scores by scorer as a table of shaded cells: what each kind of check says of each group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Group, Outcome, Report
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups, group_of
from gemma_eval.report.heat import STEPS
from gemma_eval.stats.clusters import cluster_of, of_case_scores
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.reduction import scorer_values

Case = tuple[str, str]
Values = Mapping[Case, float | None]
"""What checks with one scorer gave, by suite and id of the case; `None` where a repeat has no value."""
Clusters = Mapping[Case, Hashable]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerCell:
    """The mean of one scorer over one group, its interval, its shade (0..10), and what it rests on."""

    score: str
    interval: str
    shade: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerRow:
    """A scorer with a cell for each group, `None` where it judged nothing; `n` cases at most."""

    scorer: str
    cells: tuple[ScorerCell | None, ...]
    n: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ByScorer:
    """The table, and in words what its cells are."""

    columns: tuple[str, ...]
    rows: tuple[ScorerRow, ...]
    note: str


def by_scorer(report: Report, groups: Groups) -> ByScorer | None:
    """Return the mean of each scorer over the cases of each group; `None` for fewer than two scorers."""
    values = values_of([each for each in report.outcomes if group_of(each) in groups.order])
    scorers = tuple(dict.fromkeys(scorer for scorer, _ in values))
    if len(scorers) < 2:
        return None
    shown = [group for group in groups.order if any((scorer, group) in values for scorer in scorers)]
    clusters = clusters_of(report.outcomes)
    rows = tuple(
        _row(scorer, [values.get((scorer, group), {}) for group in shown], clusters) for scorer in scorers
    )
    columns = tuple(groups.label(group) for group in shown)
    note = "Means over the cases that have a check with the scorer, of its value and not by weight; "
    note += "the repeats of a case are one value. Scorers ask different things, so only a row compares."
    return ByScorer(columns=columns, rows=rows, note=note)


def values_of(outcomes: Sequence[Outcome]) -> dict[tuple[str, Group], dict[Case, float | None]]:
    """Collect the values by scorer and group, in the order in which scorers first occur."""
    cases: dict[tuple[Group, Case], list[Outcome]] = {}
    for outcome in outcomes:
        cell = outcome.trial.cell
        cases.setdefault((group_of(outcome), (cell.suite, cell.case.id)), []).append(outcome)
    found: dict[tuple[str, Group], dict[Case, float | None]] = {}
    for (group, case), repeats in cases.items():
        for scorer, value in scorer_values(repeats).items():
            found.setdefault((scorer, group), {})[case] = value
    return found


def clusters_of(outcomes: Sequence[Outcome]) -> dict[Case, Hashable]:
    """Return the cluster of each case."""
    cells = (outcome.trial.cell for outcome in outcomes)
    return {(cell.suite, cell.case.id): cluster_of(cell) for cell in cells}


def cell_of(cases: Values, clusters: Clusters) -> ScorerCell | None:
    """Return the mean over cases; one of which a value is missing is left out and counted."""
    known = {case: value for case, value in cases.items() if value is not None}
    value = mean(tuple(known.values()))
    if value is None:
        return None
    interval = of_case_scores(tuple(known.values()), [clusters[case] for case in known])
    ends = "" if interval.low is None else numbers.interval(interval.low, interval.high)
    n_cases = "1 case" if len(known) == 1 else f"{numbers.count(len(known))} cases"
    left_out = len(cases) - len(known)
    missing = f", {numbers.count(left_out)} not scored" if left_out else ""
    return ScorerCell(
        score=numbers.score(value),
        interval=ends,
        shade=round(value * STEPS),
        words=f"{ends or 'no interval'}, {n_cases}{missing}",
    )


def _row(scorer: str, of_groups: Sequence[Values], clusters: Clusters) -> ScorerRow:
    return ScorerRow(
        scorer=scorer,
        cells=tuple(cell_of(cases, clusters) for cases in of_groups),
        n=numbers.count(max(len(cases) for cases in of_groups)),
    )
