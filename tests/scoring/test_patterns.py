"""Patterns match where Python's do, in linear time, and see every text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.scoring.patterns import Pattern
from tests.scoring.answers import right, score

PATTERNS = (r"a+b", r"^\d", r"b$", r"(a|b){2}", r"\bab\b", r"[^a]", r"a.b")


@given(
    st.text(alphabet="ab1 ", max_size=10),
    st.sampled_from(PATTERNS),
)
def test_a_pattern_matches_where_pythons_does(answer: str, pattern: str) -> None:
    """For expressions that both dialects have."""
    found = re.search(pattern, answer)
    scored = score("regex", answer, pattern=pattern)
    assert scored.value == float(found is not None)
    if found is not None:
        assert scored.answer == found.group()


def test_a_pattern_can_ignore_case_and_see_other_scripts() -> None:
    """Positions are those of characters, not of bytes."""
    assert right("regex", "Ünïcode OSLO", pattern="oslo", ignore_case=True)
    assert not right("regex", "OSLO", pattern="oslo")
    assert score("regex", "größer 東京 42", pattern=r"\p{Han}+").answer == "東京"


def test_no_pattern_can_hang_a_run() -> None:
    """The pattern that takes a backtracking engine 2^40 steps is answered in linear time."""
    started = time.process_time()
    assert not right("regex", "a" * 40 + "!", pattern=r"^(a+)+$")
    assert time.process_time() - started < 5


def test_what_matched_is_what_was_judged() -> None:
    """And the whole answer where nothing did."""
    assert score("regex", "in 1999.", pattern=r"\d{4}").answer == "1999"
    found = score("regex", " no year ", pattern=r"\d{4}")
    assert (found.answer, found.explanation) == ("no year", r'"\d{4}" matches nothing')


@given(st.text(alphabet="ab1 \u00e9\ud800", max_size=12), st.sampled_from(PATTERNS))
def test_what_matches_is_removed_as_python_removes_it(text: str, pattern: str) -> None:
    """Positions stay right beside characters of several bytes, and of none."""
    assert Pattern(pattern, what="x").removed_from(text) == re.sub(pattern, "", text)


def test_a_text_with_half_a_surrogate_pair_can_be_searched() -> None:
    """RE2 reads UTF-8, which cannot hold it; the answer keeps it."""
    assert score("regex", "\ud800a1", pattern=".a").answer == "\ud800a"
    with pytest.raises(UsageError, match='x "\ud800" is not an RE2 expression: it holds half of a surrogate'):
        Pattern("\ud800", what="x")
