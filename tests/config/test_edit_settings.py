"""A key of settings.yaml is set or taken out, and nothing else in the file changes: no comment, no space."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gemma_eval.config.edit_settings import HEADER, drop, put, written
from gemma_eval.config.settings_keys import BY_NAME, KEYS, Key
from gemma_eval.files import yaml12
from gemma_eval.files.read import ReadError

BEFORE = """\
# what we chose
version: 1

chat:   # talks
  model:   big   # the good one
  # profile: creative
database: "a b.db"
suite_paths:
  - evals
  - more
# the end
"""


def test_a_value_is_replaced_where_it_stands() -> None:
    """Its comment and the spaces around it stay."""
    assert put(BEFORE, BY_NAME["chat.model"], "small") == BEFORE.replace("   big ", "   small ")
    assert put(BEFORE, BY_NAME["database"], "x.db") == BEFORE.replace('"a b.db"', "x.db")


def test_a_new_key_is_the_last_of_its_table() -> None:
    """With the indentation of the others; the comments below stay below."""
    assert put(BEFORE, BY_NAME["chat.history"], value=False) == BEFORE.replace(
        "# the good one\n", "# the good one\n  history: false\n"
    )
    assert put(BEFORE, BY_NAME["backups"], 3) == BEFORE.replace("- more\n", "- more\nbackups: 3\n")
    assert put(BEFORE, BY_NAME["reload.poll_s"], 0.5) == BEFORE.replace(
        "- more\n", "- more\nreload:\n  poll_s: 0.5\n"
    )


def test_a_list_on_many_lines_becomes_one_on_one_line() -> None:
    """Without comments in it; with some, only a person can tell where they belong."""
    assert put(BEFORE, BY_NAME["suite_paths"], ["x y"]) == BEFORE.replace(
        "\n  - evals\n  - more\n", ' ["x y"]\n'
    )
    with pytest.raises(ReadError, match="only a person can change; edit it by hand"):
        put(BEFORE.replace("- more", "# why\n  - more"), BY_NAME["suite_paths"], ["x"])


def test_a_key_is_taken_out_with_its_line() -> None:
    """And a list with all of its lines."""
    assert drop(BEFORE, BY_NAME["database"]) == BEFORE.replace('database: "a b.db"\n', "")
    assert drop(BEFORE, BY_NAME["suite_paths"]) == BEFORE.replace("suite_paths:\n  - evals\n  - more\n", "")
    assert drop(BEFORE, BY_NAME["backups"]) == BEFORE


def test_the_last_key_of_a_table_takes_the_table_with_it() -> None:
    """A comment in the table keeps it."""
    alone = "version: 1\nchat:\n  model: x\nbackups: 3\n"
    assert drop(alone, BY_NAME["chat.model"]) == "version: 1\nbackups: 3\n"
    kept = "version: 1\nchat:\n  # why\n  model: x\n"
    assert drop(kept, BY_NAME["chat.model"]) == "version: 1\nchat:\n  # why\n"


@pytest.mark.parametrize("text", ["", "# only words", "\n\n"])
def test_a_new_file_begins_with_what_it_is(text: str) -> None:
    """Words that were there stay."""
    made = put(text, BY_NAME["chat.model"], "x")
    assert (
        made == (f"{text}\n" if text and not text.endswith("\n") else text) + HEADER + "chat:\n  model: x\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1\nchat: {model: a, history: true}\n", "version: 1\nchat: {model: x, history: true}\n"),
        ("{version: 1}\n", "{version: 1, chat: {model: x}}\n"),
        ("version: 1\nchat:\n", "version: 1\nchat:\n  model: x\n"),
        ("version: 1\nchat: ~  # c\n", "version: 1\nchat:\n  model: x  # c\n"),
        ("version: 1\nchat: {}", "version: 1\nchat: {model: x}\n"),
        ("version: 1\nchat:\n    model: |\n      a\n", "version: 1\nchat:\n    model: x\n"),
        ("version: 1\nchat:\n  model:\n    a\n# c\n", "version: 1\nchat:\n  model: x\n# c\n"),
        ("---\nversion: 1\n...\n", "---\nversion: 1\nchat:\n  model: x\n...\n"),
        (
            "version: 1\nchat: {history: true,\n  model: 'a'}  # c\n",
            "version: 1\nchat: {history: true, model: x}  # c\n",
        ),
    ],
)
def test_a_value_is_set_however_the_file_is_written(before: str, after: str) -> None:
    """Tables in braces, empty tables, values on lines of their own."""
    assert put(before, BY_NAME["chat.model"], "x") == after


NAMES = st.from_regex(r"[A-Za-z0-9_.+-]{1,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def values(key: Key) -> st.SearchStrategy[object]:
    """Return values that a key may have."""
    kinds: dict[str, st.SearchStrategy[object]] = {
        "path": TEXTS,
        "place": TEXTS,
        "paths": st.lists(TEXTS, max_size=3),
        "name": NAMES,
        "switch": st.booleans(),
        "count": st.integers(int(key.least), int(key.most or 1)),
        "seconds": st.floats(key.least, key.most or 1) | st.integers(1, 60),
    }
    return kinds[key.kind] | st.none() if key.may_be_none else kinds[key.kind]


@st.composite
def chosen(draw: st.DrawFn) -> tuple[Key, object]:
    """Draw a key with a value."""
    key = draw(st.sampled_from(KEYS))
    return key, draw(values(key))


COMMENTS = st.sampled_from(["", "# a comment", "  # indented: 1", "#", "# é ü"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Draw a settings.yaml as a person may have written it: any order, comments anywhere, both styles."""
    picked = draw(st.lists(chosen(), max_size=6, unique_by=lambda pair: pair[0].name))
    tables: dict[str, list[tuple[str, object]]] = {}
    for key, value in picked:
        table, _, name = key.name.rpartition(".")
        tables.setdefault(table, []).append((name, value))
    blocks = [f"version: 1{draw(trailing())}"]
    for name, value in tables.pop("", []):
        blocks.append(f"{name}:{draw(spaces())}{written(value)}{draw(trailing())}")
    for table, entries in tables.items():
        indent = " " * draw(st.integers(1, 4))
        if draw(st.booleans()):
            inside = ", ".join(f"{name}: {written(value)}" for name, value in entries)
            blocks.append(f"{table}: {{{inside}}}{draw(trailing())}")
            continue
        lines = [f"{table}:{draw(trailing())}"]
        for name, value in entries:
            lines += [f"{indent}{line}" for line in draw(st.lists(st.just("# within"), max_size=1))]
            lines.append(f"{indent}{name}:{draw(spaces())}{written(value)}{draw(trailing())}")
        blocks.append("\n".join(lines))
    text = "\n".join(f"{block}\n{draw(COMMENTS)}" for block in draw(st.permutations(blocks)))
    return draw(COMMENTS) + "\n" + text + draw(st.sampled_from(["", "\n", "\n\n"]))


def spaces() -> st.SearchStrategy[str]:
    """Return what may stand behind a colon."""
    return st.sampled_from([" ", "   "])


def trailing() -> st.SearchStrategy[str]:
    """Return what may stand at the end of a line."""
    return st.sampled_from(["", "  # why", " #"])


def comments(text: str) -> Sequence[str]:
    """Return all comments of a text as an independent reader of YAML sees them."""
    scanner = YAML()
    found: list[str] = []
    for token in scanner.scan(io.StringIO(text)):
        for each in token.comment or ():
            found += [part.value for part in (each if isinstance(each, list) else [each]) if part is not None]
    return sorted(line.strip() for each in found for line in each.splitlines() if line.strip())


@given(files(), chosen())
@settings(max_examples=200)
def test_setting_a_key_keeps_every_comment_and_all_other_values(text: str, pair: tuple[Key, object]) -> None:
    """The oracle reads both texts by itself; each line but those of the key is the same."""
    key, value = pair
    after = put(text, key, value)
    before, found = yaml12.parse(text).table, yaml12.parse(after).table
    assert at(found, key) == (True, value)
    assert {name: at(found, other) for name, other in BY_NAME.items() if name != key.name} == {
        name: at(before, other) for name, other in BY_NAME.items() if name != key.name
    }
    assert comments(after) == comments(text)
    gone = [line for line in text.splitlines() if line not in after.splitlines()]
    assert len(gone) <= 1


@given(files(), st.sampled_from(KEYS))
@settings(max_examples=200)
def test_taking_a_key_out_keeps_every_line_of_comments_and_all_other_values(text: str, key: Key) -> None:
    """Only a comment on the line of the key, or of a table that is empty now, goes with it."""
    after = drop(text, key)
    before, found = yaml12.parse(text).table, yaml12.parse(after).table
    assert at(found, key) == (False, None)
    assert {name: at(found, other) for name, other in BY_NAME.items() if name != key.name} == {
        name: at(before, other) for name, other in BY_NAME.items() if name != key.name
    }
    whole = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    assert [line.strip() for line in after.splitlines() if line.strip().startswith("#")] == whole


@given(chosen())
@settings(max_examples=200)
def test_what_is_written_is_read_again_by_every_reader(pair: tuple[Key, object]) -> None:
    """Of YAML 1.2, as this one and ruamel.yaml, and of 1.1, as PyYAML."""
    text = f"a: {written(pair[1])}\n"
    oracle = YAML(typ="safe", pure=True)
    assert yaml12.parse(text).table == {"a": pair[1]}
    assert yaml.safe_load(text) == {"a": pair[1]}
    assert oracle.load(text) == {"a": pair[1]}


@given(st.lists(chosen(), unique_by=lambda pair: pair[0].name))
def test_any_settings_that_are_written_are_read_again(pairs: list[tuple[Key, object]]) -> None:
    """One after the other into a new file."""
    text = ""
    for key, value in pairs:
        text = put(text, key, value)
    assert [at(yaml12.parse(text).table, key) for key, _ in pairs] == [(True, value) for _, value in pairs]


def at(table: object, key: Key) -> tuple[bool, object]:
    """Return whether a table has a key, and its value."""
    for part in key.path:
        if not isinstance(table, dict) or part not in table:
            return False, None
        table = table[part]
    return True, table


def test_a_lost_comment_would_be_seen() -> None:
    """The oracle above finds comments of both kinds, and those alone."""
    text = 'a: 1  # x\n# y\nb: "# z"\n'
    assert comments(text) == ["# x", "# y"]
    assert comments(text.replace("  # x", "")) == ["# y"]
