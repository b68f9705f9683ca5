"""Rotary positions in the half-split form: value i turns with value i + H/2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gemma_eval.gemma.architecture import Rope
from gemma_eval.gemma.tensors import Array


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """Cosines and sines [L, 1, H/2] of L positions, to be applied to every head."""

    cos: Array
    sin: Array

    def __getitem__(self, positions: slice) -> Rotation:
        """Return the rotation of a range of the positions."""
        return Rotation(self.cos[positions], self.sin[positions])

    def __call__(self, x: Array) -> Array:
        """Return `x` [L, heads, H] turned by its positions."""
        half = x.shape[-1] // 2
        first, second = x[..., :half], x[..., half:]
        turned = np.empty_like(x)
        np.multiply(first, self.cos, out=turned[..., :half])
        turned[..., :half] -= second * self.sin
        np.multiply(second, self.cos, out=turned[..., half:])
        turned[..., half:] += first * self.sin
        return turned


def frequencies(rope: Rope, *, head_dim: int) -> Array:
    """Return the angle per position of each pair [H/2]: θ^(-2i/H), divided by the linear factor.

    Source: arXiv 2104.09864; linear scaling: arXiv 2306.15595.
    """
    exponents = np.arange(0, head_dim, 2, dtype=np.float64) / head_dim
    return (rope.theta**-exponents / rope.factor).astype(np.float32)


@lru_cache(maxsize=8)
def rotation(rope: Rope, *, head_dim: int, positions: int) -> Rotation:
    """Return the rotation of the positions 0 … positions - 1.

    Angles are float32 products, as in the reference: at position 4,000 a float64 product differs by 1e-4.
    """
    angles = np.arange(positions, dtype=np.float32)[:, None, None] * frequencies(rope, head_dim=head_dim)
    return Rotation(np.cos(angles), np.sin(angles))
