"""ROUGE: F1 of the n-grams, or of the longest common subsequence of words, shared with a reference.

The numbers are those of the package `rouge-score` without its stemmer. Source: Lin 2004, "ROUGE: a package
for automatic evaluation of summaries".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, best, quoted, scorer_of
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """How much of an answer is in the reference (`precision`), and of the reference in the answer."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def rouge1(options: Options) -> Scorer:
    """ROUGE-1: F1 of the words shared with `reference`; of several references the best one counts."""
    return _rouge("rouge1", options, lambda answer, reference: shared_ngrams(answer, reference, n=1))


def rouge2(options: Options) -> Scorer:
    """ROUGE-2: F1 of the pairs of words shared with `reference`; of several the best one counts."""
    return _rouge("rouge2", options, lambda answer, reference: shared_ngrams(answer, reference, n=2))


def rouge_l(options: Options) -> Scorer:
    """ROUGE-L: F1 of the longest common subsequence of words; of several references the best one counts."""
    return _rouge("rougeL", options, shared_subsequence)


def shared_ngrams(answer: Sequence[str], reference: Sequence[str], *, n: int) -> Shared:
    """Return what two sequences of words share of their n-grams, counted as bags."""
    found, wanted = (Counter(zip(*(words[i:] for i in range(n)))) for words in (answer, reference))  # noqa: B905
    return _shared((found & wanted).total(), of_answer=found.total(), of_reference=wanted.total())


def shared_subsequence(answer: Sequence[str], reference: Sequence[str]) -> Shared:
    """Return what the longest common subsequence is of two sequences of words."""
    from rapidfuzz.distance import LCSseq

    length = LCSseq.similarity(answer, reference)
    return _shared(length, of_answer=len(answer), of_reference=len(reference))


def words(text: str) -> list[str]:
    """Return the runs of a-z and 0-9 in the lower-cased text: letters of other scripts are no words."""
    return _WORD.findall(text.lower())


_WORD = re.compile("[a-z0-9]+")


def _rouge(name: str, options: Options, share: Callable[[list[str], list[str]], Shared]) -> Scorer:
    references = CheckOptions(name, options, known=("reference",)).texts("reference")
    prepared = [(reference, words(reference)) for reference in references]

    def find(text: str) -> Finding:
        answer = words(text)
        shared = [(reference, share(answer, split)) for reference, split in prepared]
        return best([_finding(text, reference, each) for reference, each in shared])

    return scorer_of(name, find)


def _shared(count: int, *, of_answer: int, of_reference: int) -> Shared:
    return Shared(precision=count / max(of_answer, 1), recall=count / max(of_reference, 1))


def _finding(text: str, reference: str, shared: Shared) -> Finding:
    return Finding(
        value=shared.f1,
        answer=text.strip(),
        why="" if shared.f1 == 1 else f"nearest reference: {quoted(reference)}",
        figures={"precision": shared.precision, "recall": shared.recall},
    )
