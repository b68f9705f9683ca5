"""The letter that a free answer commits to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.scoring.choice_letter import Named, Signs
from tests.scoring.answers import right, score

# What an answer says, and the letters that it commits to; "" where it commits to none.
COMMITTED = (
    ("B", "B"),
    ("b", "B"),
    ("(b)", "B"),
    ("**B.**", "B"),
    (" B)\n", "B"),
    ("A", "A"),
    ("I", "I"),
    ("The answer is B.", "B"),
    ("The correct answer is **(B)**.", "B"),
    ("the answer is: b.", "B"),
    ("ANSWER: B", "B"),
    ("Answer\nB", "B"),
    ("The answer would be option B because A is false.", "B"),
    ("Answer: A because it rains", "A"),
    ("Answer: A cat", ""),
    ("the answer is a cat", ""),
    ("The answer to question B is D.", "D"),
    ("\\boxed{D}", "D"),
    ("so \\boxed{\\text{(D)}}, not A", "D"),
    ("I'd go with option C", "C"),
    ("I choose C, for A is wrong.", "C"),
    ("My choice is C", "C"),
    ("First I thought the answer is A. But the answer is B.", "B"),
    ("The answer is not A but B", "B"),
    ("The answer is A or C", ""),
    ("Answer: A and C", "AC"),
    ("A) Oslo\nB) Rome\nThe answer is B. Option A is in Norway.", "B"),
    ("B) Oslo", "B"),
    ("(B) Oslo", "B"),
    ("B. Oslo is the capital", "B"),
    ("A) Oslo\nB) Rome", ""),
    ("It must be B, clearly", "B"),
    ("It isn't A, it is B", "B"),
    ("A or B", ""),
    ("Between A and B", ""),
    ("A cat sat on I know not what", ""),
    ("", ""),
    ("none of them", ""),
    ("BAD CAB", ""),
    ("K", ""),
)


@pytest.mark.parametrize(("answer", "letters"), COMMITTED)
def test_the_strongest_sign_decides(answer: str, letters: str) -> None:
    """And what commits to nothing is wrong, whichever letter is wanted."""
    named = Signs().read(answer)
    assert ("".join(sorted(named.letters)) if named.commits else "") == letters
    for wanted in "ABCD":
        assert right("choice_letter", answer, letter=wanted) is (wanted == letters)


def test_looking_for_the_first_letter_would_be_wrong() -> None:
    """The planted error: the first capital among A to J."""

    def first(answer: str) -> str:
        return next((sign for sign in answer if sign in "ABCDEFGHIJ"), "")

    assert any(first(answer) != letters for answer, letters in COMMITTED)


@given(
    st.sampled_from("ABCDEFGHIJ"),
    st.sampled_from(
        ("{}", "({})", "Answer: {}", "The answer is {}.", "\\boxed{{{}}}", "I choose {}", "{}) Oslo")
    ),
    st.sampled_from(("", "Let me think.\n", "One might say X.\n")),
)
def test_a_letter_is_read_back_however_it_is_given(letter: str, form: str, before: str) -> None:
    """Alone and after other sentences."""
    assert right("choice_letter", before + form.format(letter), letter=letter)


@pytest.mark.parametrize(
    ("answer", "letter", "expected"),
    [
        ("AC", "AC", True),
        ("A, C", "A, C", True),
        ("C and A", ["A", "C"], True),
        ("Answer: AC", "AC", True),
        ("The answers are A, B and C.", "ABC", True),
        ("Answer: A", "AC", False),
        ("Answer: ABC", "AC", False),
        ("Answer: A or C", "AC", False),
        ("Both A and C are right", "AC", True),
    ],
)
def test_of_several_letters_each_must_be_named(answer: str, letter: object, expected: bool) -> None:
    """And no other."""
    assert right("choice_letter", answer, letter=letter) is expected


def test_what_is_wrong_is_told() -> None:
    """No letter, several, or another one."""
    assert score("choice_letter", "no idea", letter="B").explanation == "names no letter"
    assert score("choice_letter", "A or B?", letter="B").explanation == "names A, B and commits to none"
    found = score("choice_letter", "Answer: C", letter="B")
    assert (found.answer, found.explanation) == ("C", "expected B")


def test_only_the_letters_of_the_question_count() -> None:
    """With four choices an E is no letter."""
    assert Signs("ABCD").read("Answer: E") == Named()
    assert right("choice_letter", "Answer: X", letter="X", letters="WXYZ")
    assert right("choice_letter", "X and Y", letter="XY", letters="XY")
