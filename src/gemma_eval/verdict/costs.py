"""What a metric of two sides came to: logarithms case by case, block by block, turned so that more is worse.

A block is one start of an engine on each side. What differs between two starts (memory layout, clock,
neighbours) is the same in all answers of one, so many answers of one start are one datum.
Source: Kalibera and Jones 2013, ISMM (repeat at the level at which the variance arises).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from gemma_eval.records import Outcome
from gemma_eval.stats.percentiles import percentile
from gemma_eval.stats.summary import timed
from gemma_eval.verdict.cases import Asked, CaseKey, Cases, cases, counted
from gemma_eval.verdict.sides import Pair

_HIGHER_IS_BETTER = "_per_s"

Blocks = Mapping[int, Sequence[float]]
"""The values of one case by the number of the block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """A metric of the cases that both sides were timed with; values are means of logarithms over the cases.

    `base` and `candidate` are those of each block in which every case has a value on both sides, in its
    order, or one of all answers where the sides share no block. `base_values` and `candidate_values` are the
    plain ones of each of these blocks, and `is_whole` says of each whether all of its answers came. `blocks`
    is how many they are, 0 where none is shared, and `gone` how many were measured beside them. `keys` are
    those of the cases. `lost` counts cases of which the candidate has less than the base: no value, more
    answers that failed, or a value where the base has 0.
    """

    base: tuple[float, ...]
    candidate: tuple[float, ...]
    base_values: tuple[tuple[float, ...], ...]
    candidate_values: tuple[tuple[float, ...], ...]
    is_whole: tuple[bool, ...]
    blocks: int
    gone: int
    keys: frozenset[CaseKey]
    lost: int
    left_out: tuple[str, ...]

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return len(self.keys)

    @property
    def unseen(self) -> int:
        """Of how many blocks something is not known: those that are gone, and those with a failed answer."""
        return self.gone + self.is_whole.count(False)

    def differences(self, metric: str) -> tuple[float, ...]:
        """Return the log-ratio of each block, + is worse."""
        sign = sign_of(metric)
        return tuple(sign * (theirs - ours) for ours, theirs in zip(self.base, self.candidate, strict=True))


@dataclass(frozen=True, slots=True)
class _Case:
    """What was measured of a case on each side, by block, and which blocks its failed answers were in."""

    of: Asked
    base: Blocks
    candidate: Blocks
    base_failed: Sequence[int]
    candidate_failed: Sequence[int]

    def within(self, blocks: Collection[int]) -> _Case:
        """Return what was measured in these blocks."""
        base, candidate = (
            {block: values for block, values in side.items() if block in blocks}
            for side in (self.base, self.candidate)
        )
        failed_ = [
            [block for block in side if block in blocks] for side in (self.base_failed, self.candidate_failed)
        ]
        return _Case(self.of, base, candidate, *failed_)

    @property
    def both(self) -> Set[int]:
        """The blocks in which both sides have a value."""
        return self.base.keys() & self.candidate.keys()

    def is_lost(self, metric: str) -> bool:
        """Whether a block lacks the candidate's value alone, or the base's alone since it is 0."""
        zero = {each.trial.block for each in self.of.base if _value(each, metric) == 0}
        alone = self.base.keys() - self.candidate.keys()
        return bool(alone or (self.candidate.keys() - self.base.keys()) & zero) or self.has_more_failed

    @property
    def has_more_failed(self) -> bool:
        """Whether more answers of the candidate failed."""
        return len(self.candidate_failed) > len(self.base_failed)


def sign_of(metric: str) -> int:
    """Return 1 where more is worse, as of a time, and -1 where more is better, as of a rate."""
    return -1 if metric.endswith(_HIGHER_IS_BETTER) else 1


def costs(pair: Pair, metric: str, *, together: bool) -> Costs | None:
    """Return a metric of two sides, `None` when they share no case that has it.

    Blocks are held together where both sides were measured `together`, in turn. Those in which a case lacks a
    value on either side are left out, so that every difference is over the same cases; a case that never has
    one on both is. A metric that only answers under a load have is of those.
    """
    found = cases(_timed(pair, metric))
    members = _members(found, metric)
    if together and (measured := _measured(found.asked)):
        return next(reversed(tuple(_views(found, members, metric, measured))), None)
    return _of_all(found, members, metric)


def after_each(pair: Pair, metric: str) -> tuple[Costs, ...]:
    """Return what `costs` of sides in turn were after each block, without those that follow.

    What is missing later does not change what was known before. Where there was nothing yet there is none.
    """
    found = cases(_timed(pair, metric))
    members, measured = _members(found, metric), _measured(found.asked)
    return tuple(_views(found, members, metric, measured))


def typical(outcomes: Sequence[Outcome], metric: str) -> float | None:
    """Return the geometric mean over the cases of one group of their medians; `None` of none."""
    by_case: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    of_one = _timed(Pair(shared="", base=tuple(outcomes), candidate=()), metric)
    for outcome in of_one.base:
        by_case[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    found = [_by_block(repeats, metric) for repeats in by_case.values()]
    found = [blocks for blocks in found if blocks]
    return math.exp(_mean_of_all(found)) if found else None


def pooled(blocks: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the values of all blocks."""
    return tuple(value for block in blocks for value in block)


def failed(outcomes: Sequence[Outcome]) -> int:
    """Return how many of the answers that are timed never came."""
    return sum(each.failure is not None for each in timed(outcomes))


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


def _members(found: Cases, metric: str) -> tuple[_Case, ...]:
    return tuple(
        _Case(
            each,
            _by_block(each.base, metric),
            _by_block(each.candidate, metric),
            [outcome.trial.block for outcome in each.base if outcome.failure is not None],
            [outcome.trial.block for outcome in each.candidate if outcome.failure is not None],
        )
        for each in found.asked
    )


def _measured(asked: Sequence[Asked]) -> tuple[int, ...]:
    """Return the blocks in their order, up to the last that both sides were measured in."""
    ours = {outcome.trial.block for each in asked for outcome in each.base} - {0}
    theirs = {outcome.trial.block for each in asked for outcome in each.candidate} - {0}
    last = max(ours & theirs, default=0)
    return tuple(sorted(block for block in ours | theirs if block <= last))


def _views(found: Cases, members: Sequence[_Case], metric: str, measured: Sequence[int]) -> Iterator[Costs]:
    views = (_in_blocks(found, members, metric, measured[: at + 1]) for at in range(len(measured)))
    yield from (view for view in views if view is not None)


def _in_blocks(found: Cases, members: Sequence[_Case], metric: str, measured: Sequence[int]) -> Costs | None:
    """Return the costs of these blocks, `None` where none has a value of every case."""
    members = [each.within(measured) for each in members]
    kept = [each for each in members if each.both]
    whole = [block for block in measured if all(block in each.both for each in kept)] if kept else []
    if not whole:
        return None
    failed_ = {block for each in kept for block in (*each.base_failed, *each.candidate_failed)}
    gone = len(measured) - len(whole)
    base, candidate = [each.base for each in kept], [each.candidate for each in kept]
    blocks = "1 block" if gone == 1 else f"{gone} blocks"
    told = (f"{blocks} in which an answer failed or has no value",) if gone else ()
    return Costs(
        base=tuple(_mean([_log(side[block]) for side in base]) for block in whole),
        candidate=tuple(_mean([_log(side[block]) for side in candidate]) for block in whole),
        base_values=tuple(tuple(value for side in base for value in side[block]) for block in whole),
        candidate_values=tuple(
            tuple(value for side in candidate for value in side[block]) for block in whole
        ),
        is_whole=tuple(block not in failed_ for block in whole),
        blocks=len(whole),
        gone=gone,
        keys=frozenset(each.of.key for each in kept),
        lost=sum(each.is_lost(metric) for each in members) + _alone(found, metric),
        left_out=(*told, *_untimed(len(members) - len(kept)), *found.left_out),
    )


def _of_all(found: Cases, members: Sequence[_Case], metric: str) -> Costs | None:
    """Return the costs of all answers."""
    kept = [each for each in members if each.base and each.candidate]
    if not kept:
        return None
    base, candidate = [each.base for each in kept], [each.candidate for each in kept]
    zero = [any(_value(outcome, metric) == 0 for outcome in each.of.base) for each in members]
    lost = [
        (bool(each.base) != bool(each.candidate) and (bool(each.base) or is_zero)) or each.has_more_failed
        for each, is_zero in zip(members, zero, strict=True)
    ]
    return Costs(
        base=(_mean_of_all(base),),
        candidate=(_mean_of_all(candidate),),
        base_values=(_values_of_all(base),),
        candidate_values=(_values_of_all(candidate),),
        is_whole=(True,),
        blocks=0,
        gone=0,
        keys=frozenset(each.of.key for each in kept),
        lost=sum(lost) + _alone(found, metric),
        left_out=(*_untimed(len(members) - len(kept)), *found.left_out),
    )


def _alone(found: Cases, metric: str) -> int:
    """Return how many cases the base alone was asked and has a value of."""
    return sum(bool(_by_block(repeats, metric)) for repeats in found.base_alone)


def _untimed(count: int) -> tuple[str, ...]:
    return (f"{counted(count)} without a value",) if count else ()


def _mean_of_all(sides: Sequence[Blocks]) -> float:
    """Return the mean over the cases of the logarithms of medians, over all blocks of each."""
    return _mean([_mean([_log(values) for values in blocks.values()]) for blocks in sides])


def _values_of_all(sides: Sequence[Blocks]) -> tuple[float, ...]:
    return tuple(value for blocks in sides for values in blocks.values() for value in values)


def _log(values: Sequence[float]) -> float:
    middle = percentile(tuple(values), 50)
    assert middle is not None  # noqa: S101 - a block is there because it has a value
    return math.log(middle)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
