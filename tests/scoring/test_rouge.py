"""ROUGE is that of rouge-score: published vectors, random texts, and planted errors."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from tests.scoring.answers import score, value

Rouge = Callable[[str, str, str], float]

PANGRAM = "The quick brown fox jumps over the lazy dog"
# Scorer, reference, answer, F1: google-research/google-research:rouge/rouge_scorer_test.py (Apache-2.0),
# whose truth is ROUGE-1.5.5; the last is huggingface/lighteval:tests/unit/metrics (MIT, at 3fd15266).
PUBLISHED = (
    ("rouge1", "testing one two", "testing", 1 / 2),
    ("rouge1", "testing one two", "testing two", 4 / 5),
    ("rougeL", "testing one two", "testing two", 4 / 5),
    ("rougeL", "testing one two", "two testing", 2 / 5),
    ("rouge2", PANGRAM, "The quick brown fox", 6 / 11),
)


def published_values_hold(rouge: Rouge) -> bool:
    """Say whether every published value comes out."""
    return all(
        rouge(name, reference, answer) == pytest.approx(f1) for name, reference, answer, f1 in PUBLISHED
    )


def ours(name: str, reference: str, answer: str) -> float:
    """Return the value of the scorer."""
    return value(name, answer, reference=reference)


def theirs(name: str, reference: str, answer: str) -> float:
    """Return what rouge-score says."""
    return float(rouge_scorer.RougeScorer([name]).score(reference, answer)[name].fmeasure)


def test_the_published_values_hold_and_catch_planted_errors() -> None:
    """Precision alone, recall alone, one name for another, and case that counts."""
    assert published_values_hold(ours)
    assert published_values_hold(theirs)

    def figure(which: str) -> Rouge:
        return lambda name, reference, answer: score(name, answer, reference=reference).figures[which]

    assert not published_values_hold(figure("precision"))
    assert not published_values_hold(figure("recall"))
    assert not published_values_hold(lambda name, reference, answer: ours("rouge1", reference, answer))
    assert not published_values_hold(
        lambda name, reference, answer: ours(name, re.sub("[a-z]", "é", reference), answer)
    )


_TEXT = st.lists(
    st.sampled_from(("cat", "Cat,", "the", "sat", "mat.", "É", "x-ray", "3.5", "--", "CAFÉ")), max_size=9
).map(" ".join)


@given(st.sampled_from(("rouge1", "rouge2", "rougeL")), _TEXT.filter(bool), _TEXT)
def test_the_value_is_that_of_rouge_score(name: str, reference: str, answer: str) -> None:
    """On words that repeat, have signs in them or letters that it does not know."""
    assert ours(name, reference, answer) == pytest.approx(theirs(name, reference, answer))


def test_of_several_references_the_best_counts() -> None:
    """And the explanation names it."""
    assert score("rouge1", "The cat.", reference="the cat").explanation == ""
    found = score("rougeL", "the cat", reference=["a dog", "the big cat"])
    assert found.value == pytest.approx(4 / 5)
    assert found.explanation == 'nearest reference: "the big cat"'
