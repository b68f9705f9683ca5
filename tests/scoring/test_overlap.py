"""Token F1 and exact match are SQuAD's: worked examples, independent implementations, planted errors."""

from __future__ import annotations

import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.scoring.overlap import overlap_f1, words
from tests.scoring.answers import right, score

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


def squad_normalised(text: str) -> str:
    """Return what SQuAD's evaluation makes of a text, step by step: case, signs, articles, space."""
    lowered = text.lower()
    unsigned = "".join(sign for sign in lowered if sign not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", unsigned).split())


@given(_TEXT, _TEXT.filter(lambda text: squad_normalised(text) != ""))
def test_exact_match_is_that_of_squad(answer: str, reference: str) -> None:
    """Equality after its normalisation, but for references that nothing is left of."""
    expected = squad_normalised(answer) == squad_normalised(reference)
    assert right("exact_match", answer, reference=reference) is expected


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ("The Beatles!", {"reference": "beatles"}, True),
        ("a cat", {"reference": ["dog", "The cat"]}, True),
        ("", {"reference": "A"}, False),
        ("a.", {"reference": "A"}, False),
        ("a", {"reference": "A"}, True),
        ("Cat", {"reference": "cat", "normalise": "none"}, False),
        (" cat", {"reference": "cat", "normalise": "none"}, False),
        ("Cat", {"reference": "cat", "normalise": "none", "ignore_case": True}, True),
        ("c.a,t", {"reference": "cat", "normalise": "none", "ignore_punctuation": True}, True),
        ("cat 9", {"reference": "cat 7", "normalise": "none", "ignore_numbers": True}, True),
        ("$1,200", {"reference": "1200", "normalise": "none", "regexes_to_ignore": [",", r"\$"]}, True),
        (
            "Xcat",
            {"reference": "cat", "normalise": "none", "regexes_to_ignore": "x", "ignore_case": True},
            False,
        ),
        ("the 9 cats", {"reference": "cats", "ignore_numbers": True}, True),
    ],
)
def test_exact_match_takes_away_what_is_asked(
    answer: str, options: dict[str, object], expected: bool
) -> None:
    """With *none* nothing else: not even space; an expression sees the text before its case is lowered."""
    assert right("exact_match", answer, **options) is expected


def test_exact_match_is_neither_equality_nor_containment() -> None:
    """The planted errors."""
    assert right("exact_match", "The Beatles!", reference="beatles")
    assert not right("equals", "The Beatles!", text="beatles", ignore_case=True)
    assert not right("exact_match", "the beatles band", reference="beatles")
    assert score("exact_match", "x", reference=["a b", "c"]).explanation == 'expected "a b" or "c"'


# Answer, reference, whether right; openai/evals:evals/elsuite/utils_test.py at 4bfc1f58, MIT.
OPENAI = (("hello", "othello", True), ("othello", "hello", True), ("who's there?", "whosthere", False))


def test_fuzzy_is_that_of_openai_evals() -> None:
    """Held or holding; containment in one direction is the planted error."""
    assert all(
        right("fuzzy", answer, reference=reference) is expected for answer, reference, expected in OPENAI
    )
    assert not all(
        right("contains", answer, text=reference) is expected for answer, reference, expected in OPENAI
    )
    assert not right("fuzzy", "", reference="hello")
    assert right("fuzzy", "...", reference="the")
