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
    is how many there are, 0 where they share none, and `cases` how many cases. `lost` counts those that only
    the base has a value of.
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
    each of them on both sides.
    """
    found = cases(replace(pair, base=timed(pair.base), candidate=timed(pair.candidate)))
    sides = [(_by_block(each.base, metric), _by_block(each.candidate, metric)) for each in found.asked]
    shared = _shared_blocks(found.asked) if together else ()
    kept = [each for each in sides if all(_has(side, shared) for side in each)]
    if not kept:
        return None
    base, candidate = ([side[at] for side in kept] for at in (0, 1))
    untimed = len(sides) - len(kept)
    lost = [ours for ours, theirs in sides if _has(ours, shared) and not _has(theirs, shared)]
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
    for outcome in timed(outcomes):
        by_case[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    found = [_by_block(repeats, metric) for repeats in by_case.values()]
    found = [blocks for blocks in found if _has(blocks, ())]
    return math.exp(_means(found, ())[0]) if found else None


def pooled(blocks: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the values of all blocks."""
    return tuple(value for block in blocks for value in block)


Blocks = Mapping[int, Sequence[float]]
"""The values of one case by the number of the block."""


def _by_block(repeats: Sequence[Outcome], metric: str) -> Blocks:
    """Return what was measured of one case; not the first answers where there are blocks beside them."""
    found: dict[int, list[float]] = defaultdict(list)
    for outcome in repeats:
        value = None if outcome.measurement is None else getattr(outcome.measurement, metric)
        if outcome.failure is None and value is not None and value > 0:
            found[outcome.trial.block].append(float(value))
    if len(found) > 1:
        found.pop(0, None)
    return found


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
