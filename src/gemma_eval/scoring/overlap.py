"""Scorers that give part credit for the words which an answer shares with a reference."""

from __future__ import annotations

import re
import string
from collections import Counter

from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.options import CheckOptions


def token_f1(options: Options) -> Scorer:
    """F1 of the words shared with `reference`; of several references the best one counts.

    Words are compared as SQuAD does: lower case, without ASCII punctuation and without a, an, the.
    Source: Rajpurkar et al. 2016, arXiv 1606.05250 (evaluate-v1.1.py; two empty answers are equal as in 2.0).
    """
    given = CheckOptions("token_f1", options, known=("reference",))
    references = given.texts("reference")

    def score(case: Case, generation: Generation) -> Score:
        values = [overlap_f1(generation.text, reference) for reference in references]
        best = max(values)
        why = "" if best == 1 else f'nearest reference: "{references[values.index(best)]}"'
        return Score(
            scorer="token_f1", value=best, passed=None, answer=generation.text.strip(), explanation=why
        )

    return score


def overlap_f1(answer: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall of the words of `answer`, counted as bags."""
    found, wanted = Counter(words(answer)), Counter(words(reference))
    if not found or not wanted:
        return float(found == wanted)
    shared = (found & wanted).total()
    return 2 * shared / (found.total() + wanted.total())


def words(text: str) -> list[str]:
    """Return the words of `text` as SQuAD's evaluation normalises them."""
    kept = "".join(sign for sign in text.lower() if sign not in _PUNCTUATION)
    return _ARTICLES.sub(" ", kept).split()


_PUNCTUATION = frozenset(string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
