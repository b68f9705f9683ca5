"""A comparison of speed that is looked at after certain numbers of blocks, and ends when a look decides.

A look sees the blocks that were there then and no later ones, and has the level that `looks` gives it. What
it proves stands, whatever blocks follow: to look on until the answer suits would be one more look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.stats.bounds import Bounds, crossing
from gemma_eval.stats.looks import ALPHA, LOOKS, levels
from gemma_eval.stats.paired import Paired, Prior, bounds, p_worse, paired

_FEWEST = 2
"""One block has no spread."""

_FAR = 20.0
"""A bound that allows for a factor of e^20 allows for any: it is none."""

_LARGEST = 0.3
"""Up to here the level of every look grows with alpha: where z = Φ⁻¹(1 - alpha / 2) is above 1."""

_NEAR = 1e-12
"""How near to where it is a p is found."""


Blocks = Sequence[float] | Mapping[int, Sequence[float]]
"""The log-ratios of the blocks, in the order in which they were measured, + is worse; or those that each look
sees, by its number of blocks, where what is known of a block changes as others follow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What was known after `blocks` blocks: bounds of the look's own `level`, and what they are made from.

    No look follows one that `is_last`.
    """

    blocks: int
    level: float
    bounds: Bounds
    paired: Paired
    is_last: bool

    def decides(self, margin: float) -> bool:
        """Return whether the bounds prove that the difference is above the margin, or that it is below."""
        return self.bounds.above(margin) or self.bounds.below(margin)


def looks_between(least: int, most: int) -> tuple[int, ...]:
    """Return after which numbers of blocks to look: the least, those of `LOOKS` between, and the most.

    The least is two at least. Raises `ValueError` where the most is fewer.
    """
    first = max(least, _FEWEST)
    if most < first:
        raise ValueError(f"the most blocks are {most}, fewer than the {first} of the first look")
    between = (look for look in LOOKS if first < look < most)
    return tuple(dict.fromkeys((first, *between, most)))


def look(
    differences: Blocks,
    *,
    looks: Sequence[int] = LOOKS,
    prior: Prior | None = None,
    alpha: float = ALPHA,
) -> Look | None:
    """Return the last look for which there are blocks enough, `None` before the first."""
    return max(_reached(differences, looks, prior, alpha), key=lambda seen: seen.blocks, default=None)


def first_decision(
    differences: Blocks,
    *,
    margin: float,
    looks: Sequence[int] = LOOKS,
    prior: Prior | None = None,
    alpha: float = ALPHA,
) -> Look | None:
    """Return the first look that decides, else the last that was reached; `None` before the first."""
    seen = _reached(differences, looks, prior, alpha)
    return next((each for each in seen if each.decides(margin)), seen[-1] if seen else None)


def p_over_looks(
    differences: Blocks,
    *,
    margin: float,
    looks: Sequence[int] = LOOKS,
    prior: Prior | None = None,
) -> float:
    """Return the p of "the difference is at most the margin" over all looks that were reached.

    It is the smallest alpha with which some look proves a difference above the margin, and 1 where that is
    more than 0.3. The p of a single look is smaller than this, for it does not know of the others: in a
    family of gates, where it is held against less than alpha, it would err more often than it may.
    """
    seen = _reached(differences, looks, prior, ALPHA)
    return min((_alpha(each, margin, looks) for each in seen), default=1.0)


def _reached(
    differences: Blocks, looks: Sequence[int], prior: Prior | None, alpha: float
) -> tuple[Look, ...]:
    """Return the looks for which there are blocks enough, in their order."""
    seen = []
    for blocks, level in levels(looks, alpha=alpha).items():
        found = paired(_sample(differences, blocks), prior=prior)
        if found is not None:
            near = _near(bounds(found, level=level))
            last = blocks == looks[-1]
            seen.append(Look(blocks=blocks, level=level, bounds=near, paired=found, is_last=last))
    return tuple(seen)


def _sample(differences: Blocks, blocks: int) -> Sequence[float]:
    """Return what a look sees, nothing where there are too few blocks for it."""
    if isinstance(differences, Mapping):
        return differences.get(blocks, ())
    return differences[:blocks] if blocks <= len(differences) else ()


def _near(of: Bounds) -> Bounds:
    """Return bounds without what allows for any difference."""
    low = None if of.low is None or of.low < -_FAR else of.low
    high = None if of.high is None or of.high > _FAR else of.high
    return Bounds(low=low, high=high)


def _alpha(seen: Look, margin: float, looks: Sequence[int]) -> float:
    """Return the alpha that gives a look the level that its p is."""
    p = p_worse(seen.paired, margin)
    if len(looks) == 1:
        return p

    def too_small(alpha: float) -> bool:
        return levels(looks, alpha=alpha)[seen.blocks] < p

    return 1.0 if too_small(_LARGEST) else crossing(too_small, 0.0, _LARGEST, within=_NEAR)
