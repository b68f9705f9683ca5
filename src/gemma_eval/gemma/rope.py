"""Rotary positions in the half-split form: value i turns with value i + H/2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gemma_eval.gemma.rope_config import Rope
from gemma_eval.gemma.rope_scaling import LENGTH_DEPENDENT, turning
from gemma_eval.gemma.tensors import Array

Places = NDArray[np.intp]
"""Positions of tokens, [R]."""


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """Cosines [L, 1, 1, H/2] and sines [L, 1, 2, H/2] of L positions, to be applied to every head.

    The sines of the first halves are negative: value i becomes x[i]·cos - x[i + H/2]·sin.
    """

    cos: Array
    sin: Array

    def __getitem__(self, positions: slice | Places) -> Rotation:
        """Return the rotation of some of the positions: of a range, or of each that is named."""
        return Rotation(self.cos[positions], self.sin[positions])

    def __call__(self, x: Array) -> Array:
        """Return `x` [L, heads, H] turned by its positions."""
        halves = x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)
        turned: Array = halves * self.cos
        turned += halves[..., ::-1, :] * self.sin
        return turned.reshape(x.shape)


def rotation(rope: Rope, *, head_dim: int, tokens: int) -> Rotation:
    """Return the rotation of the positions of a generation that holds `tokens`: 0 … tokens - 1 at least.

    Tables are shared between generations, so their size is rounded up to one that comes again.
    """
    positions = 1 << (tokens - 1).bit_length()
    depends = rope.scaling.rope_type in LENGTH_DEPENDENT
    return _table(rope, head_dim, positions, tokens if depends else positions)


@lru_cache(maxsize=8)
def _table(rope: Rope, head_dim: int, positions: int, tokens: int) -> Rotation:
    """Return the rotation of the positions 0 … positions - 1.

    Angles are float32 products, as in the reference: at position 4,000 a float64 product differs by 1e-4.
    """
    turns = turning(rope, head_dim=head_dim, tokens=tokens)
    angles = np.arange(positions, dtype=np.float32)[:, None, None] * turns.frequencies
    gain = np.float32(turns.gain)
    sines = np.sin(angles) * gain
    return Rotation(cos=np.cos(angles)[:, :, None] * gain, sin=np.stack([-sines, sines], axis=2))
