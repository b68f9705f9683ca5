"""Which cases are one datum together: those of one cluster, as questions about one document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from gemma_eval.records import Cell
from gemma_eval.stats.intervals import Interval, of_clustered_scores, of_scores


def cluster_of(cell: Cell) -> Hashable:
    """Return the cluster of a case, and what tells the case from others where it has none."""
    return (cell.suite, cell.case.id) if cell.case.cluster is None else cell.case.cluster


def of_case_scores(scores: Sequence[float], clusters: Sequence[Hashable]) -> Interval:
    """Return the interval of the mean of scores in 0..1, each of a case of the cluster at its place."""
    together: dict[Hashable, list[float]] = defaultdict(list)
    for score, cluster in zip(scores, clusters, strict=True):
        together[cluster].append(score)
    if len(together) == len(scores):
        return of_scores(scores)
    return of_clustered_scores(list(together.values()))
