"""The scores of two sides on the same cases: paired differences, of which the datum is the case.

A case's score is one value of all its repeats, so answers to one question are never taken for several data.
Right and wrong answers to cases that are asked once have exact bounds. Other scores have those of a paired
mean, with the largest spread that scores can have where few differ. Of up to sixteen data a loss is proved
only where their signs prove it too. Cases of one cluster are one datum.

A case that the base has a score of and the candidate has none may be one that the candidate cannot answer, so
where there is one nothing passes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Comparison, Outcome
from gemma_eval.stats.binary import Discordance, discordance
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.exact import exact_bounds, exact_worse
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.paired import Paired, bounds, p_worse, paired
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.permutation import EXACT, sign_flip_worse
from gemma_eval.stats.power import deciding, detectable
from gemma_eval.stats.power_of_shares import FEW, loss_found, pairs_needed, proves_loss
from gemma_eval.stats.reduction import case_score
from gemma_eval.verdict.cases import Asked, Cases, cases, counted
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.sides import Pair

MARGIN = 0.02
"""How much of a score may be lost when nothing else is said: 2 points of 100."""

_SPAN = 1.0
"""The most that two scores differ by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scored:
    """A case that both sides have a score of."""

    of: Asked
    base: float
    candidate: float

    @property
    def difference(self) -> float:
        return self.base - self.candidate

    @property
    def cluster(self) -> object:
        """What its datum goes by: its cluster, or itself."""
        return self.of.key if self.of.case.cluster is None else self.of.case.cluster


def compare_scores(pair: Pair, *, margin: float = MARGIN, level: float = ALPHA) -> Comparison | None:
    """Return how the scores of a candidate differ from those of a base, `None` when no case has checks.

    Only cases that ask the same, and of which every repeat has a score on both sides, are held together.
    """
    if not any(outcome.trial.cell.case.checks for outcome in (*pair.base, *pair.candidate)):
        return None
    found = cases(_checked(pair))
    shared = tuple(_scored(found.asked))
    lost = _lost(found)
    known = _described(pair, shared, found, margin=margin, level=level)
    if not shared:
        reason = "no case asks the same on both sides"
        return replace(
            known,
            verdict="INCONCLUSIVE" if found.asked else "INCOMPARABLE",
            reason="no case has a score on both sides" if found.asked else reason,
        )
    if _are_identical(shared) and not lost:
        # Nothing is left to chance: that it is worse is as unlikely as can be, and was asked all the same.
        same = replace(known, difference=0.0, low=0.0, high=0.0, verdict="PASS", lean="identical")
        data = _decided(known, shared)
        return replace(same, unit=data.unit, n=data.n, detectable=data.detectable)
    decided = _decided(known, shared)
    if decided.verdict != "PASS" or not lost:
        return decided
    reason = f"the candidate has no score of {counted(lost)} that the base has one of, so nothing can pass"
    return replace(decided, verdict="INCONCLUSIVE", lean=None, reason=reason)


def case_means(outcomes: Sequence[Outcome]) -> tuple[list[float], list[object], int] | None:
    """Return the score of each case that has one, its cluster, and how many have none.

    `None` when no case has checks.
    """
    by_case: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        cell = outcome.trial.cell
        if cell.case.checks:
            by_case[cell.suite, cell.case.id].append(outcome)
    found = [(key, case_score(repeats), repeats[0].trial.cell.case) for key, repeats in by_case.items()]
    known = [(key, score, case) for key, score, case in found if score is not None]
    clusters: list[object] = [key if case.cluster is None else case.cluster for key, _, case in known]
    return ([score for _, score, _ in known], clusters, len(found) - len(known)) if found else None


def _decided(known: Comparison, shared: Sequence[_Scored]) -> Comparison:
    """Return what the bounds of the differences prove, and if nothing, what so many data would find."""
    differences = [each.difference for each in shared]
    clusters = [each.cluster for each in shared]
    of = paired(differences, clusters=clusters, span=_SPAN)
    if of is None:
        return known
    binary = discordance(differences) if _are_binary(shared) and of.data == of.n else None
    found = bounds(of, level=known.level) if binary is None else _exact(binary, level=known.level)
    p = _p(of, binary, margin=known.margin)
    if binary is None and of.data <= EXACT:
        # So few data may lie as unevenly as Student's t does not expect.
        p = max(p, sign_flip_worse(differences, margin=known.margin, clusters=clusters))
        found = found if p <= known.level else replace(found, low=_capped(found.low, known.margin))
    verdict, lean = decide(found, difference=of.mean, margin=known.margin)
    decided = replace(
        known,
        unit="case" if of.data == of.n else "cluster",
        n=of.data,
        difference=of.mean,
        low=found.low,
        high=found.high,
        verdict=verdict,
        lean=lean,
        p=p,
    )
    return _with_power(decided, of, binary)


def _with_power(decided: Comparison, of: Paired, binary: Discordance | None) -> Comparison:
    """Return the comparison with what its data would find, and how many would decide where they do not."""
    margin, level = decided.margin, decided.level
    if binary is None and of.few is None and of.sd:
        found: float | None = detectable(of.sd, of.data, level=level, margin=margin, df=of.df)
    else:
        # Scores that hardly differ may hide losses of whole ones, so they find what those find.
        found = loss_found(
            of.data,
            binary.better if binary else 0,
            margin=margin,
            level=level,
            proves=_proving(of.data, margin=margin, level=level, is_binary=binary is not None),
        )
    decided = replace(decided, detectable=found if found is not None and found < _SPAN else None)
    if decided.verdict != "INCONCLUSIVE":
        return decided
    needed = _needed(of, binary, margin=margin, level=level)
    return replace(decided, needed=needed if needed is not None and needed > of.data else None)


def _proving(n: int, *, margin: float, level: float, is_binary: bool) -> Callable[[int], bool]:
    """Return whether so many data that lose a whole score prove a loss, the others being equal."""
    by_shares = proves_loss(n, margin=margin, level=level)
    if is_binary or n > EXACT:
        return by_shares

    def both(worse: int) -> bool:
        lost = [1.0] * worse + [0.0] * (n - worse)
        return by_shares(worse) and sign_flip_worse(lost, margin=margin) <= level

    return both


def _needed(of: Paired, binary: Discordance | None, *, margin: float, level: float) -> int | None:
    if not of.sd and not of.mean:
        # Of n equal pairs the high bound is 1 - level^(1 / n).
        return math.floor(math.log(level) / math.log1p(-margin)) + 1
    if binary is not None and binary.worse + binary.better < FEW:
        return pairs_needed(of.data, binary.worse + binary.better, of.mean, margin=margin, level=level)
    if of.few is not None:
        return pairs_needed(of.data, of.few.worse + of.few.better, of.mean, margin=margin, level=level)
    return deciding(of.sd or 0.0, of.mean, margin=margin, level=level)


def _described(
    pair: Pair, shared: Sequence[_Scored], found: Cases, *, margin: float, level: float
) -> Comparison:
    """Return a comparison of which nothing is known yet but its data."""
    unscored = len(found.asked) - len(shared)
    left_out = [f"{counted(unscored)} without a score"] if unscored else []
    return Comparison(
        metric="score",
        shared=pair.shared,
        unit="case",
        n=len(shared),
        base=mean([each.base for each in shared]),
        candidate=mean([each.candidate for each in shared]),
        difference=None,
        low=None,
        high=None,
        level=level,
        margin=margin,
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
        left_out=(*left_out, *found.left_out),
    )


def _p(of: Paired, binary: Discordance | None, *, margin: float) -> float:
    """Return the p of "no more than the margin is lost"."""
    if binary is None:
        return p_worse(of, margin)
    return exact_worse(binary.worse, binary.better, n=binary.n, margin=margin)


def _capped(low: float | None, margin: float) -> float | None:
    """Return a low bound that proves nothing about the margin."""
    return None if low is None else min(low, margin)


def _exact(of: Discordance, *, level: float) -> Bounds:
    return exact_bounds(of.worse, of.better, n=of.n, level=level)


def _checked(pair: Pair) -> Pair:
    """Return the outcomes of cases that have checks."""

    def kept(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in outcomes if outcome.trial.cell.case.checks)

    return replace(pair, base=kept(pair.base), candidate=kept(pair.candidate))


def _scored(asked: Sequence[Asked]) -> Iterator[_Scored]:
    for each in asked:
        base, candidate = case_score(each.base), case_score(each.candidate)
        if base is not None and candidate is not None:
            yield _Scored(of=each, base=base, candidate=candidate)


def _lost(found: Cases) -> int:
    """Return how many cases the candidate has no score of that the base has one of."""
    unscored = [each.base for each in found.asked if case_score(each.candidate) is None]
    return sum(case_score(repeats) is not None for repeats in (*unscored, *found.base_alone))


def _are_binary(shared: Sequence[_Scored]) -> bool:
    return all(score in (0.0, 1.0) for each in shared for score in (each.base, each.candidate))


def _are_identical(shared: Sequence[_Scored]) -> bool:
    """Return whether both sides made the same in every repeat of every case, and it scored the same."""
    return all(each.difference == 0 and _made(each.of.base) == _made(each.of.candidate) for each in shared)


def _made(repeats: Sequence[Outcome]) -> Mapping[tuple[int, int], object]:
    """Return what is judged of each repeat: the text, and the passages where a check is about those."""
    return {
        (outcome.trial.block, outcome.trial.repeat): (
            None if outcome.generation is None else outcome.generation.text,
            _passages(outcome),
        )
        for outcome in repeats
    }


def _passages(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    checks = outcome.trial.cell.case.checks
    counts = any(check.of_passages and (check.weight > 0 or check.must_pass) for check in checks)
    if outcome.prompt is None or not counts:
        return ()
    return tuple((each.id, each.text) for each in (*outcome.prompt.passages, *outcome.prompt.dropped))
