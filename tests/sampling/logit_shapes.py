"""Shapes of logits that a sampler must be right and fast on, the ordinary and the awkward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 262_144
"""The vocabulary of Gemma 3."""

SHAPES: Mapping[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "peaked": lambda rng, n: rng.normal(size=n) * 4 + 20 * (np.arange(n) == n // 2),
    "zipf": lambda rng, n: -1.1 * np.log(1.0 + rng.permutation(n)),
    "gaussian": lambda rng, n: rng.normal(size=n) / 3,
    "flat": lambda rng, n: np.full(n, rng.normal()),
    "ties": lambda rng, n: np.round(rng.normal(size=n) * 2) / 2,
    "two levels": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, -2.0),
    "signed zeros": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, -0.0),
    "descending": lambda rng, n: -np.arange(n) / 1000,
    "huge spread": lambda rng, n: rng.normal(size=n) * 1e30,
    "ends of float32": lambda rng, n: rng.choice([3.4e38, -3.4e38, 0.0], size=n),
    "denormal": lambda rng, n: rng.normal(size=n) * 1e-42,
    "denormal weights": lambda rng, n: -95.0 - rng.random(n) * 8 + 95 * (np.arange(n) == n - 1),
    "every scale": lambda rng, n: -np.exp(rng.uniform(-90, 80, size=n)),
    "close to a large number": lambda rng, n: 1e6 + rng.normal(size=n),
}


@dataclass(frozen=True)
class Shaped:
    """Logits [n] of some shape; printed as what makes them again."""

    shape: str
    size: int
    seed: int

    @property
    def logits(self) -> NDArray[np.float32]:
        """Return float32 logits, all finite."""
        return SHAPES[self.shape](np.random.default_rng(self.seed), self.size).astype(np.float32)
