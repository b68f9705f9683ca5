"""Adaptive-p: draws favour tokens of some probability, which moves against that of what was drawn."""

from __future__ import annotations

import numpy as np

from gemma_eval.sampling.candidates import Bag, Candidates, Floats
from gemma_eval.sampling.stream import Uniform, pick


class AdaptiveP:
    """Draws a token and adapts; one object serves one generation and takes the place of the plain draw.

    With p the probability that the chain left a token, its logit becomes 5 - 10·d² / (1 + d), where
    d = |p - target'| / 0.3. target' = 2·target - the mean of the p drawn so far, in which each is worth
    `decay` times the next; that mean starts as if the target had been met.
    Source: ggml-org/llama.cpp:src/llama-sampler.cpp (adaptive-p), pull request 17927.
    """

    def __init__(self, *, target: float, decay: float, uniform: Uniform) -> None:
        """`target` is a probability, `decay` lies in 0..0.99, `uniform` is the source of random numbers."""
        self._target = min(1.0, target)
        self._decay = min(0.99, max(0.0, decay))
        self._uniform = uniform
        self._weight = 1 / (1 - self._decay)
        self._sum = target * self._weight

    @property
    def aim(self) -> float:
        """The probability that the next draw favours, in 0..1."""
        return min(1.0, max(0.0, 2 * self._target - self._sum / self._weight))

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the drawn token and move the aim."""
        probabilities = candidates.bag.probabilities
        position = pick(candidates.each(self._favoured), self._uniform)
        self._sum = float(probabilities[position]) + self._decay * self._sum
        self._weight = 1 + self._decay * self._weight
        return int(candidates.bag.ids[position])

    def _favoured(self, bag: Bag) -> Floats:
        """Return the new logits [n], made in place: at a whole vocabulary each array more would tell."""
        distance: Floats = bag.probabilities - np.float32(self.aim)
        distance /= np.float32(_WIDTH)
        np.abs(distance, out=distance)
        below = distance * distance
        below *= np.float32(_SHARPNESS)
        distance += np.float32(1)
        below /= distance
        np.subtract(np.float32(_PEAK), below, out=below)
        return below


_WIDTH, _PEAK, _SHARPNESS = 0.3, 5.0, 10.0
