"""A metric of one side against the worst that it may be, whatever a base has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.records import Comparison, Outcome
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.paired import Paired, bounds, p_worse, paired
from gemma_eval.stats.percentiles import Percent, mean, percentile
from gemma_eval.stats.power import deciding, detectable
from gemma_eval.stats.ratio_bootstrap import enough_for, percentile_ratio
from gemma_eval.verdict.costs import costs, pooled, sign_of
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.quality import case_means
from gemma_eval.verdict.sides import Pair

ONE_BLOCK = "answers of one start of an engine are one datum; ask for more blocks"


def score_limit(outcomes: Sequence[Outcome], limit: float, *, shared: str) -> Comparison | None:
    """Return how far the mean score lies below a limit, + is worse; `None` when no case has checks.

    Right and wrong answers have the exact bounds of Clopper and Pearson, other scores those of a mean.
    """
    found = case_means(outcomes)
    if found is None:
        return None
    scores, clusters, missing = found
    known = _known("score", shared, limit=limit, value=mean(scores), unit="case", n=len(scores))
    if missing:
        known = replace(known, left_out=(f"{missing} without a score",))
    of = paired([limit - score for score in scores], clusters=clusters, span=1.0)
    if of is None:
        return replace(known, reason="no case has a score")
    known = replace(known, n=of.data, unit="case" if of.data == of.n else "cluster", difference=of.mean)
    if of.data == of.n and all(score in (0.0, 1.0) for score in scores):
        decided = _of_shares(known, sum(map(int, scores)), limit)
    else:
        decided = _decided(known, of, bounds(of, level=ALPHA), p=p_worse(of, 0.0))
    if decided.verdict == "PASS" and missing:
        reason = f"{missing} cases have no score, so nothing can pass"
        return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)
    return decided


def cost_limit(
    outcomes: Sequence[Outcome], metric: str, limit: float, *, shared: str, percent: Percent | None = None
) -> Comparison | None:
    """Return the log-ratio of a cost to a limit, + is worse; `None` when no case has it.

    The data are blocks. Of one start of an engine nothing is proved.
    """
    alone = Pair(shared=shared, base=tuple(outcomes), candidate=tuple(outcomes))
    found = costs(alone, metric, together=True)
    if found is None:
        return None
    sign, at = sign_of(metric), math.log(limit)
    value = math.exp(math.fsum(found.candidate) / len(found.candidate))
    known = _known(metric, shared, limit=limit, value=value, unit="block", n=max(found.blocks, 1))
    of = paired([sign * (each - at) for each in found.candidate])
    if percent is not None:
        fewest = sum(map(len, found.candidate_values))
        if fewest < enough_for(percent):
            return replace(known, reason=f"a p{percent} needs {enough_for(percent)} answers, not {fewest}")
        limits = [[limit] * len(values) for values in found.candidate_values]
        ours, theirs = (limits, found.candidate_values) if sign > 0 else (found.candidate_values, limits)
        of = percentile_ratio(ours, theirs, percent=percent)
        known = replace(known, candidate=percentile(pooled(found.candidate_values), percent))
    if of is None or of.se is None:
        return replace(known, reason=ONE_BLOCK)
    return _decided(replace(known, difference=of.mean), of, bounds(of, level=ALPHA), p=p_worse(of, 0.0))


def _known(metric: str, shared: str, *, limit: float, value: float | None, unit: str, n: int) -> Comparison:
    return Comparison(
        metric=metric,
        shared=shared,
        unit="case" if unit == "case" else "block",
        n=n,
        base=limit,
        candidate=value,
        difference=None,
        low=None,
        high=None,
        level=ALPHA,
        margin=0.0,
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
    )


def _of_shares(known: Comparison, right: int, limit: float) -> Comparison:
    """Return what the exact bounds of a share prove.

    Source: Clopper and Pearson 1934, Biometrika 26:404-413.
    """
    from scipy.special import bdtr, betaincinv

    n, wrong = known.n, known.n - right
    least = float(betaincinv(right, wrong + 1, known.level)) if right else 0.0
    most = float(betaincinv(right + 1, wrong, 1 - known.level)) if wrong else 1.0
    p = float(bdtr(right, n, limit))
    found = Bounds(low=limit - most, high=limit - least)
    verdict, lean = decide(found, difference=known.difference, margin=0.0)
    lean = None if verdict == "PASS" else lean
    return replace(known, low=found.low, high=found.high, verdict=verdict, lean=lean, p=p)


def _decided(known: Comparison, of: Paired, found: Bounds, *, p: float) -> Comparison:
    verdict, lean = decide(found, difference=of.mean, margin=0.0)
    known = replace(known, low=found.low, high=found.high, verdict=verdict, p=p)
    known = replace(known, lean=None if verdict == "PASS" else lean)
    if of.sd is None or verdict != "INCONCLUSIVE" or of.few is not None:
        return known
    needed = deciding(of.sd, of.mean, margin=0.0, level=ALPHA) if of.mean else None
    return replace(
        known,
        detectable=detectable(of.sd, of.data, level=ALPHA, df=of.df),
        needed=needed if needed is not None and needed > of.data else None,
    )
