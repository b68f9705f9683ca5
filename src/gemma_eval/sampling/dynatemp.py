"""Temperature: one number, or one that follows the entropy of what may still be chosen (dynatemp)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.sampling.candidates import Candidates, CandidateTransform, largest


@dataclass(frozen=True, slots=True)
class Temperature(CandidateTransform):
    """Divide the logits by `value`; 0 or less keeps only the first of the highest logits."""

    value: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates with sharper (`value` < 1) or flatter (> 1) logits."""
        return _scale(candidates, self.value)


@dataclass(frozen=True, slots=True)
class DynamicTemperature(CandidateTransform):
    """Divide the logits by a temperature between `base - spread` (sure) and `base + spread` (unsure).

    T = Tmin + (Tmax - Tmin)·(H / ln n)^exponent with H the entropy of the n candidates in nats and
    Tmin ≥ 0. One candidate is left as it is. Earlier cuts matter: they change both H and n.
    Source: ggml-org/llama.cpp:src/llama-sampler.cpp (temp-ext).
    """

    base: float
    spread: float
    exponent: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the scaled candidates, best first."""
        if len(candidates) == 1:
            return candidates
        ranked = candidates.take(largest(candidates.logits, len(candidates)))
        return _scale(ranked, self.value(ranked))

    def value(self, candidates: Candidates) -> float:
        """Return the temperature for at least two candidates."""
        low, high = max(0.0, self.base - self.spread), self.base + self.spread
        unsureness = min(1.0, max(0.0, candidates.entropy() / float(np.log(len(candidates)))))
        return low + (high - low) * float(unsureness**self.exponent)


def _scale(candidates: Candidates, temperature: float) -> Candidates:
    """Divide the logits; where that overflows, take them from the highest first (an equal softmax)."""
    best = int(candidates.logits.argmax())
    if temperature <= 0:
        return candidates.take(np.array([best]))
    with np.errstate(over="ignore", under="ignore"):
        scaled = candidates.logits / np.float64(temperature)
        if not abs(scaled[best]) < np.finfo(np.float32).max:
            scaled = (candidates.logits - candidates.logits[best]) / np.float64(temperature)
        narrow = scaled.astype(np.float32)
    return candidates.with_logits(narrow).take(narrow > -np.inf)
