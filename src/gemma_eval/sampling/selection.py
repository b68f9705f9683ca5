"""Which positions come first by descending key, found without sorting a whole vocabulary.

Of equal keys the earlier position comes first, everywhere here. Keys are float32 and never NaN.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.float32]
Indices = NDArray[np.intp]
Side = Literal["left", "right"]


def descending(keys: Keys) -> Indices:
    """Return all positions by descending key.

    Each key becomes an integer of the same order with its position below it, so that any sort is stable.
    """
    bits = (np.float32(0) - keys).view(np.int32)
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    packed = bits.astype(np.int64)
    packed <<= 32
    packed |= np.arange(len(keys), dtype=np.int64)
    packed.sort()
    packed &= 0xFFFFFFFF
    return packed.astype(np.intp, copy=False)


def largest(keys: Keys, k: int) -> Indices:
    """Return the positions of the `k` ≥ 1 largest keys, largest first; all of them when there are fewer."""
    if k >= len(keys):
        return descending(keys)
    pool = _superset(keys, k)
    pooled = keys[pool]
    if len(pool) > 2 * k:
        boundary = np.partition(pooled, len(pool) - k)[len(pool) - k]
        pool = pool[_first_ties(pooled, boundary, k)]
        pooled = keys[pool]
    ranked: Indices = pool[descending(pooled)[:k]]
    return ranked


def crossing(keys: Keys, weights: NDArray[np.floating], target: float, *, side: Side = "left") -> int:
    """Return the position at which the sum of `weights`, by descending key, gets to `target`.

    `side="left"` stops at a sum ≥ `target`, `"right"` at a sum > `target`; without such a sum it is where
    the whole sum is reached. Keys are counted into bins, and only the bin of the crossing is looked into.
    """
    if len(keys) > _FEW and target <= _HEAD * float(weights.max()):
        positions = largest(keys, _HEAD)
        sums = np.cumsum(weights[positions], dtype=np.float64)
        if (place := int(np.searchsorted(sums, target, side=side))) < len(sums):
            return int(positions[place])
    return _through_bins(keys, weights, target, side)


def head(keys: Keys, last: int) -> Indices:
    """Return, ascending, the positions that come no later than `last` by descending key."""
    chosen = keys > keys[last]
    chosen[: last + 1] |= keys[: last + 1] == keys[last]
    return np.flatnonzero(chosen)


def running(weights: NDArray[np.floating], target: float, *, side: Side = "left") -> int:
    """Return the position at which the running sum of `weights` gets to `target`, as `crossing` does.

    Blocks are summed first, so that only one of them is summed up step by step.
    """
    before, start = 0.0, 0
    if len(weights) > _FEW:
        whole = len(weights) // _BLOCK * _BLOCK
        blocks = weights[:whole].reshape(-1, _BLOCK).sum(axis=1, dtype=np.float64)
        sums = np.cumsum(np.append(blocks, weights[whole:].sum(dtype=np.float64)))
        block = _place(sums, target, side)
        before, start = float(sums[block - 1]) if block else 0.0, block * _BLOCK
        weights = weights[start : start + _BLOCK]
    return start + _place(np.cumsum(weights, dtype=np.float64), target - before, side)


_FEW = 2048
_HEAD = 256
_BLOCK = 512
_BINS = 4096
_LEVELS = 3
_NATS = 64.0
"""Keys are mostly logarithms of probabilities: what lies farther below the best has no weight to speak of."""


def _superset(keys: Keys, k: int) -> Indices:
    """Return, ascending, positions among which the `k` < n largest keys are, ties decided.

    Every key below the k-th largest of a strided sample is below the k-th largest of all.
    """
    stride = int(np.sqrt(len(keys) / k))
    sample = keys if stride < 4 else keys[::stride]
    return _first_ties(keys, np.partition(sample, len(sample) - k)[len(sample) - k], k)


def _first_ties(keys: Keys, boundary: np.float32, k: int) -> Indices:
    """Return, ascending, the positions above `boundary`, filled up to `k` with the first ones at it."""
    above = np.flatnonzero(keys > boundary)
    missing = k - len(above)
    if missing <= 0:
        return above
    length = max(_FEW, 2 * missing)
    while len(ties := np.flatnonzero(keys[:length] == boundary)) < missing and length < len(keys):
        length *= 8
    filled = np.concatenate((above, ties[:missing]))
    filled.sort()
    return filled


def _through_bins(keys: Keys, weights: NDArray[np.floating], target: float, side: Side) -> int:
    positions: Indices | None = None
    for _ in range(_LEVELS):
        if len(keys) <= _FEW:
            break
        best, worst = keys.max(), keys.min()
        if best == worst:
            place = running(weights, target, side=side)
            return place if positions is None else int(positions[place])
        bins = _bins(keys, best, worst)
        sums = np.cumsum(np.bincount(bins, weights), dtype=np.float64)
        crossed = _place(sums, target, side)
        inside = np.flatnonzero(bins == crossed)
        target -= float(sums[crossed - 1]) if crossed else 0.0
        keys, weights = keys[inside], weights[inside]
        positions = inside if positions is None else positions[inside]
    ranked = descending(keys)
    place = int(ranked[_place(np.cumsum(weights[ranked], dtype=np.float64), target, side)])
    return place if positions is None else int(positions[place])


def _bins(keys: Keys, best: np.float32, worst: np.float32) -> Indices:
    """Return a bin for each key, never a lower one for a lower key; the best is in the first."""
    spread = float(best) - float(worst)
    if spread < _TINY:
        exact = float(best) - keys.astype(np.float64)
        exact *= (_BINS - 1) / spread
        return exact.astype(np.intp)
    with np.errstate(over="ignore"):
        below = best - keys
        below *= np.float32((_BINS - 1) / min(spread, _NATS))
    if spread > _NATS:
        np.minimum(below, np.float32(_BINS - 1), out=below)
    return below.astype(np.intp)


_TINY = 1e-30


def _place(sums: NDArray[np.float64], target: float, side: Side) -> int:
    """Return the first place where `sums` get to `target`, or else to all that they add up to."""
    place = int(np.searchsorted(sums, target, side=side))
    return place if place < len(sums) else int(np.searchsorted(sums, sums[-1]))
