"""The scorers of a text that the model has read: how probable it found each of its tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score, Subject
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text and its log-likelihood, the sum of the natural log-probabilities of its tokens."""

    log_likelihood: float
    n_tokens: int
    n_bytes: int
    n_words: int

    @property
    def mean(self) -> float:
        """The mean log-probability of a token."""
        return self.log_likelihood / self.n_tokens

    @property
    def bits_per_byte(self) -> float:
        """The bits that a code for the model's probabilities needs for a byte of UTF-8."""
        return -self.log_likelihood / math.log(2) / self.n_bytes


def likelihood(options: Options) -> Scorer:
    """The geometric mean of the probabilities of the tokens of `continuation`: 1 / perplexity, in 0..1.

    Source: Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".
    """
    CheckOptions("likelihood", options, known=())

    def judge(text: Text) -> tuple[float, str]:
        tokens = "1 token" if text.n_tokens == 1 else f"{text.n_tokens} tokens"
        return math.exp(text.mean), f"perplexity {_perplexity(text.mean)} over {tokens}"

    return _Scorer(name="likelihood", judge=judge)


def bits_per_byte(options: Options) -> Scorer:
    """2^-b, where b is how many bits the model needs for a byte of `continuation`; b is the figure.

    Unlike perplexity it does not depend on the tokenizer, so that models of different ones can be compared.
    Source: Gao et al. 2020, arXiv 2101.00027, section 3.1.
    """
    CheckOptions("bits_per_byte", options, known=())

    def judge(text: Text) -> tuple[float, str]:
        return 2**-text.bits_per_byte, f"{text.bits_per_byte:.4g} bits per byte of {text.n_bytes}"

    return _Scorer(name="bits_per_byte", judge=judge)


def greedy_match(options: Options) -> Scorer:
    """Each token of `continuation` was the most probable one: greedy sampling would have written it."""
    CheckOptions("greedy_match", options, known=())
    return _GreedyMatch()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scorer:
    """Scores what `judge` makes of a text: a value in 0..1 and its explanation."""

    subject: ClassVar[Subject] = "continuation"
    name: str
    judge: Callable[[Text], tuple[float, str]]

    def __call__(self, case: Case, generation: Generation) -> Score:
        known = generation.log_probabilities
        if not known:
            return _unscored(self.name, generation, "the engine gave no log-probabilities")
        if not all(math.isfinite(value) and value <= 0 for value in known):
            return _unscored(self.name, generation, "a log-probability is no finite number of at most 0")
        read = case.continuation or generation.text
        text = Text(
            log_likelihood=math.fsum(known),
            n_tokens=len(known),
            n_bytes=max(1, len(read.encode(errors="replace"))),
            n_words=max(1, _words(read, from_beginning=not case.messages)),
        )
        value, why = self.judge(text)
        return Score(
            scorer=self.name,
            value=value,
            passed=None,
            answer=generation.text,
            explanation=why,
            figures=_figures(text),
        )


@dataclass(frozen=True, slots=True)
class _GreedyMatch:
    subject: ClassVar[Subject] = "continuation"

    def __call__(self, case: Case, generation: Generation) -> Score:
        told = [choice.is_greedy for choice in generation.choices]
        if len(told) != 1 or told[0] is None:
            why = "the engine does not tell which token was the most probable one"
            return _unscored("greedy_match", generation, why)
        why = "" if told[0] else "another token was more probable than one of the text"
        return Score(
            scorer="greedy_match",
            value=float(told[0]),
            passed=None,
            answer=generation.text,
            explanation=why,
        )


def _words(text: str, *, from_beginning: bool) -> int:
    r"""Return how many words a text has; one that is read from its beginning as others count a corpus.

    They count an empty word before white space at the begin, and one after that at the end.
    Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py, `count_words`, version 0.4.13.
    """
    return len(re.split(r"\s+", text) if from_beginning else text.split())


def _figures(text: Text) -> dict[str, float]:
    """Return what is known of a text; no perplexity where a float cannot hold it."""
    figures = {
        "log_likelihood": text.log_likelihood,
        "bits_per_byte": text.bits_per_byte,
        "n_tokens": float(text.n_tokens),
        "n_bytes": float(text.n_bytes),
        "n_words": float(text.n_words),
    }
    return figures if -text.mean > _LARGEST else {"perplexity": math.exp(-text.mean), **figures}


_LARGEST = 700.0
"""e to this power is a float."""


def _unscored(name: str, generation: Generation, why: str) -> Score:
    return Score(scorer=name, value=None, passed=None, answer=generation.text, unscored=why)


def _perplexity(mean: float) -> str:
    """Write exp(-mean); where a float cannot hold it, its power of ten."""
    digits = -mean / math.log(10)
    return f"{math.exp(-mean):.4g}" if digits < 300 else f"1e{digits:.0f}"
