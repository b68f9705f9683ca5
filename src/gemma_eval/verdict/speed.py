"""The times of two sides on the same cases: log-ratios, of which the datum is the block.

A block is one start of an engine on each side. What differs between two starts (memory layout, clock,
neighbours) is the same in all answers of one, so many answers of one start are one datum and prove nothing.
Source: Kalibera and Jones 2013, ISMM (repeat at the level at which the variance arises).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gemma_eval.records import Comparison, Outcome
from gemma_eval.stats.looks import ALPHA, LOOKS
from gemma_eval.stats.percentiles import mean, percentile
from gemma_eval.stats.power import log_margin
from gemma_eval.stats.summary import timed
from gemma_eval.verdict.sides import Pair

TOLERANCES: Mapping[str, float] = {"ttft_s": 0.05, "tpot_s": 0.03}
"""By how much a time may grow when nothing else is said."""


def compare_times(pair: Pair, metric: str, *, level: float = ALPHA) -> Comparison | None:
    """Return how a time of a candidate differs from that of a base, `None` when they share no timed case.

    Each side is one block, which has a difference and no spread: neither better nor worse is ever proved.
    """
    ours, theirs = _medians(pair.base, metric), _medians(pair.candidate, metric)
    ratios = [math.log(theirs[case] / ours[case]) for case in ours if case in theirs]
    if not ratios:
        return None
    difference = math.fsum(ratios) / len(ratios)
    shared = [case for case in ours if case in theirs]
    return Comparison(
        metric=metric,
        shared=pair.shared,
        unit="block",
        n=1,
        base=mean([ours[case] for case in shared]),
        candidate=mean([theirs[case] for case in shared]),
        difference=difference,
        low=None,
        high=None,
        level=level,
        margin=log_margin(TOLERANCES[metric]),
        detectable=None,
        needed=LOOKS[0],
        verdict="INCONCLUSIVE",
        lean=None if not difference else "worse" if difference > 0 else "better",
        reason="one start of an engine on each side says nothing of how much two starts differ",
    )


def _medians(outcomes: Sequence[Outcome], metric: str) -> Mapping[tuple[str, str], float]:
    """Return the median of a time over the answers to each timed case, where it is above 0."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for outcome in timed(outcomes):
        value = None if outcome.measurement is None else getattr(outcome.measurement, metric)
        if outcome.failure is None and value is not None:
            found[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(value)
    medians = {case: percentile(values, 50) for case, values in found.items()}
    return {case: median for case, median in medians.items() if median}
