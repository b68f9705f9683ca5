"""What filters make of an answer, in their order, and how wrong ones are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import GemmaEvalError, UnknownName, UsageError
from gemma_eval.records import Filter, Option
from gemma_eval.scoring.filters import build, filter_names

ANSWER = "  So 12 + 7 = 19.\n#### 19\n\n"
FENCED = "Here:\n```json\n{}\n```\nor\n```\n[]\n```\n"


def filtered(text: str, name: str, /, **options: Option) -> str:
    """Return what one filter makes of a text."""
    return build([Filter(name=name, options=options)])(text)


@pytest.mark.parametrize(
    ("name", "options", "text", "expected"),
    [
        ("strip", {}, " a \n", "a"),
        ("strip_start", {}, " a ", "a "),
        ("lower", {}, "ÄB", "äb"),
        ("upper", {}, "äb", "ÄB"),
        ("casefold", {}, "Straße", "strasse"),
        ("nfc", {}, "e\u0301", "\u00e9"),
        ("nfkc", {}, "\uff11", "1"),
        ("first_line", {}, ANSWER, "So 12 + 7 = 19."),
        ("last_line", {}, ANSWER, "#### 19"),
        ("first_line", {}, "", ""),
        ("single_spaces", {}, " a \n b ", "a b"),
        ("remove_whitespace", {}, " a \n b ", "ab"),
        ("take_words", {"n": 2}, " a b c", "a b"),
        ("take_words", {}, "a b c", "a"),
        ("regex", {"pattern": r"\d+"}, ANSWER, "12"),
        ("regex", {"pattern": r"\d+", "which": "last"}, ANSWER, "19"),
        ("regex", {"pattern": r"\d+", "which": 1}, ANSWER, "7"),
        ("regex", {"pattern": r"\d+", "which": -2}, ANSWER, "19"),
        ("regex", {"pattern": r"\d+", "which": 9, "fallback": "none"}, ANSWER, "none"),
        ("regex", {"pattern": r"\d+", "which": -9}, ANSWER, ""),
        ("regex", {"pattern": r"#### (\d+)"}, ANSWER, "19"),
        ("regex", {"pattern": r"#### (\d+)", "group": 0}, ANSWER, "#### 19"),
        ("regex", {"pattern": r"(x)|(so) (\d)", "ignore_case": True}, ANSWER, "So"),
        ("regex", {"pattern": r"(x)|(So)", "group": 1}, ANSWER, ""),
        ("regex", {"pattern": "x", "fallback": "[invalid]"}, ANSWER, "[invalid]"),
        ("remove", {"pattern": [r"\d", " "]}, "1 a 2", "a"),
        ("replace", {"from": ["a", "b"], "to": ["b", ""]}, "aab", ""),
        ("map", {"from": ["A", "B"], "to": ["yes", "no"]}, "B", "no"),
        ("map", {"from": "A", "to": "yes"}, "C", "C"),
        ("map", {"from": "A", "to": "yes", "fallback": ""}, "C", ""),
        ("before", {"text": "="}, "a=b=c", "a"),
        ("before", {"text": "=", "which": "last"}, "a=b=c", "a=b"),
        ("before", {"text": "="}, "=a", ""),
        ("before", {"text": "x"}, "a=b", "a=b"),
        ("after", {"text": "="}, "a=b=c", "b=c"),
        ("after", {"text": "=", "which": "last"}, "a=b=c", "c"),
        ("after", {"text": "</think>"}, "hm</think>\nB", "\nB"),
        ("code_block", {}, FENCED, "{}\n"),
        ("code_block", {"which": "last"}, FENCED, "[]\n"),
        ("multi_choice_regex", {"pattern": "#(.)", "choices": ["Oslo", "Rome"]}, "In Rome.", "(B)"),
        ("code_block", {}, "no block", "no block"),
        ("code_block", {}, "```\nnever closed", "```\nnever closed"),
    ],
)
def test_a_filter_makes_a_text_of_a_text(
    name: str, options: dict[str, Option], text: str, expected: str
) -> None:
    """One row per filter and option."""
    assert filtered(text, name, **options) == expected


def test_every_filter_is_in_the_table_above() -> None:
    """A new one must come with its rows."""
    marks = test_a_filter_makes_a_text_of_a_text.pytestmark  # type: ignore[attr-defined]
    rows = marks[0].args[1]
    assert {row[0] for row in rows} == set(filter_names())


def test_filters_run_in_their_order() -> None:
    """The planted error is the other order."""
    steps = [
        Filter(name="first_line"),
        Filter(name="regex", options={"pattern": r"\d+", "which": "last"}),
        Filter(name="map", options={"from": "19", "to": "right"}),
    ]
    assert build(steps)(ANSWER) == "right"
    assert build(steps[::-1])(ANSWER) != "right"
    assert build([])(ANSWER) == ANSWER


@given(
    st.text(alphabet="ab1 \n", max_size=12),
    st.sampled_from(("a", "(a)(b)?", r"(\d)|(b)", "x*", "(a*)b", "(a*)(1*)", r"b(\s*)(1?)")),
    st.integers(-3, 3),
)
def test_a_regex_finds_what_pythons_findall_does(text: str, pattern: str, which: int) -> None:
    """The match of that number, and of several groups the first that is not empty: as lm-eval has it."""
    found = re.findall(pattern, text)
    chosen = found[which] if -len(found) <= which < len(found) else "none"
    expected = next(filter(None, chosen), "none") if isinstance(chosen, tuple) else chosen
    assert filtered(text, "regex", pattern=pattern, which=which, fallback="none") == expected


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("stripp", {}, 'no filter named "stripp"; did you mean "strip"?'),
        ("strip", {"n": 1}, "strip: has no options"),
        ("regex", {}, 'regex: the option "pattern" is missing'),
        ("regex", {"pattern": "("}, 'regex: "pattern" "(" is not an RE2 expression: missing ): ('),
        ("regex", {"pattern": "a", "group": 1}, 'regex: "group" is 1, and "pattern" has 0 groups'),
        ("regex", {"pattern": "a", "which": "lst"}, 'regex: "which" must be "first" or "last", not "lst"'),
        ("map", {"from": ["a", "b"], "to": "c"}, 'map: "from" has 2 texts, and "to" 1: each needs'),
        ("take_words", {"n": 0}, 'take_words: "n" must be a whole number of at least 1, not 0'),
        ("after", {"text": ""}, 'after: "text" must be a text that is not empty, not ""'),
        ("code_block", {"which": 2}, 'code_block: "which" must be "first" or "last", not 2'),
    ],
)
def test_a_wrong_filter_is_refused_with_its_remedy(
    name: str, options: dict[str, Option], message: str
) -> None:
    """When the pipeline is built."""
    with pytest.raises(GemmaEvalError) as raised:
        build([Filter(name=name, options=options)])
    assert isinstance(raised.value, UsageError | UnknownName)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("text", ["```a\n" * 50_000, "a" * 300_000, "=" * 300_000, "\ud800" * 1000])
def test_a_hostile_text_is_filtered_in_linear_time(text: str) -> None:
    """By every filter."""
    options: dict[str, dict[str, Option]] = {
        "regex": {"pattern": "(a+)+$", "which": "last"},
        "remove": {"pattern": "(a+)+$"},
        "replace": {"from": "a", "to": "b"},
        "map": {"from": "a", "to": "b"},
        "before": {"text": "=x"},
        "after": {"text": "=x"},
        "multi_choice_regex": {"pattern": "(a+)+$x", "choices": ("=" * 99 + "x", "b")},
    }
    for name in filter_names():
        assert isinstance(filtered(text, name, **options.get(name, {})), str)
