"""Which positions come first by descending key, found without sorting a whole vocabulary.

Of equal keys the earlier position comes first, everywhere here. Keys are float32 and never NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.float32]
Weights = NDArray[np.floating]
Sums = NDArray[np.float64]
Indices = NDArray[np.intp]
Side = Literal["left", "right"]


def descending(keys: Keys) -> Indices:
    """Return all positions by descending key.

    Each of many keys becomes an integer of the same order with its position below it, so that any sort is
    stable: NumPy's stable one of floats takes several times as long.
    """
    if len(keys) <= _HEAD:
        return np.argsort(-keys, kind="stable")
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
    if k >= len(keys) or len(keys) <= _FEW:
        return descending(keys)[:k]
    pool = _superset(keys, k)
    pooled = keys[pool]
    if len(pool) > 2 * k:
        boundary = np.partition(pooled, len(pool) - k)[len(pool) - k]
        pool = pool[_first_ties(pooled, boundary, k)]
        pooled = keys[pool]
    ranked: Indices = pool[descending(pooled)[:k]]
    return ranked


def crossing(keys: Keys, weights: Weights, target: float, *, side: Side = "left") -> int:
    """Return the position at which the sum of `weights`, by descending key, gets to `target`.

    `side="left"` stops at a sum ≥ `target`, `"right"` at a sum > `target`; without such a sum it is where
    the whole sum is reached. Keys are counted into bins, and only the bin of the crossing is looked into,
    until it is small enough to sort, or one if it is tied.
    """
    best = int(keys.argmax())
    if _reaches(float(weights[best]), target, side):
        return best
    part = _Part(keys, weights, target)
    if len(keys) > _FEW:
        part = _narrowed(part, side)
    ranked = descending(part.keys)
    return part.position(int(ranked[_place(_sums(part.weights[ranked]), part.target, side)]))


def head(keys: Keys, last: int) -> Indices:
    """Return, ascending, the positions that come no later than `last` by descending key."""
    chosen = keys > keys[last]
    chosen[: last + 1] |= keys[: last + 1] == keys[last]
    return np.flatnonzero(chosen)


def block_sums(weights: Weights) -> Sums:
    """Return the running sum of `weights` [n] after each block of 512, and after all of them."""
    whole = len(weights) // _BLOCK * _BLOCK
    blocks = np.empty(whole // _BLOCK + 1)
    weights[:whole].reshape(-1, _BLOCK).sum(axis=1, dtype=np.float64, out=blocks[:-1])
    blocks[-1] = weights[whole:].sum(dtype=np.float64)
    return _sums(blocks)


def running(weights: Weights, blocks: Sums, target: float, *, side: Side = "left") -> int:
    """Return the position at which the running sum of `weights` gets to `target`, as `crossing` does.

    `blocks` are the `block_sums` of `weights`, so that only one block is summed up step by step.
    """
    block = _place(blocks, target, side)
    start = block * _BLOCK
    rest = target - float(blocks[block - 1]) if block else target
    return start + _place(_sums(weights[start : start + _BLOCK]), rest, side)


_FEW = 2048
_HEAD = 256
_BLOCK = 512
_BINS = 4096
_CHUNK = 32_768
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


@dataclass(frozen=True, slots=True)
class _Part:
    """Keys and weights among which a crossing lies, what is to be reached there, and where they came from."""

    keys: Keys
    weights: Weights
    target: float
    origin: Indices | None = None

    def only(self, inside: Indices, before: float) -> _Part:
        """Return the part at the positions `inside`, with the weight `before` above it."""
        origin = inside if self.origin is None else self.origin[inside]
        return _Part(self.keys[inside], self.weights[inside], self.target - before, origin)

    def position(self, place: int) -> int:
        return place if self.origin is None else int(self.origin[place])

    @property
    def tied(self) -> bool:
        return bool(self.keys.max() == self.keys.min())


def _narrowed(part: _Part, side: Side) -> _Part:
    """Return a part of few keys in which the crossing lies."""
    if part.target <= _HEAD * float(part.weights.max()):
        part = _in_head(part, side)
    for _ in range(_LEVELS):
        if len(part.keys) <= _FEW:
            return part
        if part.tied:
            place = running(part.weights, block_sums(part.weights), part.target, side=side)
            return part.only(np.array([place]), 0.0)
        part = _in_bin(part, side)
    return part


def _in_head(part: _Part, side: Side) -> _Part:
    """Return the best few keys if they reach the target, else the part as it is."""
    positions = largest(part.keys, _HEAD)
    reached = float(part.weights[positions].sum(dtype=np.float64))
    return part.only(np.sort(positions), 0.0) if _reaches(reached, part.target, side) else part


def _in_bin(part: _Part, side: Side) -> _Part:
    """Return the part whose keys are in the bin of the crossing; counted by chunks that stay in the cache."""
    best, worst = part.keys.max(), part.keys.min()
    bins = np.empty(len(part.keys), dtype=np.uint16)
    weights = np.zeros(_BINS)
    for start in range(0, len(bins), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        places = _bins(part.keys[chunk], best, worst)
        bins[chunk] = places
        weights += np.bincount(places, part.weights[chunk], minlength=_BINS)
    sums = _sums(weights)
    crossed = _place(sums, part.target, side)
    return part.only(np.flatnonzero(bins == crossed), float(sums[crossed - 1]) if crossed else 0.0)


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


def _sums(weights: Weights) -> Sums:
    return np.cumsum(weights, dtype=np.float64)


def _place(sums: Sums, target: float, side: Side) -> int:
    """Return the first place where `sums` get to `target`, or else to all that they add up to."""
    place = int(np.searchsorted(sums, target, side=side))
    return place if place < len(sums) else int(np.searchsorted(sums, sums[-1]))


def _reaches(weight: float, target: float, side: Side) -> bool:
    return weight >= target if side == "left" else weight > target
