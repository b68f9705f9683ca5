"""YAML is read as plain data: no tag means anything, nothing is run, and nothing exhausts the reader."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.files.read import ReadError
from gemma_eval.importers import yaml_file

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), PLAIN, min_size=1, max_size=4))
@settings(max_examples=60)
def test_plain_data_is_read_as_pyyaml_reads_it(table: dict[str, object]) -> None:
    """The differential oracle is `yaml.safe_load`."""
    text = yaml.safe_dump(table)
    written = yaml_file.parse(text)
    assert written.table == yaml.safe_load(text) == table
    assert written.refused == ()


def test_each_value_has_the_line_on_which_it_stands() -> None:
    """Keys, elements of lists, and keys of tables in lists."""
    written = yaml_file.parse("a: 1\n\nb:\n  - x\n  - c: 2\n    d: 3\n")
    places = {("a",): 1, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5, ("b", 1, "d"): 6}
    assert {path: line for path, line in written.lines.of.items() if path} == places


@pytest.mark.parametrize(
    "value",
    [
        "!function os.system",
        "!function utils.process_docs",
        "!!python/object/apply:os.system ['touch hacked']",
        "!!python/object:os.Foo {}",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1, 2]",
        "!!binary aGFjaw==",
        "!!set {a, b}",
        "!include other.yaml",
        "!env HOME",
    ],
)
def test_a_tag_is_refused_with_its_line_and_nothing_is_run(
    value: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a key, a list or a table alike; all of them are told at once."""
    monkeypatch.chdir(str(tmp_path))
    written = yaml_file.parse(f"task: x\ndoc_to_text: {value}\nlist:\n  - {value}\n")
    assert [line for line, _ in written.refused] == [2, 4]
    assert written.table["doc_to_text"] is None
    assert not list(__import__("pathlib").Path().iterdir())


def test_python_code_is_called_that() -> None:
    """The commonest tag of task files has a message of its own."""
    (_, what), *_ = yaml_file.parse("a: !function utils.f\n").refused
    assert what == (
        '"!function utils.f" is Python code of the task, and an import runs none; it cannot be carried over'
    )


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LAUGHS, "has more than 200,000 values"),
        ("a: &a [*a]\n", "is nested deeper than 32 levels"),
        ("a: " + "[" * 100_000, "is nested deeper than 32 levels"),
        ("a: " + "{b: " * 40 + "1" + "}" * 40, "is nested deeper than 32 levels"),
        ("- a\n- b\n", "is not a table"),
        ("just words\n", "is not a table"),
        ("", "is not a table"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: [1\n", "is not YAML"),
        ("a: *nobody\n", "is not YAML"),
        ("a: \x07\n", "is not YAML"),
        ("? [x, y]\n: 1\n? {z: 1}\n: 2\n: *\n", "is not YAML"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_table_or_is_built_to_exhaust_is_one_error(text: str, what: str) -> None:
    """No traceback of the parser, no memory that grows, no recursion that ends the process."""
    with pytest.raises(ReadError, match=what):
        yaml_file.parse(text)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\na: 2\n", 2, 'key "a" is given twice; keep one'),
        ("b: &b {c: 1}\na:\n  <<: *b\n", 3, '"<<" takes in another table; write its keys out'),
        ("? [x]\n: 1\n", 1, "a key is no plain text; write its keys out"),
        (f"a: {'9' * 5000}\n", 1, "is no number that can be read"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(text: str, line: int, what: str) -> None:
    """The rest of the file is read all the same."""
    found = yaml_file.parse(text).refused
    assert [each for each, _ in found] == [line]
    assert what in found[0][1]


def test_a_date_is_the_text_that_was_written() -> None:
    """YAML 1.1 takes it for more; a prompt or a name means the text."""
    assert yaml_file.parse("a: 2024-01-02\nb: =\n").table == {"a": "2024-01-02", "b": "="}


def test_an_alias_stands_for_what_it_names() -> None:
    """As long as it does not make too much of it."""
    assert yaml_file.parse("a: &x [1, 2]\nb: *x\n").table == {"a": [1, 2], "b": [1, 2]}
