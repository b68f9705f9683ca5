"""Tokens and their logits in the order in which they are kept, and what can be said without any order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import NonFiniteLogits
from gemma_eval.sampling.selection import Sums, block_sums

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Bag:
    """The ids [n] and logits [n] of some tokens of a vocabulary; all finite.

    What is computed once is kept, so the arrays that its properties return are not to be written into.
    """

    ids: Indices
    logits: Floats
    vocabulary: int

    @classmethod
    def of(cls, logits: NDArray[np.floating]) -> Bag:
        """Return the tokens of `logits` [V] that are above -inf, by id. Raises NonFiniteLogits."""
        values = np.asarray(logits, dtype=np.float32)
        if values.ndim != 1 or not len(values):
            raise NonFiniteLogits(f"logits have the shape {values.shape}; one value per token is needed")
        everything = cls(_every_id(len(values)), values, len(values))
        check_finite(float(everything.highest))
        return (
            everything if everything.lowest > -np.inf else everything.take(np.flatnonzero(values > -np.inf))
        )

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, positions: Indices) -> Bag:
        """Return the tokens at `positions`, in that order."""
        whole = self.ids is _every_id(self.vocabulary)
        return Bag(positions if whole else self.ids[positions], self.logits[positions], self.vocabulary)

    @cached_property
    def highest(self) -> np.float32:
        """The highest logit."""
        highest: np.float32 = self.logits.max()
        return highest

    @cached_property
    def lowest(self) -> np.float32:
        """The lowest logit."""
        lowest: np.float32 = self.logits.min()
        return lowest

    @cached_property
    def from_best(self) -> Floats:
        """The logits less the highest [n], none below -1e30 so that 0 times any of them is 0."""
        with np.errstate(over="ignore"):
            shifted: Floats = self.logits - self.highest
        if float(self.lowest) - float(self.highest) < _LOWEST:
            np.maximum(shifted, _LOWEST, out=shifted)
        return _kept(shifted)

    @cached_property
    def weights(self) -> Floats:
        """exp(logit - highest logit) [n]: probabilities before they are divided by their sum."""
        return _kept(np.exp(self.from_best))

    @cached_property
    def total(self) -> float:
        """The sum of the weights, at least 1."""
        return float(self.sums[-1])

    @cached_property
    def sums(self) -> Sums:
        """The running sum of the weights after each of their blocks."""
        return block_sums(self.weights)

    @cached_property
    def probabilities(self) -> Floats:
        """The softmax of the logits [n]."""
        return _kept(self.weights / np.float32(self.total))

    @cached_property
    def log_probabilities(self) -> Floats:
        """The natural logarithms of the probabilities [n]; finite even where a probability is 0."""
        return _kept(self.from_best - np.float32(np.log(self.total)))

    @cached_property
    def entropy(self) -> float:
        """The Shannon entropy in nats."""
        return float(np.log(self.total)) - _dot(self.weights, self.from_best) / self.total


def check_finite(highest: float) -> None:
    """Raise NonFiniteLogits unless the highest logit is a number: NaN spreads to it, -inf means no token."""
    if not np.isfinite(highest):
        what = "every logit is -inf" if highest == -np.inf else f"a logit is {highest}"
        raise NonFiniteLogits(f"{what}; no token can be chosen (weights or arithmetic are broken)")


_LOWEST = -1e30
_BLOCK = 256


@lru_cache(maxsize=4)
def _every_id(vocabulary: int) -> Indices:
    ids = np.arange(vocabulary)
    ids.setflags(write=False)
    return ids


def _kept(values: Floats) -> Floats:
    values.setflags(write=False)
    return values


def _dot(left: Floats, right: Floats) -> float:
    """Return the sum of products: of each block in float32, of the blocks in float64."""
    whole = len(left) // _BLOCK * _BLOCK
    blocks = np.einsum("ij,ij->i", left[:whole].reshape(-1, _BLOCK), right[:whole].reshape(-1, _BLOCK))
    rest = (left[whole:] * right[whole:]).sum(dtype=np.float64)
    return float(blocks.sum(dtype=np.float64) + rest)
