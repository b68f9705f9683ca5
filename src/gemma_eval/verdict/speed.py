"""The times of two sides on the same cases: log-ratios, of which the datum is the block.

A block is one start of an engine on each side. What differs between two starts (memory layout, clock,
neighbours) is the same in all answers of one, so many answers of one start are one datum and prove nothing.
Source: Kalibera and Jones 2013, ISMM (repeat at the level at which the variance arises).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gemma_eval.records import Comparison, Outcome
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.percentiles import percentile
from gemma_eval.stats.power import log_margin
from gemma_eval.stats.summary import timed
from gemma_eval.verdict.cases import cases
from gemma_eval.verdict.sides import Pair

TOLERANCES: Mapping[str, float] = {"ttft_s": 0.05, "tpot_s": 0.03}
"""By how much a time may grow when nothing else is said."""


def compare_times(pair: Pair, metric: str, *, level: float = ALPHA) -> Comparison | None:
    """Return how a time of a candidate differs from that of a base, `None` when they share no timed case.

    Each value is the geometric mean over the cases of their medians, so that their ratio is the difference.
    Each side is one block, which has a difference and no spread: neither better nor worse is ever proved.
    """
    found = cases(replace(pair, base=timed(pair.base), candidate=timed(pair.candidate)))
    both = ((_median(each.base, metric), _median(each.candidate, metric)) for each in found.asked)
    logs = [(math.log(ours), math.log(theirs)) for ours, theirs in both if ours and theirs]
    if not logs:
        return None
    base, candidate = (math.fsum(side) / len(logs) for side in zip(*logs, strict=True))
    difference = candidate - base
    return Comparison(
        metric=metric,
        shared=pair.shared,
        unit="block",
        n=1,
        base=math.exp(base),
        candidate=math.exp(candidate),
        difference=difference,
        low=None,
        high=None,
        level=level,
        margin=log_margin(TOLERANCES[metric]),
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
        lean=None if not difference else "worse" if difference > 0 else "better",
        reason="answers of one start of an engine are one datum: how much two starts differ is not known",
        left_out=tuple(found.left_out),
    )


def _median(repeats: Sequence[Outcome], metric: str) -> float | None:
    return percentile(tuple(_times(repeats, metric)), 50)


def _times(repeats: Sequence[Outcome], metric: str) -> Iterator[float]:
    for outcome in repeats:
        value = None if outcome.measurement is None else getattr(outcome.measurement, metric)
        if outcome.failure is None and value is not None:
            yield value
