"""Scorers of all answers to a case together: how different they are, and whether they are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.protocols import RepeatsScorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.findings import Finding, score_of, unjudged
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.translation import sentence_bleu

MOST_WORDS = 2_000_000
"""The most words of all answers times the number of answers: so many take `self_bleu` several seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OverRepeats:
    """A scorer of the texts of all repeats, of which it needs at least `least`."""

    name: str
    find: Callable[[Sequence[str]], Finding]
    least: int = 1
    subject: Literal["repeats"] = "repeats"

    def __call__(self, case: Case, generations: Sequence[Generation]) -> Score:
        """Judge the answers in the order of their repeats."""
        texts = [each.text for each in generations]
        if len(texts) < self.least:
            return score_of(
                self.name, unjudged("", f"needs {self.least} repeats of the case, has {len(texts)}")
            )
        return score_of(self.name, self.find(texts))


def distinct_n(options: Options) -> RepeatsScorer:
    """Of all runs of `n` words in the answers, the share that is different; 2 words unless `n` says.

    Words are what space separates. Unlike the paper, which divides by the number of words, the runs are
    counted, so that answers without a repetition have 1. Source: Li et al. 2016, arXiv 1510.03055.
    """
    n = CheckOptions("distinct_n", options, known=("n",)).whole("n", default=2, least=1) or 2

    def find(texts: Sequence[str]) -> Finding:
        runs = [run for text in texts for run in _runs(text.split(), n)]
        if not runs:
            return unjudged("", f"no answer has {n} words")
        figures = {"n_runs": len(runs), "n_distinct": len(set(runs))}
        return Finding(value=len(set(runs)) / len(runs), answer="", figures=figures)

    return OverRepeats(name="distinct_n", find=find)


def self_bleu(options: Options) -> RepeatsScorer:
    """Self-BLEU: the mean BLEU of each answer with all others as references; 1 where all are the same.

    It is high where answers are alike: a check that wants them different says `not = true`. Needs the extra
    `text-metrics`. Source: Zhu et al. 2018, arXiv 1802.01886.
    """
    given = CheckOptions("self_bleu", options, known=("tokenize",))
    score = sentence_bleu(
        "self_bleu", tokenize=given.choice("tokenize", ("13a", "intl", "char", "zh", "none"))
    )

    def find(texts: Sequence[str]) -> Finding:
        n_words = sum(len(text.split()) for text in texts)
        if n_words * len(texts) > MOST_WORDS:
            many = f"{len(texts)} answers of {n_words} words"
            return unjudged("", f"{many} are too many to hold each against all others")
        others = ([*texts[:index], *texts[index + 1 :]] for index in range(len(texts)))
        values = [_alike(score, text, rest) for text, rest in zip(texts, others, strict=True)]
        return Finding(value=sum(values) / len(values), answer="", figures={"n_answers": len(texts)})

    return OverRepeats(name="self_bleu", find=find, least=2)


def determinism(options: Options) -> RepeatsScorer:
    """The share of the answers that are the most frequent one, to the character; 1 where all are the same.

    Where they are not, the figure `first_difference` is the character, from 0, at which the first two part.
    """
    CheckOptions("determinism", options, known=())

    def find(texts: Sequence[str]) -> Finding:
        counts = Counter(texts)
        answer, count = counts.most_common(1)[0]
        figures = {"n_different": len(counts)}
        why = ""
        if len(counts) > 1:
            parted = _first_difference(min(counts), max(counts))
            figures["first_difference"] = parted
            why = f"{len(counts)} different answers, which part at character {parted}"
        return Finding(value=count / len(texts), answer=answer.strip(), why=why, figures=figures)

    return OverRepeats(name="determinism", find=find, least=2)


def _runs(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _first_difference(first: str, last: str) -> int:
    """Return where the first and the last in the order of characters part: none parts earlier."""
    pairs = enumerate(zip(first, last, strict=False))
    return next((index for index, (left, right) in pairs if left != right), len(first))


def _alike(score: Callable[[str, Sequence[str]], Finding], text: str, others: Sequence[str]) -> float:
    """Return BLEU, and 1 for an answer that another one equals: BLEU of an empty text would be 0."""
    return 1.0 if text in others else score(text, others).value or 0.0
