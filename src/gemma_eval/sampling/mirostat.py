"""Mirostat: a cut that moves after every token so that the mean surprise settles at a target."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from gemma_eval.records import Surprise
from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.selection import largest
from gemma_eval.sampling.stream import Uniform, pick
from gemma_eval.sampling.transforms import TopK


class Mirostat(ABC):
    """Draws a token and adapts; one object serves one generation.

    A cut leaves some candidates and one of them is drawn. `mu`, which begins at 2·tau, then falls by `eta`
    times the excess of that token's surprise over `tau`, all in bits. The surprise is `renormalized`, taken
    after the cut as llama.cpp does, or `original`, from before it as in the paper's code: only with that
    does the model's own surprise settle at tau.
    Source: Basu et al. 2020, arXiv 2007.14966; ggml-org/llama.cpp:src/llama-sampler.cpp;
    basusourya/mirostat:mirostat.py.
    """

    def __init__(
        self, *, tau: float, eta: float, uniform: Uniform, surprise: Surprise = "renormalized"
    ) -> None:
        """`tau` is the target in bits, `eta` the rate, `uniform` the source of random numbers."""
        self.mu = 2 * tau
        self._tau = tau
        self._eta = eta
        self._uniform = uniform
        self._surprise = surprise

    @abstractmethod
    def cut(self, candidates: Candidates) -> Candidates:
        """Return what `mu` leaves of the candidates, best first; at least the best."""

    def draw(self, candidates: Candidates) -> int:
        """Return the id of the drawn token and move `mu`."""
        kept = self.cut(candidates)
        position = pick(kept, self._uniform)
        surprise = -float(np.log2(kept.bag.probabilities[position]))
        if self._surprise == "original":
            surprise = (_log_sum(candidates) - float(kept.bag.logits[position])) / _NATS_PER_BIT
        self.mu -= self._eta * (surprise - self._tau)
        return int(kept.bag.ids[position])


class MirostatV1(Mirostat):
    """Keeps the k best, where a Zipf law fitted to the 100 best would give the k-th a surprise of `mu`."""

    def cut(self, candidates: Candidates) -> Candidates:
        """Return the k best, best first; one candidate is never cut."""
        if len(candidates) == 1:
            return candidates
        logits = candidates.bag.logits
        best = logits[largest(logits, _FITTED)].astype(np.float64)
        k = self._count(zipf_exponent(best), candidates.vocabulary)
        return TopK(int(min(max(k, 1.0), len(candidates)))).apply(candidates, ())

    def _count(self, exponent: float, vocabulary: int) -> float:
        """Return k; for an exponent of 0, which is a flat head, it is one or all."""
        excess = exponent - 1
        with np.errstate(all="ignore"):
            level = np.exp2(np.float64(self.mu))
            ratio = excess / (1 - np.float64(vocabulary) ** -excess) if excess else 1 / np.log(vocabulary)
            return float(np.nan_to_num((ratio * level) ** (1 / np.float64(exponent)), nan=1.0))


class MirostatV2(Mirostat):
    """Keeps the tokens with a surprise of at most `mu`."""

    def cut(self, candidates: Candidates) -> Candidates:
        """Return the candidates with a surprise of at most `mu` bits, best first; at least the best."""
        bag = candidates.bag
        least = np.float32(np.log(bag.total) - self.mu * _NATS_PER_BIT)
        if least > 0:
            return candidates.best()
        return candidates.where(lambda bag: bag.from_best >= least).best_first()


def zipf_exponent(best: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the exponent that fits at least two logits, best first: the slope of logit over ln(rank).

    Steps between neighbours are fitted: Σ t·b / Σ t², with b_i the fall of the logit from rank i to i + 1
    and t_i = ln((i + 1) / i).
    """
    ranks = np.log(np.arange(1, len(best) + 1))
    steps, falls = np.diff(ranks), -np.diff(best)
    return float(np.dot(steps, falls) / np.dot(steps, steps))


_FITTED = 100
_NATS_PER_BIT = float(np.log(2))


def _log_sum(candidates: Candidates) -> float:
    """Return ln Σ e^logit."""
    return float(candidates.bag.highest) + float(np.log(candidates.bag.total))
