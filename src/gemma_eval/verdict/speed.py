"""The costs of two sides: log-ratios, of which the datum is the block, or the run where there are no blocks.

Sides that were measured in turn are looked at after certain numbers of blocks, and the first look that proves
something decides. Two runs that were made each by itself are one datum: how much two runs differ is not to be
seen from them, however many answers they have, but only from runs of before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Comparison, Lean, Outcome
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.looks import ALPHA, LOOKS, levels
from gemma_eval.stats.paired import Paired, Prior, bounds, p_worse, paired
from gemma_eval.stats.percentiles import Percent, percentile
from gemma_eval.stats.power import deciding, detectable, log_margin
from gemma_eval.stats.ratio_bootstrap import enough_for, percentile_ratio
from gemma_eval.stats.sequential import p_over_looks
from gemma_eval.stats.unseen import could_prove
from gemma_eval.verdict.alike import first_proof
from gemma_eval.verdict.cases import counted
from gemma_eval.verdict.costs import Costs, after_each, costs, pooled, sign_of
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.sides import Pair

TOLERANCES: Mapping[str, float] = {"ttft_s": 0.05, "tpot_s": 0.03}
"""By how much a time may grow when nothing else is said."""

UNKNOWN_NOISE = "answers of one start of an engine are one datum: how much two starts differ is not known"
ONLY_BENCHMARKS = "only cases of kind benchmark are measured in blocks"


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
    with a percentile it is that of all answers. Of blocks they are those that the look saw which decided.
    """
    views = after_each(pair, metric) if timing.together else ()
    found = views[-1] if views else costs(pair, metric, together=timing.together)
    if found is None:
        return None
    of = _Of(pair=pair, metric=metric, margin=log_margin(tolerance), timing=timing)
    if views:
        return of.blocks(views)
    known = of.described(found)
    if timing.percentile is not None:
        decided = of.percentile(known, found, timing.percentile, look=None)
    else:
        # What blocks in turn differ by is not what runs by themselves do.
        decided = _of_runs(known, found.differences(metric)[0], None if timing.together else timing.prior)
    if timing.together and not any(is_in_blocks(each) for each in (*pair.base, *pair.candidate)):
        return replace(decided, reason=ONLY_BENCHMARKS)
    return _unless_lost(decided, found.lost)


def is_in_blocks(outcome: Outcome) -> bool:
    """Whether a case is measured in blocks."""
    return outcome.trial.cell.case.kind == "benchmark"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Of:
    """What is compared, by how much it may differ, and how it was measured."""

    pair: Pair
    metric: str
    margin: float
    timing: Timing

    def described(self, found: Costs) -> Comparison:
        """Return a comparison of which nothing is known yet but its data."""
        differences = found.differences(self.metric)
        difference = math.fsum(differences) / len(differences)
        return Comparison(
            metric=self.metric,
            shared=self.pair.shared,
            unit="block" if found.blocks else "run",
            n=max(found.blocks, 1),
            base=math.exp(math.fsum(found.base) / len(found.base)),
            candidate=math.exp(math.fsum(found.candidate) / len(found.candidate)),
            difference=difference,
            low=None,
            high=None,
            level=ALPHA,
            margin=self.margin,
            detectable=None,
            needed=None,
            verdict="INCONCLUSIVE",
            lean=_leaning(difference),
            left_out=found.left_out,
        )

    def blocks(self, views: Sequence[Costs]) -> Comparison:
        """Return what the first look that decides has proved, or the last one that was reached."""
        at = _at_looks(views, self.timing.looks)
        if self.timing.percentile is not None:
            decided, view = self._percentiles(at, views[-1], self.timing.percentile)
        else:
            decided, view = self._means(at, views[-1])
        decided = _unless_lost(decided, view.lost)
        if decided.verdict != "PASS" or not view.unseen or not self._might_regress(views):
            return decided
        blocks = "1 block" if view.unseen == 1 else f"{view.unseen} blocks"
        reason = f"answers failed in {blocks}, with which it might be proved to be worse, so it cannot pass"
        return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)

    def _means(self, at: Mapping[int, Costs], last: Costs) -> tuple[Comparison, Costs]:
        looks, prior = self.timing.looks, self.timing.prior
        samples = {look: view.differences(self.metric) for look, view in at.items()}
        known = self.described(last)
        seen = first_proof(known, samples, looks=looks, prior=prior)
        if seen is None:
            return replace(known, reason=f"it is first looked at after {looks[0]} blocks"), last
        if isinstance(seen, Comparison):
            of_look = self.described(at[seen.n])
            kept = replace(seen, base=of_look.base, candidate=of_look.candidate, left_out=of_look.left_out)
            return kept, at[seen.n]
        p = p_over_looks(samples, margin=self.margin, looks=looks, prior=prior)
        known = replace(self.described(at[seen.blocks]), level=seen.level, p=p)
        final = levels(looks)[looks[-1]]
        return _decided(known, seen.paired, seen.bounds, last=final, prior=prior), at[seen.blocks]

    def _percentiles(
        self, at: Mapping[int, Costs], last: Costs, percent: Percent
    ) -> tuple[Comparison, Costs]:
        if not at:
            return self.percentile(self.described(last), last, percent, look=None), last
        p: float | None = None
        for look, view in at.items():
            decided, of = self.percentile(self.described(view), view, percent, look=look), view
            p = decided.p if p is None else min(p, 1.0 if decided.p is None else decided.p)
            if decided.verdict != "INCONCLUSIVE":
                break
        return replace(decided, p=p), of

    def percentile(
        self, known: Comparison, found: Costs, percent: Percent, *, look: int | None
    ) -> Comparison:
        """Return what the percentiles of blocks prove; their error is found by drawing blocks anew."""
        sides = [found.base_values, found.candidate_values]
        fewest = min(sum(map(len, side)) for side in sides)
        if fewest < enough_for(percent):
            known = replace(known, base=None, candidate=None, difference=None, lean=None)
            needs = f"a p{percent} needs {enough_for(percent)} answers, and there are {fewest}"
            return replace(known, reason=needs)
        base, candidate = (percentile(pooled(side), percent) for side in sides)
        sign, looks = sign_of(self.metric), self.timing.looks
        difference = sign * math.log(candidate / base) if base and candidate else None
        known = replace(
            known, base=base, candidate=candidate, difference=difference, lean=_leaning(difference or 0.0)
        )
        if look is None:
            first = f"it is first looked at after {looks[0]} blocks"
            return replace(known, reason=first if found.blocks else UNKNOWN_NOISE)
        of = percentile_ratio(*(sides if sign > 0 else reversed(sides)), percent=percent)
        if of is None:
            return replace(known, reason=UNKNOWN_NOISE)
        level = levels(looks)[look]
        # A p at its own look, made what it is worth over all of them: ALPHA where the look's level is met.
        p = min(1.0, p_worse(of, known.margin) * ALPHA / level)
        known = replace(known, level=level, difference=of.mean, p=p)
        return _decided(known, of, bounds(of, level=level), last=levels(looks)[looks[-1]], prior=None)

    def _might_regress(self, views: Sequence[Costs]) -> bool:
        """Whether a look might have proved it to be worse, had every answer come; of percentiles it might."""
        at = levels(self.timing.looks)
        if self.timing.percentile is not None:
            return True
        for view in views:
            reached_ = [level for look, level in at.items() if look <= view.blocks + view.gone]
            if not reached_:
                continue
            differences = zip(view.differences(self.metric), view.is_whole, strict=True)
            if could_prove(
                [difference for difference, is_whole in differences if is_whole],
                view.unseen,
                margin=self.margin,
                level=max(reached_),
                prior=self.timing.prior,
            ):
                return True
        return False


def _at_looks(views: Sequence[Costs], looks: Sequence[int]) -> Mapping[int, Costs]:
    """Return what each look that was reached saw: its blocks, and none that followed."""
    first = {look: next((view for view in views if view.blocks == look), None) for look in looks}
    return {look: view for look, view in first.items() if view is not None}


def _leaning(difference: float) -> Lean | None:
    return "worse" if difference > 0 else "better" if difference < 0 else None


def _of_runs(known: Comparison, difference: float, prior: Prior | None) -> Comparison:
    """Return what one difference proves where earlier runs tell how much two of them differ."""
    of = paired([difference], prior=prior)
    if of is None or prior is None:
        return replace(known, reason=UNKNOWN_NOISE)
    known = replace(known, p=p_worse(of, known.margin))
    return replace(_decided(known, of, bounds(of, level=ALPHA), last=ALPHA, prior=prior), needed=None)


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
