"""A table is checked as a whole, in plain words."""

from __future__ import annotations

from typing import Annotated

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from gemma_eval.files import rows


class Inner(rows.Row):
    """An inner table."""

    size: rows.Share | None = None
    label: rows.Text | None = None


class Outer(rows.Row):
    """A table with tables inside."""

    name: rows.Name | None = None
    inner: list[Inner] | None = None
    words: rows.Names | None = None
    flag: bool | None = None


class Sized(rows.Row):
    """What may not be longer or shorter than it says."""

    few: Annotated[list[Annotated[str, Field(max_length=3)]], Field(min_length=1, max_length=2)] | None = None
    weights: Annotated[dict[Annotated[str, Field(min_length=1)], float], Field(max_length=1)] | None = None


def said(table: dict[str, object]) -> list[str]:
    """Return what is wrong with a table."""
    return [flaw.text() for flaw in rows.check(Outer, table)[1]]


def test_a_good_table_has_no_flaw() -> None:
    """All keys may be absent."""
    row, flaws = rows.check(Outer, {"name": "a", "inner": [{"size": 1}]})
    assert flaws == ()
    assert row.name == "a"
    assert row.inner == [Inner(size=1.0)]
    assert rows.check(Outer, {}) == (Outer(), ())


def test_all_flaws_are_said_and_the_rest_is_kept() -> None:
    """What is right beside a flaw is still read."""
    table: dict[str, object] = {
        "name": "a b",
        "flag": "yes",
        "inner": [{"size": 2, "label": "x"}, {"sise": 1}],
    }
    row, flaws = rows.check(Outer, table)
    assert [flaw.text() for flaw in flaws] == [
        'name is "a b", which cannot be a name; use letters, digits and _ . + - (at most 100)',
        "inner[0].size is 2; it should be at most 1",
        'unknown key "sise"; did you mean "size"?',
        'flag is "yes"; it should be true or false',
    ]
    assert row.inner == [Inner(label="x"), Inner()]
    assert table["name"] == "a b", "the table itself is left alone"


def test_types_are_not_bent() -> None:
    """A number in quotes is no number, and true is none either."""
    assert said({"inner": [{"size": "1"}, {"size": True}, {"size": float("nan")}, 5]}) == [
        'inner[0].size is "1"; it should be a number',
        "inner[1].size is true; it should be a number",
        "inner[2].size is nan; it should be a finite number",
        "inner[3] is 5; it should be a table",
    ]


def test_lists_of_names_hold_different_names_and_at_least_one() -> None:
    """An empty list and a repeated name are mistakes."""
    assert said({"words": []}) == ["words is an empty list; name at least one, or leave the key out"]
    assert said({"words": ["a", "b", "a"]}) == ['words names "a" more than once']


@given(st.text(max_size=200))
def test_what_is_shown_is_short_and_on_one_line(text: str) -> None:
    """Nothing that a terminal would obey gets into a message."""
    shown = rows.show(text)
    assert shown.isprintable()
    assert len(shown) <= 80


def test_what_is_shown_keeps_ordinary_words_as_they_are() -> None:
    """Quotes are double, and only what must be escaped is."""
    assert rows.show("it's") == '"it\'s"'
    assert rows.show('a "b"') == '"a \\"b\\""'
    assert rows.show([1, "x"]) == '[1, "x"]'
    assert rows.show(("y", True)) == '["y", true]'
    assert rows.show({"a": "b"}) == '{"a": "b"}'
    assert rows.show(1 << 20_000) == "a number with too many digits"
    assert rows.show("a\x1b[2J\u202e") == '"a\\x1b[2J\\u202e"'


def test_true_and_false_are_shown_as_files_write_them() -> None:
    """Neither TOML nor JSON has a `True`."""
    assert [rows.show(value) for value in (True, False)] == ["true", "false"]


def test_sizes_are_told_in_plain_words() -> None:
    """A list, a table, a text or the key of a table that is too long or too short."""

    def told(**table: object) -> list[str]:
        return [flaw.text() for flaw in rows.check(Sized, table)[1]]

    assert told(few=["a", "b", "c"]) == ['few is ["a", "b", "c"]; it should be a list of at most 2']
    assert told(few=[]) == ["few is []; it should be a list of at least 1"]
    assert told(few=["abcd"]) == ['few[0] is "abcd"; it should be a text of at most 3']
    assert told(weights={"a": 1.0, "b": 2.0}) == [
        'weights is {"a": 1.0, "b": 2.0}; it should be a table of at most 1'
    ]
    assert told(weights={"": 1.0}) == ['weights has the key ""; a key should be a text of at least 1']
    assert told(weights={"a": None}) == ["weights.a is null; it should be a number"]
