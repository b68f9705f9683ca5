"""The scorer of a text that the model has read: how probable it found each of its tokens."""

from __future__ import annotations

import math

from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.options import CheckOptions


def likelihood(options: Options) -> Scorer:
    """The geometric mean of the probabilities of the tokens of `continuation`: 1 / perplexity, in 0..1.

    Source: Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".
    """
    CheckOptions("likelihood", options, known=())

    def score(case: Case, generation: Generation) -> Score:
        known = generation.log_probabilities
        if not known:
            return _unscored(generation, "the engine gave no log-probabilities")
        if not all(math.isfinite(value) and value <= 0 for value in known):
            return _unscored(generation, "a log-probability is no finite number of at most 0")
        mean = math.fsum(known) / len(known)
        tokens = "1 token" if len(known) == 1 else f"{len(known)} tokens"
        return Score(
            scorer="likelihood",
            value=math.exp(mean),
            passed=None,
            answer=generation.text,
            explanation=f"perplexity {_perplexity(mean)} over {tokens}",
        )

    return score


def _unscored(generation: Generation, why: str) -> Score:
    return Score(scorer="likelihood", value=None, passed=None, answer=generation.text, unscored=why)


def _perplexity(mean: float) -> str:
    """Write exp(-mean); where a float cannot hold it, its power of ten."""
    digits = -mean / math.log(10)
    return f"{math.exp(-mean):.4g}" if digits < 300 else f"1e{digits:.0f}"
