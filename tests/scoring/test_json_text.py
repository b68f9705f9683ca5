"""JSON is read as its standard has it, compared by value, and found within other text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.scoring.json_text import (
    DEEPEST,
    Json,
    NotJson,
    at,
    canonical,
    first_difference,
    parsed,
    values_within,
)

LEAVES: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from((0.5, 1.0, -2.0)),
    st.sampled_from(("", "a", "é/~")),
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(("a", "b", "c/d~")), inner, max_size=3)
    ),
    max_leaves=6,
)


def equal(left: Json, right: Json) -> bool:
    """Say whether two values are equal, member by member: true is not 1, and 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right


@given(VALUES, VALUES)
def test_values_are_equal_when_their_canonical_texts_are(left: Json, right: Json) -> None:
    """As a comparison member by member says."""
    assert (canonical(left) == canonical(right)) is equal(left, right)
    assert canonical(parsed(json.dumps(left, indent=2))) == canonical(left)


def test_comparing_with_pythons_own_equality_would_be_wrong() -> None:
    """The planted error: to Python true is 1."""
    assert [True] == [1]
    assert canonical([True]) != canonical([1])
    assert canonical([1.0]) == canonical([1])


@given(VALUES, VALUES)
def test_the_first_difference_is_where_the_values_differ(left: Json, right: Json) -> None:
    """What lies there differs, and replacing nothing before it would help."""
    if canonical(left) == canonical(right):
        return
    pointer = first_difference(left, right)
    assert canonical(at(left, pointer)) != canonical(at(right, pointer))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value, at character 1"),
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("1e999", "a number is beyond the range of a double"),
        ("9" * 5000, "a number is beyond the range of a double"),
        ('{"a": 1, "a": 1}', 'the key "a" occurs twice in one object'),
        ("{} {}", "more text after the value, at character 4"),
        ("{'a': 1}", "Expecting property name enclosed in double quotes, at character 2"),
        ('{"key": "value }', "Unterminated string starting at, at character 9"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"nested deeper than {DEEPEST} levels"),
        ("[" * 100_000 + "]" * 100_000, f"nested deeper than {DEEPEST} levels"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_json_is_refused_with_its_reason(text: str, why: str) -> None:
    """The standard library would let some of it through."""
    with pytest.raises(NotJson) as raised:
        parsed(text)
    assert str(raised.value).startswith(why)


def test_what_the_standard_library_lets_through_is_known() -> None:
    """The planted errors: what `json.loads` makes of the same texts."""
    assert math.isnan(json.loads("NaN"))
    assert json.loads("1e999") == math.inf
    assert json.loads('{"a": 1, "a": 2}') == {"a": 2}


def test_what_is_json_is_read() -> None:
    """Up to the deepest level, with half of a surrogate pair, and with space around it."""
    assert parsed("[" * DEEPEST + "]" * DEEPEST) is not None
    assert parsed(' \n"\\ud800"\t') == "\ud800"
    assert parsed("1e-999") == 0.0
    assert parsed("-0") == 0


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [("", '{"a/b": [1, {"m~n": 2}]}'), ("/a~1b/0", "1"), ("/a~1b/1/m~0n", "2")],
)
def test_a_pointer_leads_into_a_value(pointer: str, expected: str) -> None:
    """With the escapes of RFC 6901."""
    assert canonical(at({"a/b": [1, {"m~n": 2}]}, pointer)) == expected


@pytest.mark.parametrize(
    "pointer", ["/x", "/a/2", "/a/-1", "/a/01", "/a/x", "/a/0/0", "/a/99999999999999999999"]
)
def test_a_pointer_to_nothing_is_a_key_error(pointer: str) -> None:
    """Indices are plain and within the list."""
    with pytest.raises(KeyError):
        at({"a": [1, 2]}, pointer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('see {"a": 1} there', ['{"a": 1}']),
        ("[1] and [2, [3]]", ["[1]", "[2, [3]]"]),
        ("[see {}]", ["{}"]),
        ("[1, {}, oops", ["{}"]),
        ("no {json", []),
        ('"[1]"', ["[1]"]),
        ("{NaN} [NaN] [1]", ["[1]"]),
        ("", []),
    ],
)
def test_values_are_found_within_other_text(text: str, expected: list[str]) -> None:
    """Outermost ones, and inner ones where the outer is no JSON."""
    assert [canonical(value) for value in values_within(text)] == expected


@given(st.lists(st.one_of(st.dictionaries(st.just("a"), VALUES), st.lists(VALUES, max_size=2)), max_size=3))
def test_every_value_that_was_written_is_found(values: list[Json]) -> None:
    """Between words."""
    text = " then ".join(map(json.dumps, values))
    assert list(map(canonical, values_within(text))) == list(map(canonical, values))


@pytest.mark.parametrize("text", ["[" * 200_000, "[1," * 60_000, "[1, 1, 1, 1, 1, 1, 1, " * 10_000])
def test_a_search_that_would_take_too_long_is_given_up(text: str) -> None:
    """Brackets that are never closed would be read to the end from each of them."""
    with pytest.raises(NotJson, match="too many brackets"):
        list(values_within(text))


@pytest.mark.parametrize("text", ['{"' * 200_000, '["a' * 100_000, '["\\"' * 100_000, "{}" * 100_000])
def test_brackets_that_are_soon_no_json_are_passed(text: str) -> None:
    """However many: none makes the library count lines from the beginning of the text."""
    assert len(list(values_within(text))) in (0, 100_000)
