"""Token F1 is SQuAD's: worked examples, an independent implementation, and planted errors."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.scoring.overlap import overlap_f1, words
from tests.scoring.test_match import score

F1 = Callable[[str, str], float]

# answer, reference, shared words, words of the answer, words of the reference
WORKED = (
    ("The cat sat on the mat.", "a cat sat", 2, 4, 2),
    ("Denver Broncos", "The Denver Broncos!", 2, 2, 2),
    ("it was the Denver Broncos", "Denver Broncos", 2, 4, 2),
    ("yes yes yes", "yes", 1, 3, 1),
    ("blue and green", "green and blue", 3, 3, 3),
    ("Carolina", "Denver", 0, 1, 1),
    ("it's", "its", 1, 1, 1),
    ("U.S.", "us", 1, 1, 1),
    ("Saint-Denis", "saint denis", 0, 1, 2),
)


def independent(answer: str, reference: str) -> float:
    """Return F1 by crossing words off a list, written from the published description."""
    left, right = (
        [
            word
            for word in re.sub(r"[!-/:-@\[-`{-~]", "", text.lower()).split()
            if word not in ("a", "an", "the")
        ]
        for text in (answer, reference)
    )
    if not left or not right:
        return float(left == right)
    total = len(left) + len(right)
    shared = 0
    for word in left:
        if word in right:
            right.remove(word)
            shared += 1
    precision, recall = shared / len(left), shared / (total - len(left))
    return 0.0 if not shared else 2 * precision * recall / (precision + recall)


def worked_examples_hold(f1: F1) -> bool:
    """Say whether F1 is 2·shared/(n + m) in every worked example."""
    return all(
        f1(answer, reference) == pytest.approx(2 * shared / (n + m))
        for answer, reference, shared, n, m in WORKED
    )


def test_the_worked_examples_hold() -> None:
    """Articles and punctuation are gone, words count as often as they occur."""
    assert worked_examples_hold(overlap_f1)
    assert worked_examples_hold(independent)


def test_the_worked_examples_catch_planted_errors() -> None:
    """Sets for bags, articles kept, case kept, and recall alone."""

    def sets(answer: str, reference: str) -> float:
        left, right = set(words(answer)), set(words(reference))
        return 2 * len(left & right) / (len(left) + len(right))

    def articles_kept(answer: str, reference: str) -> float:
        return overlap_f1(answer.replace("he ", "he1 "), reference.replace("he ", "he2 "))

    def case_kept(answer: str, reference: str) -> float:
        return overlap_f1(re.sub("[A-Z]", "X", answer), reference)

    def recall(answer: str, reference: str) -> float:
        wanted = words(reference)
        return sum(word in words(answer) for word in wanted) / len(wanted)

    assert not any(worked_examples_hold(broken) for broken in (sets, articles_kept, case_kept, recall))


_TEXT = st.lists(
    st.sampled_from(("the", "a", "An", "cat", "Cat,", "sat", "mat.", "--", "theatre", "a.", "1,000")),
    max_size=8,
).map(" ".join)


@given(_TEXT, _TEXT)
def test_f1_is_that_of_the_independent_implementation(answer: str, reference: str) -> None:
    """And it is symmetric and lies between 0 and 1."""
    value = overlap_f1(answer, reference)
    assert value == pytest.approx(independent(answer, reference))
    assert value == overlap_f1(reference, answer)
    assert 0 <= value <= 1


def test_two_texts_without_words_are_equal() -> None:
    """As in SQuAD 2.0; one without words shares nothing."""
    assert overlap_f1("the", "...") == 1.0
    assert overlap_f1("", "cat") == 0.0


def test_of_several_references_the_best_counts() -> None:
    """And the explanation names it."""
    found = score("token_f1", " the big cat ", reference=["dog", "cat"])
    assert found.value == pytest.approx(2 / 3)
    assert (found.answer, found.explanation) == ("the big cat", 'nearest reference: "cat"')
    assert score("token_f1", "cat", reference="Cat").explanation == ""
