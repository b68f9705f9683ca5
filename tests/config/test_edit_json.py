"""An edit of JSON changes what it is asked to, and no other byte."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gemma_eval.config.edit_json import drop, put
from gemma_eval.config.same import same
from gemma_eval.errors import UsageError

Table = dict[str, Any]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False, width=32), TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PROFILES = st.dictionaries(TEXT, st.dictionaries(TEXT, VALUES, max_size=3), max_size=4)
SPACE = st.sampled_from(["", "", " ", "\n", "\n  ", "\r\n    ", "\t", "\n\n  "])


@st.composite
def layouts(draw: st.DrawFn, table: Table) -> str:
    """Draw one of the many ways in which a table can be written as JSON."""

    def gap() -> str:
        return draw(SPACE)

    def written(value: object) -> str:
        if isinstance(value, dict):
            pairs = (f"{scalar(key)}{gap()}:{gap()}{written(part)}" for key, part in value.items())
            return f"{{{gap()}{f'{gap()},{gap()}'.join(pairs)}{gap() if value else ''}}}"
        if isinstance(value, list):
            return f"[{gap()}{f'{gap()},{gap()}'.join(map(written, value))}{gap()}]"
        return scalar(value)

    def scalar(value: object) -> str:
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    return f"{gap()}{written(table)}{gap()}"


@st.composite
def files(draw: st.DrawFn) -> tuple[str, Table]:
    """Draw a file of profiles and what it says."""
    table: Table = {"version": 1, "profiles": draw(PROFILES)}
    if draw(st.booleans()):
        table = dict(reversed(table.items()))
    return draw(layouts(table)), table


@given(files(), TEXT, st.dictionaries(TEXT, VALUES, max_size=3))
def test_what_is_put_is_read_again_and_the_rest_is_the_same(
    file: tuple[str, Table], name: str, profile: Table
) -> None:
    """As a table that is changed in memory, in the same order; a second time changes nothing."""
    text, table = file
    edited = put(text, ("profiles", name), profile)
    wanted = copy.deepcopy(table)
    wanted["profiles"][name] = profile
    assert same(json.loads(edited), wanted)
    assert list(json.loads(edited)["profiles"]) == list(wanted["profiles"])
    assert put(edited, ("profiles", name), profile) == edited


@given(files(), TEXT, TEXT, VALUES)
def test_one_key_of_one_profile_is_put(file: tuple[str, Table], name: str, key: str, value: object) -> None:
    """All bytes before the profiles and of the others stay."""
    text, table = file
    edited = put(text, ("profiles", name, key), value)
    wanted = copy.deepcopy(table)
    wanted["profiles"].setdefault(name, {})[key] = value
    assert same(json.loads(edited), wanted)
    assert put(edited, ("profiles", name, key), value) == edited


@given(files(), TEXT, st.dictionaries(TEXT, VALUES, max_size=3))
def test_what_is_added_and_dropped_leaves_the_bytes_of_before(
    file: tuple[str, Table], name: str, profile: Table
) -> None:
    """Whatever the layout; an object that was empty is empty again."""
    text, table = file
    assume(name not in table["profiles"])
    again = drop(put(text, ("profiles", name), profile), ("profiles", name))
    if table["profiles"]:
        assert again == text
    else:
        assert "".join(again.split()) == "".join(text.split())


@given(files(), st.data())
def test_what_is_dropped_is_gone_and_nothing_else(file: tuple[str, Table], data: st.DataObject) -> None:
    """The bytes before and after it stay."""
    text, table = file
    assume(bool(table["profiles"]))
    name = data.draw(st.sampled_from(list(table["profiles"])))
    edited = drop(text, ("profiles", name))
    wanted = copy.deepcopy(table)
    del wanted["profiles"][name]
    assert same(json.loads(edited), wanted)
    assert drop(edited, ("profiles", name)) == edited
    common = next((n for n, (a, b) in enumerate(zip(text, edited, strict=False)) if a != b), len(edited))
    assert text.endswith(edited[common:])


ONE_LINE_EACH = '{\n  "version": 1,\n  "profiles": {\n    "a": {"top_k": 1}\n  }\n}\n'
WINDOWS = '{\r\n  "version": 1,\r\n  "profiles": {\r\n    "a": {}\r\n  }\r\n}'
LINES = '{\n\t"version": 1,\n\t"profiles": {\n\t\t"a": {\n\t\t\t"top_k": 1\n\t\t}\n\t}\n}'


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        (ONE_LINE_EACH, ONE_LINE_EACH.replace("1}", '1},\n    "b": {"top_k": 2, "stop": ["x"]}')),
        (
            LINES,
            LINES.replace(
                "\t\t}\n\t}",
                '\t\t},\n\t\t"b": {\n\t\t\t"top_k": 2,\n\t\t\t"stop": [\n\t\t\t\t"x"\n\t\t\t]\n\t\t}\n\t}',
            ),
        ),
        (
            '{"version":1,"profiles":{"a":{"top_k":1}}}',
            '{"version":1,"profiles":{"a":{"top_k":1},"b":{"top_k":2,"stop":["x"]}}}',
        ),
        (
            '{\n  "version": 1,\n  "profiles": {}\n}\n',
            '{\n  "version": 1,\n  "profiles": {\n    "b": {"top_k": 2, "stop": ["x"]}\n  }\n}\n',
        ),
        (WINDOWS, WINDOWS.replace("{}", '{},\r\n    "b": {"top_k": 2, "stop": ["x"]}')),
        ('{"version": 1}', '{"version": 1, "profiles": {"b": {"top_k": 2, "stop": ["x"]}}}'),
    ],
    ids=["a line each", "lines and tabs", "without spaces", "the first one", "line ends of Windows", "none"],
)
def test_a_new_profile_looks_like_its_neighbours(text: str, edited: str) -> None:
    """Lines, indentation, spaces and line ends are those of the file."""
    assert put(text, ("profiles", "b"), {"top_k": 2, "stop": ["x"]}) == edited


def test_a_number_that_is_the_same_keeps_how_it_is_written() -> None:
    """1e-1 is not made 0.1; but 1.0 for 1 is another value."""
    text = '{"profiles": {"a": {"min_p": 1e-1, "top_k": 1}}}'
    assert put(text, ("profiles", "a", "min_p"), 0.1) == text
    assert put(text, ("profiles", "a", "top_k"), 1.0) == text.replace(": 1}", ": 1.0}")


def test_of_a_key_that_is_given_twice_the_one_that_counts_is_changed_and_both_are_dropped() -> None:
    """As a JSON parser reads it."""
    text = '{"profiles": {"a": 1, "b": 2, "a": 3}}'
    assert put(text, ("profiles", "a"), 4) == '{"profiles": {"a": 1, "b": 2, "a": 4}}'
    assert drop(text, ("profiles", "a")) == '{"profiles": {"b": 2}}'


def test_what_is_no_object_is_not_written_over() -> None:
    """A file that is wrong is not made less by an edit."""
    with pytest.raises(UsageError, match="profiles is no object, and nothing can be put into it"):
        put('{"profiles": [1]}', ("profiles", "a"), {})


def test_the_law_of_the_bytes_can_fail() -> None:
    """Reading and writing again, as most programs do, would change what nobody asked for."""
    assert json.dumps(json.loads(ONE_LINE_EACH), indent=2) != ONE_LINE_EACH
