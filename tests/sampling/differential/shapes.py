"""Logits of many shapes for comparisons: peaked, flat, tied, masked, far apart; V from 1 to 262,144."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Shape = Literal["normal", "peaked", "flat", "tied", "masked", "far", "one high"]
SHAPES: tuple[Shape, ...] = ("normal", "peaked", "flat", "tied", "masked", "far", "one high")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A recipe for logits, so that a failing example prints as a line and not as a vocabulary."""

    shape: Shape
    size: int
    seed: int

    def logits(self) -> NDArray[np.float32]:
        """Return float32 logits [V], at least one of them finite."""
        rng = np.random.default_rng(self.seed)
        values = rng.normal(size=self.size) * _SPREAD.get(self.shape, 3.0) + rng.uniform(-20, 20)
        if self.shape == "tied":
            values = np.round(values)
        if self.shape == "masked":
            values[rng.random(self.size) < 0.7] = -np.inf
            values[rng.integers(self.size)] = 1.0
        if self.shape == "one high":
            values[rng.integers(self.size)] += 30
        return values.astype(np.float32)


def drawn(largest: int = 5000) -> st.SearchStrategy[Drawn]:
    """Return recipes for logits of up to `largest` tokens, small ones as likely as large ones."""
    sizes = st.floats(0, float(np.log(largest))).map(lambda power: max(1, round(float(np.exp(power)))))
    return st.builds(Drawn, shape=st.sampled_from(SHAPES), size=sizes, seed=st.integers(0, 2**32 - 1))


def whole_vocabularies() -> tuple[Drawn, ...]:
    """Return one recipe per shape at Gemma's 262,144 tokens."""
    return tuple(Drawn(shape=shape, size=262_144, seed=place) for place, shape in enumerate(SHAPES))


_SPREAD = {"peaked": 8.0, "flat": 0.01, "far": 3000.0}
