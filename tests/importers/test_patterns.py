"""Expressions of Python find in RE2 what they find in Python, or are refused."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.importers.lm_eval import patterns

TEXTS = st.text(alphabet="ab. 1\n", max_size=12)
REWRITTEN = (
    "(?<=the answer is )(.*)(?=.)",
    r"^(.*?)(?=\n|$)",
    "(?<=a)(b+)",
    "(a*)(?=b)",
    r"(?<=[a(|)b])(\.|b)(?=a|1)",
    r"(?<=\))(b)(?=\()",
    "(?<=a|b)(1)",
    r"(?<=a\b)( b)(?=$)",
    "(b)(?=$)",
)


def first(found: re.Match[str] | None) -> str | None:
    """Return what the group of a match is, as the filter `regex` takes it."""
    return None if found is None else found[1]


@pytest.mark.parametrize("pattern", REWRITTEN)
@given(text=TEXTS)
@settings(max_examples=60)
def test_lookaround_at_the_ends_is_read_to_the_same_effect(pattern: str, text: str) -> None:
    """The oracle is Python's own engine with the expression as it was."""
    carried = patterns.carried(pattern, takes_first=True)
    assert "(?<=" not in carried
    assert "(?=" not in carried
    assert first(re2.search(carried, text)) == first(re.search(pattern, text))


def test_the_texts_tell_expressions_apart() -> None:
    """The comparison above fails on an expression that was rewritten wrongly."""
    assert first(re2.search("(a*)", "aa")) != first(re.search("(a*)(?=b)", "aa"))


@pytest.mark.parametrize(
    "pattern",
    [
        "(?<=a)(b)|(c)",
        "(?<=a)b(?=c)",
        "(?<=(a))(b)",
        "(a)(?=(b))",
        "a(?!b)",
        "(?<!a)(b)",
        r"(a)\1",
        "((?<=x)(a)|(b))",
        "(?<=a)(b",
        "(?>a)(b)",
    ],
)
def test_what_cannot_be_read_to_the_same_effect_is_refused(pattern: str) -> None:
    """Alternatives, other groups, negations and backreferences."""
    with pytest.raises(ValueError, match="is no RE2 expression"):
        patterns.carried(pattern, takes_first=True)


def test_only_the_first_match_is_found_through_what_was_looked_at() -> None:
    """Later ones could begin in what an earlier one has read."""
    with pytest.raises(ValueError, match="RE2 has no lookaround"):
        patterns.carried("(?<=a)(b)", takes_first=False)


@given(TEXTS)
@settings(max_examples=60)
def test_an_expression_without_lookaround_stays_as_it_is(text: str) -> None:
    """And finds the same first match."""
    for pattern in (r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "(a)|b", "[(|)]a"):
        carried = patterns.carried(pattern, takes_first=True)
        assert carried == pattern
        theirs, ours = re.search(pattern, text), re2.search(carried, text)
        assert (theirs and theirs.span()) == (ours and ours.span())
