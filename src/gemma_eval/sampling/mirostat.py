"""Mirostat v2: a cut that moves after every token so that the mean surprise settles at a target."""

from __future__ import annotations

import numpy as np

from gemma_eval.sampling.candidates import Candidates, largest
from gemma_eval.sampling.stream import Uniform


class MirostatV2:
    """Draws a token and adapts; one object serves one generation.

    Tokens with a surprise above `mu` bits are cut (one is always kept), one of the rest is drawn, and
    mu falls by `eta` times the excess of its surprise over `tau`. As in llama.cpp, that surprise is taken
    after the cut, in renormalised probabilities; mu starts at 2·tau.
    Source: Basu et al. 2020, arXiv 2007.14966; ggml-org/llama.cpp:src/llama-sampler.cpp (mirostat-v2).
    """

    def __init__(self, *, tau: float, eta: float, uniform: Uniform) -> None:
        """`tau` is the target in bits, `eta` the rate, `uniform` the source of random numbers."""
        self.mu = 2 * tau
        self._tau = tau
        self._eta = eta
        self._uniform = uniform

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the drawn token and move `mu`."""
        kept = self.cut(candidates)
        probabilities = kept.probabilities()
        position = self._pick(probabilities.astype(np.float64))
        surprise = -float(np.log2(probabilities[position]))
        self.mu -= self._eta * (surprise - self._tau)
        return int(kept.ids[position])

    def cut(self, candidates: Candidates) -> Candidates:
        """Return the candidates with a surprise of at most `mu` bits, best first; at least the best."""
        bits = candidates.log_probabilities() / -np.float32(np.log(2))
        kept = candidates.take(bits <= np.float32(self.mu))
        if not len(kept):
            return candidates.take(np.array([int(candidates.logits.argmax())]))
        return kept.take(largest(kept.logits, len(kept)))

    def _pick(self, probabilities: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
        """Draw as std::discrete_distribution of libstdc++: one candidate spends no random number."""
        if len(probabilities) == 1:
            return 0
        sums = np.cumsum(probabilities / probabilities.sum())
        sums[-1] = 1.0
        return int(np.searchsorted(sums, self._uniform(), side="left"))
