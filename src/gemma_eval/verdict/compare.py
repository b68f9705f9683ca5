"""Two sides in quality and in speed, group by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gemma_eval.records import Compared, Comparison, Outcome
from gemma_eval.verdict.edited import edited
from gemma_eval.verdict.quality import MARGIN, compare_scores
from gemma_eval.verdict.sides import Pair, changes, pairs, unpaired
from gemma_eval.verdict.speed import BY_THEMSELVES, TOLERANCES, Timing, compare_costs


def compare(
    base: Sequence[Outcome],
    candidate: Sequence[Outcome],
    *,
    margin: float = MARGIN,
    timing: Timing = BY_THEMSELVES,
) -> Compared:
    """Return how a candidate differs from a base, the scores of every group before its times.

    `margin` is how much of a score may be lost, `timing` says how both were measured. Raises UsageError when
    the sides have no group in common.
    """
    found = (comparison for pair in pairs(base, candidate) for comparison in _of(pair, margin, timing))
    return Compared(
        comparisons=tuple(found),
        changes=(*changes(base, candidate), *edited(base, candidate)),
        left_out=unpaired(base, candidate),
    )


def _of(pair: Pair, margin: float, timing: Timing) -> Iterator[Comparison]:
    scores = compare_scores(pair, margin=margin)
    if scores is not None:
        yield scores
    for metric, tolerance in TOLERANCES.items():
        times = compare_costs(pair, metric, tolerance=tolerance, timing=timing)
        if times is not None:
            yield times
