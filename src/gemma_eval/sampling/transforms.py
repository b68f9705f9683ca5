"""The truncating transforms and the factories that read them from a profile.

Source: ggml-org/llama.cpp:src/llama-sampler.cpp. A parameter's *off* value makes the factory return `None`.
A factory takes what every `TransformFactory` is given; these need neither the vocabulary nor the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Bag, Candidates, CandidateTransform, Floats
from gemma_eval.sampling.selection import Side, crossing, head, largest


def top_k(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Keep the `top_k` most probable tokens; 0 or less is off."""
    return TopK(profile.top_k) if profile.top_k > 0 else None


def top_p(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Keep the most probable tokens whose probabilities add up to `top_p`; 1 or more is off."""
    return TopP(profile.top_p) if profile.top_p < 1 else None


def min_p(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Keep the tokens at least `min_p` times as probable as the best, of the nucleus `base_p` if below 1."""
    if profile.min_p <= 0 and profile.base_p >= 1:
        return None
    return MinP(profile.min_p, profile.base_p)


def typical_p(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Keep the tokens of the most typical surprise, up to a mass above `typical_p`; 1 or more is off."""
    return TypicalP(profile.typical_p) if profile.typical_p < 1 else None


@dataclass(frozen=True, slots=True)
class TopK(CandidateTransform):
    """Keep the `k` largest logits, sorted; more than there are keeps all."""

    k: int

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the `k` best, best first."""
        if self.k >= len(candidates):
            return candidates.best_first()
        return Candidates(candidates.bag.take(largest(candidates.bag.logits, self.k)))


@dataclass(frozen=True, slots=True)
class TopP(CandidateTransform):
    """Keep the shortest run of the most probable tokens whose sum reaches `p`; at least one.

    A sum within 4 float32 roundings of `p` counts as equal to it, so that 0.5 + 0.3 reaches 0.8.
    Source: Holtzman et al. 2019, arXiv 1904.09751.
    """

    p: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the nucleus, best first."""
        bag = candidates.bag
        return _head(bag, bag.logits, mass=self.p - _ROUNDING, side="left")


@dataclass(frozen=True, slots=True)
class MinP(CandidateTransform):
    """Keep the tokens with probability ≥ `min_p` times the highest one; above 1 only the best is kept.

    `base_p` < 1 is a nucleus cap before it, and then the candidates are left best first.
    Source: Nguyen et al. 2024, arXiv 2407.01082.
    """

    min_p: float
    base_p: float = 1.0

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return those above the cut in their order; logits are compared, so nothing is sorted."""
        if self.base_p < 1:
            candidates = TopP(self.base_p).apply(candidates, seen)
        if self.min_p <= 0:
            return candidates
        cut = candidates.bag.highest + np.float32(np.log(self.min_p))
        if cut > candidates.bag.highest:
            return candidates.best()
        return candidates.where(lambda bag: bag.logits >= cut)


@dataclass(frozen=True, slots=True)
class TypicalP(CandidateTransform):
    """Keep the tokens whose surprise is nearest to the entropy until their sum exceeds `p`; at least one.

    Source: Meister et al. 2022, arXiv 2202.00666.
    """

    p: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the typical set, most typical first."""
        bag = candidates.bag
        nearness = bag.log_probabilities + np.float32(bag.entropy)
        np.negative(np.abs(nearness, out=nearness), out=nearness)
        return _head(bag, nearness, mass=self.p + _ROUNDING, side="right")


_ROUNDING = 4 * 2.0**-23


def _head(bag: Bag, keys: Floats, *, mass: float, side: Side) -> Candidates:
    """Return, by descending key, the fewest tokens whose probabilities add up to `mass`, or all."""
    target = mass * bag.total
    if target > bag.total:
        return Candidates(bag, keys)
    return Candidates(bag, keys).only(head(keys, crossing(keys, bag.weights, target, side=side)))
