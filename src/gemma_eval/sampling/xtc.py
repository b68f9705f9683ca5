"""XTC (exclude top choices): now and then the likeliest tokens are left out, to leave the beaten track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.bag import Bag, Mask
from gemma_eval.sampling.candidates import Candidates, CandidateTransform
from gemma_eval.sampling.selection import descending


def xtc(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Leave top choices out with `xtc_probability`; 0, or a threshold above one half, is off."""
    if profile.xtc_probability <= 0 or profile.xtc_threshold > 0.5:
        return None
    return Xtc(profile.xtc_probability, threshold=profile.xtc_threshold, chance=chances(seed))


@dataclass(frozen=True, slots=True)
class Xtc(CandidateTransform):
    """With `probability`, remove all tokens of at least `threshold` but the least likely of these.

    So one good token always stays. One number of `chance` is spent per draw, none on a single candidate.
    Source: oobabooga/text-generation-webui, pull request 6335 (p-e-w);
    ggml-org/llama.cpp:src/llama-sampler.cpp (xtc).
    """

    probability: float
    threshold: float
    chance: Callable[[], np.float32]

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates, best first where the dice fell so, else as they are."""
        if len(candidates) < 2 or self.chance() > np.float32(self.probability):
            return candidates
        return candidates.best_first().where(self._kept)

    def _kept(self, bag: Bag) -> Mask:
        choices = np.flatnonzero(bag.probabilities >= np.float32(self.threshold))
        kept = np.ones(len(bag), dtype=np.bool_)
        kept[choices[descending(bag.logits[choices])][:-1]] = False
        return kept


def chances(seed: int) -> Callable[[], np.float32]:
    """Return a stream of uniform float32 in [0, 1), of its own though from the seed of the draw.

    One 32-bit output of mt19937 over 2^32. Source: std::uniform_real_distribution<float> of libstdc++.
    """
    generator = np.random.RandomState(seed & 0xFFFFFFFF)
    scale, most = np.float32(2.0**-32), np.nextafter(np.float32(1), np.float32(0))
    return lambda: min(np.float32(int.from_bytes(generator.bytes(4), "little")) * scale, most)
