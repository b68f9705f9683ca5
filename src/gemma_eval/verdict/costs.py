"""What a metric of two sides came to: logarithms case by case, block by block, turned so that more is worse.

A block is one start of an engine on each side. What differs between two starts (memory layout, clock,
neighbours) is the same in all answers of one, so many answers of one start are one datum.
Source: Kalibera and Jones 2013, ISMM (repeat at the level at which the variance arises).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Outcome
from gemma_eval.stats.percentiles import percentile
from gemma_eval.stats.summary import timed
from gemma_eval.verdict.cases import Asked, cases, counted
from gemma_eval.verdict.sides import Pair

_HIGHER_IS_BETTER = "_per_s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """A metric of the cases that both sides were timed with; values are means of logarithms over the cases.

    `base` and `candidate` are those of each block that both have, in its order, or one of all answers where
    they share none. `base_values` and `candidate_values` are the plain ones of each of these blocks. `blocks`
    is how many there are, 0 where they share none, and `cases` how many cases. `lost` counts those of which
    the candidate has less than the base: no value, more answers that failed, or a value where the base has 0.
    """

    base: tuple[float, ...]
    candidate: tuple[float, ...]
    base_values: tuple[tuple[float, ...], ...]
    candidate_values: tuple[tuple[float, ...], ...]
    blocks: int
    cases: int
    lost: int
    left_out: tuple[str, ...]

    def differences(self, metric: str) -> tuple[float, ...]:
        """Return the log-ratio of each block, + is worse."""
        sign = sign_of(metric)
        return tuple(sign * (theirs - ours) for ours, theirs in zip(self.base, self.candidate, strict=True))


def sign_of(metric: str) -> int:
    """Return 1 where more is worse, as of a time, and -1 where more is better, as of a rate."""
    return -1 if metric.endswith(_HIGHER_IS_BETTER) else 1


def costs(pair: Pair, metric: str, *, together: bool) -> Costs | None:
    """Return a metric of two sides, `None` when they share no case that has it.

    Blocks are held together where both sides were measured `together`, in turn; a case must have a value in
    each of them on both sides. A metric that only answers under a load have is of those.
    """
    found = cases(_timed(pair, metric))
    shared = _shared_blocks(found.asked) if together else ()
    sides = [(_by_block(each.base, metric), _by_block(each.candidate, metric)) for each in found.asked]
    kept = [each for each in sides if all(_has(side, shared) for side in each)]
    if not kept:
        return None
    base, candidate = ([side[at] for side in kept] for at in (0, 1))
    untimed = len(sides) - len(kept)
    lost = [
        each
        for each, (ours, theirs) in zip(found.asked, sides, strict=True)
        if _is_lost(each, metric, ours=_has(ours, shared), theirs=_has(theirs, shared))
        or _failures(each.candidate, shared) > _failures(each.base, shared)
    ]
    alone = [repeats for repeats in found.base_alone if _has(_by_block(repeats, metric), ())]
    return Costs(
        base=_means(base, shared),
        candidate=_means(candidate, shared),
        base_values=_values(base, shared),
        candidate_values=_values(candidate, shared),
        blocks=len(shared),
        cases=len(kept),
        lost=len(lost) + len(alone),
        left_out=(*((f"{counted(untimed)} without a value",) if untimed else ()), *found.left_out),
    )


def typical(outcomes: Sequence[Outcome], metric: str) -> float | None:
    """Return the geometric mean over the cases of one group of their medians; `None` of none."""
    by_case: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    of_one = _timed(Pair(shared="", base=tuple(outcomes), candidate=()), metric)
    for outcome in of_one.base:
        by_case[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    found = [_by_block(repeats, metric) for repeats in by_case.values()]
    found = [blocks for blocks in found if _has(blocks, ())]
    return math.exp(_means(found, ())[0]) if found else None


def pooled(blocks: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the values of all blocks."""
    return tuple(value for block in blocks for value in block)


def failed(outcomes: Sequence[Outcome]) -> int:
    """Return how many of the answers that are timed never came."""
    return _failures(timed(outcomes), ())


Blocks = Mapping[int, Sequence[float]]
"""The values of one case by the number of the block."""


def _by_block(repeats: Sequence[Outcome], metric: str) -> Blocks:
    """Return what was measured of one case; not the first answers where there are blocks beside them.

    A block of which the median is 0 has none: there is no ratio to it.
    """
    found: dict[int, list[float]] = defaultdict(list)
    for outcome in repeats:
        value = _value(outcome, metric)
        if value is not None:
            found[outcome.trial.block].append(value)
    if len(found) > 1:
        found.pop(0, None)
    return {block: values for block, values in found.items() if percentile(values, 50)}


def _timed(pair: Pair, metric: str) -> Pair:
    found = replace(pair, base=timed(pair.base), candidate=timed(pair.candidate))
    if any(_value(each, metric) is not None for each in (*found.base, *found.candidate)):
        return found
    return replace(pair, base=timed(_loaded(pair.base)), candidate=timed(_loaded(pair.candidate)))


def _loaded(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    return tuple(each for each in outcomes if each.trial.cell.case.load is not None)


def _value(outcome: Outcome, metric: str) -> float | None:
    value = None if outcome.measurement is None else getattr(outcome.measurement, metric)
    return None if outcome.failure is not None or value is None or value < 0 else float(value)


def _is_lost(asked: Asked, metric: str, *, ours: bool, theirs: bool) -> bool:
    """Return whether only one side has a value, the other being the candidate or a base of which it is 0."""
    return ours != theirs and (ours or any(_value(each, metric) == 0 for each in asked.base))


def _failures(repeats: Sequence[Outcome], shared: Sequence[int]) -> int:
    """Return how many answers of one case failed, of the blocks that are held together if there are any."""
    return sum(each.failure is not None and (not shared or each.trial.block in shared) for each in repeats)


def _shared_blocks(asked: Sequence[Asked]) -> tuple[int, ...]:
    """Return the blocks that each side was measured in, in their order."""
    ours = {outcome.trial.block for each in asked for outcome in each.base}
    theirs = {outcome.trial.block for each in asked for outcome in each.candidate}
    return tuple(sorted((ours & theirs) - {0}))


def _has(blocks: Blocks, shared: Sequence[int]) -> bool:
    return all(block in blocks for block in shared) if shared else bool(blocks)


def _means(sides: Sequence[Blocks], shared: Sequence[int]) -> tuple[float, ...]:
    """Return the mean over the cases of the logarithms of medians, in each block or over all of them."""
    if not shared:
        whole = [_mean([_log(values) for values in blocks.values()]) for blocks in sides]
        return (_mean(whole),)
    return tuple(_mean([_log(blocks[block]) for blocks in sides]) for block in shared)


def _values(sides: Sequence[Blocks], shared: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    if not shared:
        return (tuple(value for blocks in sides for values in blocks.values() for value in values),)
    return tuple(tuple(value for blocks in sides for value in blocks[block]) for block in shared)


def _log(values: Sequence[float]) -> float:
    middle = percentile(tuple(values), 50)
    assert middle is not None  # noqa: S101 - a block is there because it has a value
    return math.log(middle)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
