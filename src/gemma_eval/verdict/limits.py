"""A metric of one side against the worst that it may be, whatever a base has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gemma_eval.records import SHARES, UNSCORED, Comparison, Outcome
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.judged import unscored_shares
from gemma_eval.stats.looks import ALPHA, levels, reached
from gemma_eval.stats.paired import Paired, bounds, p_worse, paired
from gemma_eval.stats.percentiles import Percent, mean, percentile
from gemma_eval.stats.power import deciding, detectable
from gemma_eval.stats.power_of_shares import share_below, shares_needed
from gemma_eval.stats.ratio_bootstrap import enough_for, percentile_ratio
from gemma_eval.stats.sequential import p_over_looks
from gemma_eval.verdict.alike import first_proof
from gemma_eval.verdict.cases import counted
from gemma_eval.verdict.costs import Costs, costs, failed, pooled, sign_of
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.quality import case_means
from gemma_eval.verdict.sides import Pair
from gemma_eval.verdict.speed import ONLY_BENCHMARKS, is_in_blocks

_FEWEST = 2
"""One block has no spread."""

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
        known = replace(known, left_out=(f"{counted(missing)} without a score",))
    decided = _of_scores(known, scores, clusters, limit)
    if decided.verdict == "PASS" and missing:
        reason = f"there is no score of {counted(missing)}, so nothing can pass"
        return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)
    return decided


def unscored_limit(outcomes: Sequence[Outcome], limit: float, *, shared: str) -> Comparison | None:
    """Return how far the share of answers without a score lies above a limit, + is worse.

    The datum is the case: the share of its answers. `None` when no case with checks has an answer.
    """
    shares = unscored_shares(outcomes)
    if not shares:
        return None
    clusters_of = {
        (each.trial.cell.suite, each.trial.cell.case.id): each.trial.cell.case.cluster for each in outcomes
    }
    clusters: list[object] = [key if clusters_of[key] is None else clusters_of[key] for key in shares]
    # What has a score is a score of its own: the more of it the better, and at least what the limit leaves.
    scored = [1 - share for share in shares.values()]
    least = 1 - limit
    known = _known(UNSCORED, shared, limit=least, value=mean(scored), unit="case", n=len(scored))
    return replace(
        _of_scores(known, scored, clusters, least), base=limit, candidate=mean(tuple(shares.values()))
    )


def _of_scores(
    known: Comparison, scores: Sequence[float], clusters: Sequence[object], limit: float
) -> Comparison:
    """Return what the scores of cases prove: right and wrong ones exactly, others by their mean."""
    of = paired([limit - score for score in scores], clusters=clusters, span=1.0)
    if of is None:
        return replace(known, reason="no case has a score")
    known = replace(known, n=of.data, unit="case" if of.data == of.n else "cluster", difference=of.mean)
    if of.data == of.n and all(score in (0.0, 1.0) for score in scores):
        return _of_shares(known, sum(map(int, scores)), limit)
    return _decided(known, of, bounds(of, level=ALPHA), p=p_worse(of, 0.0))


def cost_limit(
    outcomes: Sequence[Outcome],
    metric: str,
    limit: float,
    *,
    shared: str,
    percent: Percent | None = None,
    looks: Sequence[int] | None = None,
) -> Comparison | None:
    """Return the log-ratio of a cost to a limit, + is worse; `None` when no case has it and none failed.

    The data are blocks. Of one start of an engine nothing is proved. `looks` are the numbers of blocks after
    which it was asked whether more are needed, `None` where how many there are was known before.
    """
    found = costs(Pair(shared=shared, base=tuple(outcomes), candidate=tuple(outcomes)), metric, together=True)
    lost = failed(outcomes)
    known = _known(metric, shared, limit=limit, value=None, unit="block", n=0)
    if found is None:
        return replace(known, reason="no answer has a value") if lost else None
    value = _typical(found.candidate)
    known = replace(known, candidate=value, n=max(found.blocks, 1), left_out=found.left_out)
    levels_of = levels(looks) if looks else {known.n: ALPHA}
    if percent is None:
        decided = _of_blocks(known, found, sign_of(metric), tuple(levels_of))
    else:
        decided = _of_percentile(known, found, sign_of(metric), levels_of, percent)
    if decided.reason == ONE_BLOCK and not any(map(is_in_blocks, outcomes)):
        return replace(decided, reason=ONLY_BENCHMARKS)
    if decided.verdict == "PASS" and lost:
        answers = "1 answer" if lost == 1 else f"{lost} answers"
        reason = f"{answers} failed and may have been the worst, so nothing can pass"
        return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)
    return decided


def _of_blocks(known: Comparison, found: Costs, sign: int, looks: Sequence[int]) -> Comparison:
    """Return what the blocks prove at the first look that decides, or at the last that was reached."""
    differences = [sign * (each - math.log(known.base or 1.0)) for each in found.candidate]
    known = replace(known, difference=math.fsum(differences) / len(differences))
    if found.blocks < _FEWEST:
        return replace(known, reason=ONE_BLOCK)
    samples = {look: differences[:look] for look in looks if look <= len(differences)}
    seen = first_proof(known, samples, looks=looks)
    if seen is None:
        return replace(known, reason=f"it is first looked at after {looks[0]} blocks")
    if isinstance(seen, Comparison):
        lean = None if seen.verdict == "PASS" else seen.lean
        return replace(seen, candidate=_typical(found.candidate[: seen.n]), lean=lean)
    p = p_over_looks(differences, margin=0.0, looks=looks)
    known = replace(known, n=seen.blocks, level=seen.level, difference=seen.paired.mean)
    known = replace(known, candidate=_typical(found.candidate[: seen.blocks]))
    return _decided(known, seen.paired, seen.bounds, p=p)


def _typical(logarithms: Sequence[float]) -> float:
    return math.exp(math.fsum(logarithms) / len(logarithms))


def _of_percentile(
    known: Comparison, found: Costs, sign: int, levels_of: Mapping[int, float], percent: Percent
) -> Comparison:
    """Return what a percentile over all answers proves; its error is found by drawing blocks anew."""
    look = reached(found.blocks, tuple(levels_of))
    values = found.candidate_values[:look]
    fewest = sum(map(len, values))
    if fewest < enough_for(percent):
        reason = f"a p{percent} needs {enough_for(percent)} answers, and there are {fewest}"
        return replace(known, candidate=None, reason=reason)
    value = percentile(pooled(values), percent)
    known = replace(known, candidate=value)
    if value and known.base:
        known = replace(known, difference=sign * math.log(value / known.base))
    if found.blocks < _FEWEST:
        return replace(known, reason=ONE_BLOCK)
    if look is None:
        return replace(known, reason=f"it is first looked at after {min(levels_of)} blocks")
    limits = [[known.base or 1.0] * len(each) for each in values]
    of = percentile_ratio(*((limits, values) if sign > 0 else (values, limits)), percent=percent)
    if of is None:
        return replace(known, reason=ONE_BLOCK)
    level = levels_of[look]
    # A p at its own look, made what it is worth over all of them: it is ALPHA where the look's level is met.
    p = min(1.0, p_worse(of, 0.0) * ALPHA / level)
    return _decided(replace(known, n=look, level=level), of, bounds(of, level=level), p=p)


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
    known = replace(known, low=found.low, high=found.high, verdict=verdict, p=p)
    known = replace(known, lean=None if verdict == "PASS" else lean)
    return replace(
        known,
        detectable=share_below(limit, n, level=known.level),
        needed=shares_needed(right, n, limit, level=known.level) if verdict == "INCONCLUSIVE" else None,
    )


def _decided(known: Comparison, of: Paired, found: Bounds, *, p: float) -> Comparison:
    verdict, lean = decide(found, difference=of.mean, margin=0.0)
    known = replace(known, low=found.low, high=found.high, verdict=verdict, p=p)
    known = replace(known, lean=None if verdict == "PASS" else lean)
    if not of.sd or of.few is not None:
        return known
    found_by = detectable(of.sd, of.data, level=known.level, df=of.df)
    most = (known.base or 0.0) if known.metric in SHARES else math.inf
    known = replace(known, detectable=found_by if found_by < most else None)
    if verdict != "INCONCLUSIVE" or not of.mean:
        return known
    needed = deciding(of.sd, of.mean, margin=0.0, level=known.level)
    return replace(known, needed=needed if needed is not None and needed > of.data else None)
