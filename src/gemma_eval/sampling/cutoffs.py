"""Cuts at a level instead of at a count or a mass: top-n-sigma, epsilon and eta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform


def top_n_sigma(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Keep the logits within `top_n_sigma` standard deviations of the highest; 0 or less is off."""
    return TopNSigma(profile.top_n_sigma) if profile.top_n_sigma > 0 else None


def epsilon_cutoff(
    profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int
) -> CandidateTransform | None:
    """Remove the tokens with a probability below `epsilon_cutoff`; 0 or less is off."""
    return EpsilonCutoff(profile.epsilon_cutoff) if profile.epsilon_cutoff > 0 else None


def eta_cutoff(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Remove the tokens with a probability below a level that falls with the entropy; 0 or less is off."""
    return EtaCutoff(profile.eta_cutoff) if profile.eta_cutoff > 0 else None


@dataclass(frozen=True, slots=True)
class TopNSigma(CandidateTransform):
    """Keep the logits at most `n` standard deviations of all logits below the highest.

    A temperature before it changes nothing of what is kept, for it scales both.
    Source: Tang et al. 2024, arXiv 2411.07641; ggml-org/llama.cpp:src/llama-sampler.cpp (top-n-sigma).
    """

    n: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return those above the cut in their order."""
        exact = candidates.bag.logits.astype(np.float64)
        best = float(exact.max())
        exact -= exact.mean()
        sigma = float(np.sqrt(np.dot(exact, exact) / len(exact)))
        cut = np.float32(max(best - self.n * sigma, _LOWEST))
        return candidates.where(lambda bag: bag.logits >= cut)


@dataclass(frozen=True, slots=True)
class EpsilonCutoff(CandidateTransform):
    """Keep the tokens of at least the probability `epsilon`, and always the best.

    Source: Hewitt et al. 2022, arXiv 2210.15191; huggingface/transformers:src/transformers/generation.
    """

    epsilon: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return those above the cut in their order."""
        return _at_least(candidates, self.epsilon)


@dataclass(frozen=True, slots=True)
class EtaCutoff(CandidateTransform):
    """Keep the tokens of at least min(`epsilon`, √`epsilon`·e^-H), and always the best.

    H is the entropy of the candidates in nats.
    Source: Hewitt et al. 2022, arXiv 2210.15191; huggingface/transformers:src/transformers/generation.
    """

    epsilon: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return those above the cut in their order."""
        level = np.sqrt(self.epsilon) * np.exp(-candidates.entropy())
        return _at_least(candidates, min(self.epsilon, float(level)))


_LOWEST = float(np.finfo(np.float32).min)


def _at_least(candidates: Candidates, level: float) -> Candidates:
    """Keep the probabilities of at least `level`; of those below it only the highest, ties and all."""
    highest = candidates.bag.probabilities.max()
    return candidates.where(lambda bag: bag.probabilities >= min(np.float32(level), highest))
