"""Two sides in quality and in speed, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gemma_eval.records import Comparison, Outcome
from gemma_eval.verdict.quality import MARGIN, compare_scores
from gemma_eval.verdict.sides import Pair, pairs
from gemma_eval.verdict.speed import TOLERANCES, compare_times


def compare(
    base: Sequence[Outcome], candidate: Sequence[Outcome], *, margin: float = MARGIN
) -> tuple[Comparison, ...]:
    """Return how a candidate differs from a base, the scores of every group before its times.

    `margin` is how much of a score may be lost. Raises UsageError when the sides have no group in common.
    """
    return tuple(found for pair in pairs(base, candidate) for found in _of(pair, margin))


def _of(pair: Pair, margin: float) -> Iterator[Comparison]:
    scores = compare_scores(pair, margin=margin)
    if scores is not None:
        yield scores
    for metric in TOLERANCES:
        times = compare_times(pair, metric)
        if times is not None:
            yield times
