"""Penalties on tokens that were seen lately, in the prompt or in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Candidates, CandidateTransform, Floats
from gemma_eval.sampling.positions import positions, within_float32


def penalties(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Penalise what the last `penalty_last_n` tokens hold (0 is off, -1 looks at all of them)."""
    neutral = (profile.repeat_penalty, profile.frequency_penalty, profile.presence_penalty) == (1.0, 0.0, 0.0)
    if neutral or profile.penalty_last_n == 0:
        return None
    return Penalties(
        last_n=profile.penalty_last_n,
        repeat=profile.repeat_penalty,
        frequency=profile.frequency_penalty,
        presence=profile.presence_penalty,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties(CandidateTransform):
    """Lower the logits of seen tokens: divide (or multiply a negative one) by `repeat`, then subtract.

    `frequency` is subtracted once per occurrence, `presence` once.
    Source: ggml-org/llama.cpp:src/llama-sampler.cpp (penalties); Keskar et al. 2019, arXiv 1909.05858.
    """

    last_n: int
    repeat: float
    frequency: float
    presence: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates in their order with lowered logits."""
        window = seen if self.last_n < 0 else seen[max(0, len(seen) - self.last_n) :]
        tokens, counts = np.unique(np.asarray(window, dtype=np.intp), return_counts=True)
        places = positions(candidates, tokens)
        if not len(places):
            return candidates
        times = counts[np.searchsorted(tokens, candidates.ids[places])].astype(np.float32)
        logits = candidates.logits.copy()
        logits[places] = self._lowered(logits[places], times)
        return candidates.with_logits(logits)

    def _lowered(self, logits: Floats, times: Floats) -> Floats:
        repeat = np.float32(self.repeat)
        with np.errstate(all="ignore"):
            scaled = np.where(logits <= 0, logits * repeat, logits / repeat)
            return within_float32(scaled - (times * np.float32(self.frequency) + np.float32(self.presence)))
