"""Texts in an answer: equality, containment and beginnings, what was judged and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Score
from tests.scoring.answers import right, score


def test_a_score_says_what_was_judged_and_why() -> None:
    """Whether it passes is left to the caller."""
    found = score("equals", " Rome\n", text="Oslo")
    assert found == Score(
        scorer="equals", value=0.0, passed=None, answer="Rome", explanation='expected "Oslo"', unscored=None
    )
    assert score("equals", "Oslo", text="Oslo").explanation == ""
    assert score("contains", "a", all=["a", "b", "c"]).explanation == 'does not contain "b", "c"'
    assert score("starts_with", "Rome", text=["Oslo", "Bergen"]).explanation == (
        'does not begin with "Oslo" or "Bergen"'
    )
    assert len(score("equals", "Rome", text="Oslo" * 1000).explanation) < 250


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ("Oslo", {"text": "Oslo"}, True),
        ("\n Oslo ", {"text": " Oslo"}, True),
        ("oslo", {"text": "Oslo"}, False),
        ("oslo", {"text": "Oslo", "ignore_case": True}, True),
        ("STRASSE", {"text": "straße", "ignore_case": True}, True),
        ("Oslo.", {"text": "Oslo"}, False),
        ("", {"text": "Oslo"}, False),
    ],
)
def test_equals_compares_the_whole_answer(answer: str, options: dict[str, object], expected: bool) -> None:
    """Space around it does not count; case counts unless told otherwise."""
    assert right("equals", answer, **options) is expected


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ("in Oslo, Norway", {"text": "Oslo"}, True),
        ("in OSLO", {"text": "Oslo"}, False),
        ("in OSLO", {"text": "Oslo", "ignore_case": True}, True),
        ("b", {"any": ["a", "b"]}, True),
        ("c", {"any": ("a", "b")}, False),
        ("ab", {"all": ["a", "b"]}, True),
        ("a", {"all": ["a", "b"]}, False),
        ("a", {"any": "a"}, True),
    ],
)
def test_contains_looks_for_one_some_or_all_texts(
    answer: str, options: dict[str, object], expected: bool
) -> None:
    """`any` wants one of them, `all` each."""
    assert right("contains", answer, **options) is expected


_WORDS = st.text(alphabet="abAB ", max_size=8)


@given(_WORDS, st.lists(_WORDS.filter(bool), min_size=1, max_size=4))
def test_contains_any_and_all_are_what_python_says(answer: str, wanted: list[str]) -> None:
    """Disjunction and conjunction of `in`."""
    assert right("contains", answer, any=wanted) is any(text in answer for text in wanted)
    assert right("contains", answer, all=wanted) is all(text in answer for text in wanted)


@given(_WORDS, st.lists(_WORDS.filter(bool), min_size=1, max_size=4))
def test_icontains_is_contains_of_any_case(answer: str, wanted: list[str]) -> None:
    """One name for what an option does."""
    for how in ("any", "all"):
        expected = right("contains", answer, **{how: wanted}, ignore_case=True)
        assert right("icontains", answer, **{how: wanted}) is expected


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ("Yes, it is", {"text": "Yes"}, True),
        ("\n Yes", {"text": "Yes"}, True),
        ("It is. Yes", {"text": "Yes"}, False),
        ("yes", {"text": "Yes"}, False),
        ("yes", {"text": "Yes", "ignore_case": True}, True),
        ("No", {"text": ["Yes", "No"]}, True),
        ("", {"text": "Yes"}, False),
    ],
)
def test_starts_with_looks_at_the_beginning(answer: str, options: dict[str, object], expected: bool) -> None:
    """Space before it does not count; of several texts one is enough."""
    assert right("starts_with", answer, **options) is expected


def test_texts_of_other_directions_and_broken_ones_are_compared_by_character() -> None:
    """Right-to-left marks are characters, and so is half of a surrogate pair."""
    assert right("contains", "\u05d0\u05d5\u05e1\u05dc\u05d5 \u200f", text="\u05d0\u05d5\u05e1\u05dc\u05d5")
    assert not right("equals", "\u202eOslo", text="Oslo")
    assert right("equals", "\ud800", text="\ud800")
