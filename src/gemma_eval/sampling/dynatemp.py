"""Temperature: one number, or one that follows the entropy of what may still be chosen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.protocols import Vocabulary
from gemma_eval.records import SamplingProfile
from gemma_eval.sampling.candidates import Bag, Candidates, CandidateTransform, Floats


def temperature(profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> CandidateTransform | None:
    """Divide the logits by `temperature`, or by what `dynatemp_mode` makes of it and the entropy."""
    heat = profile.temperature
    if is_dynamic(profile):
        if profile.dynatemp_mode == "edt":
            return EntropyTemperature(heat, theta=profile.dynatemp_theta, factor=profile.dynatemp_base)
        if profile.dynatemp_mode == "threshold":
            return ThresholdTemperature(heat, threshold=profile.dynatemp_threshold)
        return DynamicTemperature(heat, spread=profile.dynatemp_range, exponent=profile.dynatemp_exponent)
    return Temperature(heat) if heat != 1 else None


def is_dynamic(profile: SamplingProfile) -> bool:
    """Say whether the temperature of the profile follows the entropy: its mode has what switches it on."""
    switches = {
        "llama": profile.dynatemp_range,
        "edt": profile.dynatemp_theta,
        "threshold": profile.dynatemp_threshold,
    }
    return switches[profile.dynatemp_mode] > 0


@dataclass(frozen=True, slots=True)
class Temperature(CandidateTransform):
    """Divide the logits by `value`; 0 or less keeps only the first of the highest logits."""

    value: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the candidates with sharper (`value` < 1) or flatter (> 1) logits."""
        return _scale(candidates, self.value)


class FollowsEntropy(CandidateTransform):
    """Divide the logits by a temperature taken from the candidates; a single one is left as it is.

    Earlier cuts matter: they change the entropy and the number of candidates.
    """

    @abstractmethod
    def value(self, candidates: Candidates) -> float:
        """Return the temperature for at least two candidates."""

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the scaled candidates in their order; a temperature of 0 keeps the first of the best."""
        return candidates if len(candidates) == 1 else _scale(candidates, self.value(candidates))


@dataclass(frozen=True, slots=True)
class DynamicTemperature(FollowsEntropy):
    """Between `base - spread` (sure) and `base + spread` (unsure), as llama.cpp has it.

    T = Tmin + (Tmax - Tmin)·(H / ln n)^exponent with H the entropy of the n candidates in nats and
    Tmin ≥ 0. Source: ggml-org/llama.cpp:src/llama-sampler.cpp (temp-ext).
    """

    base: float
    spread: float
    exponent: float

    def apply(self, candidates: Candidates, seen: Sequence[int]) -> Candidates:
        """Return the scaled candidates, best first: llama.cpp sorts here, which a seeded draw can tell."""
        if len(candidates) == 1:
            return candidates
        return _scale(candidates.best_first(), self.value(candidates))

    def value(self, candidates: Candidates) -> float:
        """Return the temperature for at least two candidates."""
        low, high = max(0.0, self.base - self.spread), self.base + self.spread
        unsureness = min(1.0, max(0.0, candidates.entropy() / float(np.log(len(candidates)))))
        return low + (high - low) * float(unsureness**self.exponent)


@dataclass(frozen=True, slots=True)
class EntropyTemperature(FollowsEntropy):
    """T = `base`·`factor`^(`theta` / H): nearly `base` when unsure, towards 0, greedy, when H is 0.

    H is the entropy of the candidates in nats. Source: Zhang et al. 2024, arXiv 2403.14541 (EDT).
    """

    base: float
    theta: float
    factor: float

    def value(self, candidates: Candidates) -> float:
        """Return the temperature for at least two candidates."""
        entropy = max(0.0, candidates.entropy())
        if entropy == 0:
            return 0.0
        exponent = min(self.theta / entropy, _LARGE)
        return self.base * float(np.float64(self.factor) ** exponent)


@dataclass(frozen=True, slots=True)
class ThresholdTemperature(FollowsEntropy):
    """T = `base`·min(1, H / `threshold`): `base` from that entropy on, falling straight to 0 below it.

    H is the entropy of the candidates in nats. T never falls as H grows and stays in [0, `base`].
    """

    base: float
    threshold: float

    def value(self, candidates: Candidates) -> float:
        """Return the temperature for at least two candidates."""
        return self.base * min(1.0, max(0.0, candidates.entropy()) / self.threshold)


_LARGE = 1e6


def _scale(candidates: Candidates, heat: float) -> Candidates:
    """Divide the logits; where that overflows, take them from the highest first (an equal softmax)."""
    if heat <= 0:
        return candidates.best()
    scaled = candidates.each(lambda bag: _divided(bag, heat))
    return scaled if scaled.bag.lowest > -np.inf else scaled.where(lambda bag: bag.logits > -np.inf)


def _divided(bag: Bag, heat: float) -> Floats:
    divisor = np.float32(heat) if _SMALL < heat < 1 / _SMALL else np.float64(heat)
    with np.errstate(over="ignore", under="ignore"):
        top = bag.highest / divisor
        narrow = abs(top) < np.finfo(np.float32).max
        scaled = (bag.logits if narrow else bag.logits - bag.highest) / divisor
        return scaled.astype(np.float32, copy=False)


_SMALL = 1e-30
"""From here to its inverse a float32 divides as well as a float64, and llama.cpp's is one."""
