"""The tokens that may still be chosen, and the order in which the draw walks them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gemma_eval.sampling.bag import Bag, Floats, Indices, Mask, check_finite
from gemma_eval.sampling.selection import Sums, crossing, descending, running

__all__ = ["Bag", "CandidateTransform", "Candidates", "Floats", "Indices", "check_finite"]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What is left of a vocabulary, all finite and at least one.

    The order is part of the value: a seeded draw walks it, so the sort that a transform leaves behind
    decides which token a seed chooses. It is by descending `keys` [n], of equal ones as they lie in `bag`,
    or without keys as they lie there. Nothing is sorted before somebody reads an array in that order:
    `where`, `each` and a draw need none. A token whose logit is -inf may not be drawn and is no candidate;
    llama.cpp keeps it with probability 0, which shows only in dynatemp's count of candidates.
    """

    bag: Bag
    keys: Floats | None = None

    @classmethod
    def of(cls, logits: NDArray[np.floating]) -> Candidates:
        """Return the candidates among `logits` [V] in the order of their ids. Raises NonFiniteLogits."""
        return cls(Bag.of(logits))

    def __len__(self) -> int:
        return len(self.bag)

    @property
    def vocabulary(self) -> int:
        """V, of which these are left."""
        return self.bag.vocabulary

    @property
    def ids(self) -> Indices:
        """The ids [n] in order."""
        return self.in_order.ids

    @property
    def logits(self) -> Floats:
        """The logits [n] in order."""
        return self.in_order.logits

    @cached_property
    def in_order(self) -> Bag:
        """The tokens as the draw walks them; sorts if need be."""
        return self.bag if self.keys is None else self.bag.take(descending(self.keys))

    def best_first(self) -> Candidates:
        """Return the candidates by descending logit; of equal ones the earlier in the bag comes first."""
        return Candidates(self.bag, self.bag.logits)

    def best(self) -> Candidates:
        """Return the first candidate of the highest logit."""
        first = self.bag.logits.argmax()
        if self.keys is not None:
            ties = np.flatnonzero(self.bag.logits == self.bag.highest)
            first = ties[self.keys[ties].argmax()]
        return Candidates(self.bag.take(np.array([first])))

    def where(self, keep: Callable[[Bag], Mask]) -> Candidates:
        """Return, in their order, the candidates for which `keep` says so [n] of their bag."""
        mask = keep(self.bag)
        return self if np.count_nonzero(mask) == len(mask) else self.only(np.flatnonzero(mask))

    def only(self, positions: Indices) -> Candidates:
        """Return, in their order, the candidates at the ascending `positions` of the bag."""
        bag = self.bag.take(positions)
        if self.keys is None:
            return Candidates(bag)
        return Candidates(bag, bag.logits if self.keys is self.bag.logits else self.keys[positions])

    def each(self, change: Callable[[Bag], Floats]) -> Candidates:
        """Return the candidates in their order with the logits [n] that `change` makes of their bag."""
        return Candidates(Bag(self.bag.ids, change(self.bag), self.vocabulary), self.keys)

    def take(self, positions: Indices | Mask) -> Candidates:
        """Return the candidates at these places of the order, by index or mask, in the order given."""
        return Candidates(self.in_order.take(np.arange(len(self))[positions]))

    def with_logits(self, logits: Floats) -> Candidates:
        """Return the same ids with other logits, which are given in order."""
        return Candidates(Bag(self.ids, logits, self.vocabulary))

    def over_vocabulary(self) -> Floats:
        """Return logits [V] with -inf for every token that is no candidate."""
        logits = np.full(self.vocabulary, -np.inf, dtype=np.float32)
        logits[self.bag.ids] = self.bag.logits
        return logits

    def walk(self, weights: Floats, sums: Sums, share: float) -> int:
        """Return the position in the bag at which `weights` [n], in order, reach `share` of their sum.

        `sums` are the `block_sums` of `weights`.
        """
        target = share * float(sums[-1])
        if self.keys is None:
            return running(weights, sums, target)
        return crossing(self.keys, weights, target)

    def weights(self) -> Floats:
        """Return exp(logit - highest logit) [n]: probabilities before they are divided by their sum."""
        return self.in_order.weights

    def probabilities(self) -> Floats:
        """Return the softmax of the logits [n]."""
        return self.in_order.probabilities

    def log_probabilities(self) -> Floats:
        """Return the natural logarithms of the probabilities [n]; finite even where a probability is 0."""
        return self.in_order.log_probabilities

    def entropy(self) -> float:
        """Return the Shannon entropy of the candidates in nats."""
        return self.bag.entropy


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
