"""The tokens that may still be chosen, in the order in which the draw reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import NonFiniteLogits

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The ids [n] and logits [n] of the tokens that are left of a vocabulary; all finite and n ≥ 1.

    The order is part of the value: a seeded draw walks it, so the sort that a transform leaves behind
    decides which token a seed chooses. A token whose logit is -inf may not be drawn and is no candidate;
    llama.cpp keeps it with probability 0, which shows only in dynatemp's count of candidates.
    """

    ids: Indices
    logits: Floats
    vocabulary: int

    @classmethod
    def of(cls, logits: NDArray[np.floating]) -> Candidates:
        """Return the candidates among `logits` [V] in the order of their ids. Raises NonFiniteLogits."""
        values = np.asarray(logits, dtype=np.float32)
        if values.ndim != 1 or not len(values):
            raise NonFiniteLogits(f"logits have the shape {values.shape}; one value per token is needed")
        check_finite(float(values.max()))
        everything = cls(np.arange(len(values)), values, len(values))
        return everything if values.min() > -np.inf else everything.take(values > -np.inf)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """Return the candidates at `positions` (indices or a mask), in the order of `positions`."""
        return Candidates(self.ids[positions], self.logits[positions], self.vocabulary)

    def best_first(self) -> Candidates:
        """Return the candidates by descending logit; of equal ones the earlier comes first."""
        return self.take(largest(self.logits, len(self)))

    def with_logits(self, logits: Floats) -> Candidates:
        """Return the same ids with other logits."""
        return Candidates(self.ids, logits, self.vocabulary)

    def over_vocabulary(self) -> Floats:
        """Return logits [V] with -inf for every token that is no candidate."""
        logits = np.full(self.vocabulary, -np.inf, dtype=np.float32)
        logits[self.ids] = self.logits
        return logits

    def from_best(self) -> Floats:
        """Return the logits less the highest [n], none below -1e30 so that 0 times any of them is 0."""
        with np.errstate(over="ignore"):
            shifted: Floats = np.maximum(self.logits - self.logits.max(), np.float32(-1e30))
        return shifted

    def weights(self) -> Floats:
        """Return exp(logit - highest logit) [n]: probabilities before they are divided by their sum."""
        weights: Floats = np.exp(self.from_best())
        return weights

    def probabilities(self) -> Floats:
        """Return the softmax of the logits [n]."""
        weights = self.weights()
        return weights / np.float32(weights.sum(dtype=np.float64))

    def log_probabilities(self) -> Floats:
        """Return the natural logarithms of the probabilities [n]; finite even where a probability is 0."""
        shifted = self.from_best()
        logs: Floats = shifted - np.float32(np.log(np.exp(shifted).sum(dtype=np.float64)))
        return logs

    def entropy(self) -> float:
        """Return the Shannon entropy of the candidates in nats."""
        shifted = self.from_best()
        weights = np.exp(shifted)
        total = float(weights.sum(dtype=np.float64))
        return float(np.log(total)) - float((weights * shifted).sum(dtype=np.float64)) / total


class CandidateTransform(ABC):
    """A transform that works on candidates, so that what comes after a cut costs only what was left.

    It is a `Transform` too: called with logits [V] it returns logits [V].
    """

    @abstractmethod
    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return what is left of `candidates`; `seen` are the ids of prompt and answer so far."""

    def __call__(self, logits: Floats, seen: Sequence[int]) -> Floats:
        """Return new logits [V], -inf where a token was removed. Raises NonFiniteLogits."""
        return self.apply(Candidates.of(logits), seen).over_vocabulary()


def check_finite(highest: float) -> None:
    """Raise NonFiniteLogits unless the highest logit is a number: NaN spreads to it, -inf means no token."""
    if not np.isfinite(highest):
        what = "every logit is -inf" if highest == -np.inf else f"a logit is {highest}"
        raise NonFiniteLogits(f"{what}; no token can be chosen (weights or arithmetic are broken)")


def largest(keys: Floats, k: int) -> Indices:
    """Return the positions of the `k` largest keys, largest first; of equal keys the earlier comes first.

    Whole-vocabulary sorts are avoided: every key below the k-th largest of a strided sample is below the
    k-th largest of all, so only the few above that bound are sorted.
    """
    if k >= len(keys):
        return np.argsort(-keys, kind="stable")
    pool = _above_sampled_bound(keys, k)
    pooled = keys[pool]
    boundary = np.partition(pooled, len(pooled) - k)[len(pooled) - k]
    chosen = pooled > boundary
    ties = np.flatnonzero(pooled == boundary)[: k - np.count_nonzero(chosen)]
    chosen[ties] = True
    positions = pool[chosen]
    ranked: Indices = positions[np.argsort(-keys[positions], kind="stable")]
    return ranked


def shortest_head(keys: Floats, weights: Floats, *, mass: float, side: Literal["left", "right"]) -> Indices:
    """Return the shortest run of positions, by descending key, whose weights add up to `mass`.

    `side="left"` stops at a sum ≥ `mass`, `"right"` at a sum > `mass`; without such a sum all are returned.
    A sum within 4 float32 roundings of `mass` counts as equal to it, so that 0.5 + 0.3 reaches 0.8.
    """
    target = mass - _ROUNDING if side == "left" else mass + _ROUNDING
    size = 256
    while True:
        head = largest(keys, size)
        end = int(np.searchsorted(np.cumsum(weights[head], dtype=np.float64), target, side=side))
        if end < len(head) or len(head) == len(keys):
            shortest: Indices = head[: end + 1]
            return shortest
        size = min(size * 8, len(keys))


_ROUNDING = 4 * 2.0**-23


def _above_sampled_bound(keys: Floats, k: int) -> Indices:
    """Return the positions, ascending, of a superset of the `k` largest keys."""
    stride = int(np.sqrt(len(keys) / k)) if k else 1
    if stride < 4:
        return np.arange(len(keys))
    sample = keys[::stride]
    bound = np.partition(sample, len(sample) - k)[len(sample) - k]
    return np.flatnonzero(keys >= bound)
