"""A wrong option is refused when the check is built, with what is wrong and what would be right."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.errors import UsageError
from gemma_eval.records import Option, Options

SCORERS = plugins.load().scorers
NAMES = (
    "bleu",
    "choice_letter",
    "chrf",
    "contains",
    "contains_json",
    "determinism",
    "distinct_n",
    "equals",
    "exact_match",
    "fuzzy",
    "icontains",
    "json_equals",
    "json_schema",
    "latency",
    "levenshtein",
    "numeric",
    "regex",
    "rouge1",
    "rouge2",
    "rougeL",
    "self_bleu",
    "starts_with",
    "token_count",
    "token_f1",
    "word_count",
)

WRONG: tuple[tuple[str, Options, str], ...] = (
    ("equals", {}, 'equals: the option "text" is missing'),
    ("equals", {"txt": "a"}, 'equals: unknown option "txt"; did you mean "text"?'),
    (
        "equals",
        {"txt": "a", "zzz": 1},
        'equals: unknown option "txt"; did you mean "text"?; unknown option "zzz"; known: ignore_case, text',
    ),
    ("equals", {"text": 3}, 'equals: "text" must be a text that is not empty, not 3'),
    ("equals", {"text": ""}, 'equals: "text" must be a text that is not empty, not ""'),
    (
        "equals",
        {"text": "a", "ignore_case": "yes"},
        'equals: "ignore_case" must be true or false, not "yes"',
    ),
    ("equals", {"text": "a", "ignore_case": 1}, 'equals: "ignore_case" must be true or false, not 1'),
    ("contains", {}, 'contains: give one of "text", "any" and "all", not 0 of them'),
    (
        "contains",
        {"text": "a", "any": ("b",)},
        'contains: give one of "text", "any" and "all", not 2 of them',
    ),
    ("contains", {"any": ()}, 'contains: "any" must be a text or a list of texts, not []'),
    ("contains", {"all": 5}, 'contains: "all" must be a text or a list of texts, not 5'),
    (
        "contains",
        {"all": ("a", 5)},
        'contains: "all" must be a text or a list of texts, none of them empty, not ["a", 5]',
    ),
    (
        "contains",
        {"any": ("a", "")},
        'contains: "any" must be a text or a list of texts, none of them empty, not ["a", ""]',
    ),
    ("regex", {"pattern": ""}, 'regex: "pattern" must be a text that is not empty, not ""'),
    ("regex", {"pattern": "(a"}, 'regex: "pattern" "(a" is not an RE2 expression: missing ): (a'),
    ("regex", {"pattern": r"(a)\1"}, r'regex: "pattern" "(a)\1" is not an RE2 expression: invalid escape'),
    (
        "regex",
        {"pattern": "(?=a)"},
        'regex: "pattern" "(?=a)" is not an RE2 expression: invalid perl operator',
    ),
    ("numeric", {}, 'numeric: the option "value" is missing'),
    ("numeric", {"value": "five"}, 'numeric: "value" must be a number or the text of one, not "five"'),
    ("numeric", {"value": " "}, 'numeric: "value" must be a finite number or the text of one, not " "'),
    ("numeric", {"value": True}, 'numeric: "value" must be a finite number or the text of one, not true'),
    ("numeric", {"value": math.nan}, 'numeric: "value" must be a finite number or the text of one, not nan'),
    ("numeric", {"value": math.inf}, 'numeric: "value" must be a finite number or the text of one, not inf'),
    (
        "numeric",
        {"value": 5, "which": "frist"},
        'numeric: "which" must be "last", "first" or "only", not "frist"; did you mean "first"?',
    ),
    (
        "numeric",
        {"value": 1, "tolerance": math.nan},
        'numeric: "tolerance" must be a finite number of at least 0, not nan',
    ),
    (
        "numeric",
        {"value": 1, "tolerance": -0.1},
        'numeric: "tolerance" must be a finite number of at least 0, not -0.1',
    ),
    (
        "numeric",
        {"value": 1, "relative": "5%"},
        'numeric: "relative" must be a finite number of at least 0, not "5%"',
    ),
    ("token_f1", {"reference": ""}, 'token_f1: "reference" must be a text or a list of texts, none of them'),
    ("icontains", {}, 'icontains: give one of "text", "any" and "all", not 0 of them'),
    ("icontains", {"text": "a", "ignore_case": True}, 'icontains: unknown option "ignore_case"'),
    (
        "starts_with",
        {"text": ("a", 1)},
        'starts_with: "text" must be a text or a list of texts, none of them',
    ),
    ("choice_letter", {"letter": "K"}, 'choice_letter: "letter" must be of the letters ABCDEFGHIJ, not "K"'),
    ("choice_letter", {"letter": ","}, 'choice_letter: "letter" must be of the letters ABCDEFGHIJ, not ","'),
    (
        "choice_letter",
        {"letter": "A", "letters": "AA"},
        'choice_letter: "letters" must be different letters of A to Z, not "AA"',
    ),
    ("json_equals", {"value": "{"}, 'json_equals: "value" must be JSON, and is not: Expecting property name'),
    (
        "json_equals",
        {"value": "1", "path": "a.b"},
        'json_equals: "path" must be a JSON pointer, as "/name" or "/items/0", not "a.b"',
    ),
    ("json_schema", {"schema": 5}, 'json_schema: "schema" must be a text, not 5'),
    ("contains_json", {"schema": "{"}, 'contains_json: "schema" must be JSON, and is not: Expecting'),
    (
        "levenshtein",
        {"text": "a", "max_distance": -1},
        'levenshtein: "max_distance" must be a whole number of at least 0, not -1',
    ),
    (
        "exact_match",
        {"reference": "a", "normalise": "squat"},
        'exact_match: "normalise" must be "squad" or "none", not "squat"; did you mean "squad"?',
    ),
    (
        "exact_match",
        {"reference": "a", "regexes_to_ignore": "("},
        'exact_match: "regexes_to_ignore" "(" is not an RE2 expression: missing ): (',
    ),
    ("rougeL", {}, 'rougeL: the option "reference" is missing'),
    (
        "bleu",
        {"reference": "a", "tokenize": "14a"},
        'bleu: "tokenize" must be "13a", "intl", "char", "zh" or "none", not "14a"; did you mean "13a"?',
    ),
    (
        "chrf",
        {"reference": "a", "word_order": 0.5},
        'chrf: "word_order" must be a whole number of at least 0',
    ),
    ("distinct_n", {"n": 0}, 'distinct_n: "n" must be a whole number of at least 1, not 0'),
    ("determinism", {"n": 2}, 'determinism: unknown option "n"'),
    ("token_f1", {"references": "a"}, 'token_f1: unknown option "references"; did you mean "reference"?'),
)


@pytest.mark.parametrize(("scorer", "options", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_option_is_named_with_its_remedy(scorer: str, options: Options, message: str) -> None:
    """Each message starts with the scorer and has one line."""
    with pytest.raises(UsageError) as raised:
        SCORERS.find(scorer)(options)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


_OPTION: st.SearchStrategy[Option] = st.one_of(
    st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.lists(st.text(max_size=3)).map(tuple)
)
_KEYS = (
    *("text", "any", "all", "pattern", "value", "tolerance", "relative", "which", "percent", "reference"),
    *("ignore_case", "letter", "letters", "schema", "path", "max_distance", "least", "most", "max_s"),
    *("normalise", "regexes_to_ignore", "word_order", "tokenize", "n"),
)
_KEY = st.sampled_from(_KEYS)


@given(st.sampled_from(NAMES), st.dictionaries(_KEY, _OPTION, max_size=3))
def test_whatever_a_person_writes_is_accepted_or_refused_as_a_usage_error(
    scorer: str, options: dict[str, Option]
) -> None:
    """No other error leaves a scorer's factory."""
    with suppress(UsageError):
        SCORERS.find(scorer)(options)


def test_the_built_in_scorers_are_those_tested_here() -> None:
    """A new one must come with its tests."""
    assert set(NAMES) <= set(SCORERS)
