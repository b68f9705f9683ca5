"""The costs of two sides: log-ratios, of which the datum is the block, or the run where there are no blocks.

Sides that were measured in turn are looked at after certain numbers of blocks, and the first look that proves
something decides. Two runs that were made each by itself are one datum: how much two runs differ is not to be
seen from them, however many answers they have, but only from runs of before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Comparison, Lean
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.looks import ALPHA, LOOKS, levels, reached
from gemma_eval.stats.paired import Paired, Prior, bounds, p_worse, paired
from gemma_eval.stats.percentiles import Percent, percentile
from gemma_eval.stats.power import deciding, detectable, log_margin
from gemma_eval.stats.ratio_bootstrap import enough_for, percentile_ratio
from gemma_eval.stats.sequential import first_decision, p_over_looks
from gemma_eval.verdict.alike import of_equal_blocks
from gemma_eval.verdict.cases import counted
from gemma_eval.verdict.costs import Costs, costs, pooled, sign_of
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.sides import Pair

TOLERANCES: Mapping[str, float] = {"ttft_s": 0.05, "tpot_s": 0.03}
"""By how much a time may grow when nothing else is said."""

UNKNOWN_NOISE = "answers of one start of an engine are one datum: how much two starts differ is not known"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How two sides were measured: in turn, block by block (`together`), or each by itself.

    `prior` is what earlier blocks, or earlier runs, say of the variance of one difference.
    """

    together: bool = False
    looks: Sequence[int] = LOOKS
    prior: Prior | None = None
    percentile: Percent | None = None


BY_THEMSELVES = Timing()


def compare_costs(
    pair: Pair, metric: str, *, tolerance: float, timing: Timing = BY_THEMSELVES
) -> Comparison | None:
    """Return how a cost of a candidate differs from that of a base, `None` when they share no timed case.

    Each value is the geometric mean over the cases of their medians, so that their ratio is the difference;
    with a percentile it is that of all answers.
    """
    found = costs(pair, metric, together=timing.together)
    if found is None:
        return None
    differences = found.differences(metric)
    known = _described(pair, found, metric, differences, margin=log_margin(tolerance))
    if timing.percentile is not None:
        decided = _of_percentile(known, found, metric, timing, timing.percentile)
    elif found.blocks:
        decided = _of_blocks(known, differences, timing)
    else:
        # What blocks in turn differ by is not what runs by themselves do.
        decided = _of_runs(known, differences[0], None if timing.together else timing.prior)
    return _unless_lost(decided, found.lost)


def _described(
    pair: Pair, found: Costs, metric: str, differences: Sequence[float], *, margin: float
) -> Comparison:
    """Return a comparison of which nothing is known yet but its data."""
    difference = math.fsum(differences) / len(differences)
    return Comparison(
        metric=metric,
        shared=pair.shared,
        unit="block" if found.blocks else "run",
        n=max(found.blocks, 1),
        base=math.exp(math.fsum(found.base) / len(found.base)),
        candidate=math.exp(math.fsum(found.candidate) / len(found.candidate)),
        difference=difference,
        low=None,
        high=None,
        level=ALPHA,
        margin=margin,
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
        lean=_leaning(difference),
        left_out=found.left_out,
    )


def _leaning(difference: float) -> Lean | None:
    return "worse" if difference > 0 else "better" if difference < 0 else None


def _of_blocks(known: Comparison, differences: Sequence[float], timing: Timing) -> Comparison:
    """Return what the first look that decides has proved, or the last one that was reached."""
    margin, looks, prior = known.margin, timing.looks, timing.prior
    seen = first_decision(differences, margin=margin, looks=looks, prior=prior)
    if seen is None:
        return replace(known, reason=f"it is first looked at after {looks[0]} blocks")
    if seen.paired.se == 0 and (alike := of_equal_blocks(known, differences, levels(looks))):
        return alike
    p = p_over_looks(differences, margin=margin, looks=looks, prior=prior)
    known = replace(known, n=seen.blocks, level=seen.level, p=p)
    return _decided(known, seen.paired, seen.bounds, last=levels(looks)[looks[-1]], prior=prior)


def _of_runs(known: Comparison, difference: float, prior: Prior | None) -> Comparison:
    """Return what one difference proves where earlier runs tell how much two of them differ."""
    of = paired([difference], prior=prior)
    if of is None or prior is None:
        return replace(known, reason=UNKNOWN_NOISE)
    known = replace(known, p=p_worse(of, known.margin))
    return replace(_decided(known, of, bounds(of, level=ALPHA), last=ALPHA, prior=prior), needed=None)


def _of_percentile(
    known: Comparison, found: Costs, metric: str, timing: Timing, percent: Percent
) -> Comparison:
    """Return what the percentiles of blocks prove; their error is found by drawing blocks anew."""
    look = reached(found.blocks, timing.looks)
    sides = [side[:look] for side in (found.base_values, found.candidate_values)]
    fewest = min(sum(map(len, side)) for side in sides)
    if fewest < enough_for(percent):
        known = replace(known, base=None, candidate=None, difference=None, lean=None)
        needs = f"a p{percent} needs {enough_for(percent)} answers, and there are {fewest}"
        return replace(known, reason=needs)
    base, candidate = (percentile(pooled(side), percent) for side in sides)
    difference = sign_of(metric) * math.log(candidate / base) if base and candidate else None
    known = replace(
        known, base=base, candidate=candidate, difference=difference, lean=_leaning(difference or 0.0)
    )
    if look is None:
        first = f"it is first looked at after {timing.looks[0]} blocks"
        return replace(known, reason=first if found.blocks else UNKNOWN_NOISE)
    ours, theirs = sides if sign_of(metric) > 0 else reversed(sides)
    of = percentile_ratio(ours, theirs, percent=percent)
    if of is None:
        return replace(known, reason=UNKNOWN_NOISE)
    level = levels(timing.looks)[look]
    # A p at its own look, made what it is worth over all of them: it is ALPHA where the look's level is met.
    p = min(1.0, p_worse(of, known.margin) * ALPHA / level)
    known = replace(known, n=look, level=level, difference=of.mean, p=p)
    last = levels(timing.looks)[timing.looks[-1]]
    return _decided(known, of, bounds(of, level=level), last=last, prior=None)


def _decided(known: Comparison, of: Paired, found: Bounds, *, last: float, prior: Prior | None) -> Comparison:
    """Return a verdict by bounds; `last` is the level of the last look, by which more blocks are planned."""
    verdict, lean = decide(found, difference=of.mean, margin=known.margin)
    known = replace(known, difference=of.mean, low=found.low, high=found.high, verdict=verdict, lean=lean)
    if of.sd is None:
        return known
    known = replace(
        known, detectable=detectable(of.sd, of.data, level=known.level, margin=known.margin, df=of.df)
    )
    if verdict != "INCONCLUSIVE":
        return known
    more = deciding(of.sd, of.mean, margin=known.margin, level=last, prior_df=prior.df if prior else 0.0)
    return replace(known, needed=more if more is not None and more > of.data else None)


def _unless_lost(decided: Comparison, lost: int) -> Comparison:
    """Return the comparison; it cannot pass where the candidate has less than the base to be held against."""
    if decided.verdict != "PASS" or not lost:
        return decided
    reason = f"in {counted(lost)} answers failed or have no ratio to those of the base, so nothing can pass"
    return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)
