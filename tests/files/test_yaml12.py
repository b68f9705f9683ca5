"""YAML is read by the core schema of version 1.2, and what nobody needs to write is refused."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gemma_eval.files import yaml12, yaml_tree
from gemma_eval.files.read import ReadError

# YAML 1.2.2, section 10.3.2, example 10.9 "Core Tag Resolution", and the forms that its table allows.
PUBLISHED = (
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("", None),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("0", 0),
    ("0o7", 7),
    ("0x3A", 58),
    ("-19", -19),
    ("0.", 0.0),
    ("-0.0", -0.0),
    (".5", 0.5),
    ("+12e03", 12000.0),
    ("-2E+05", -200000.0),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
)
# Section 10.3.2: everything else is a text. These are what YAML 1.1, or a careless reader, takes for more.
TEXTS = (
    *(
        "no",
        "No",
        "NO",
        "yes",
        "on",
        "off",
        "y",
        "n",
        "nul",
        "tRUE",
        "12:30:00",
        "190:20:30",
        "1_000",
        "0b101",
    ),
    *(
        "-0o7",
        "+0x1",
        "0O7",
        "0X3A",
        "1e",
        "e5",
        ".",
        "+",
        "-.e5",
        ".iNf",
        "+.nan",
        "2026-11-29",
        "=",
        "<<",
        "1.2.3",
    ),
)


@pytest.mark.parametrize(("text", "value"), PUBLISHED)
def test_scalars_are_those_of_the_published_table(text: str, value: object) -> None:
    """Value and type; 1 is neither 1.0 nor true."""
    found = yaml12.parse(f"a: {text}").table["a"]
    assert (repr(found), type(found)) == (repr(value), type(value))


def test_not_a_number_is_a_float() -> None:
    """It equals nothing, so it has a test of its own."""
    found = [yaml12.value(text) for text in (".nan", ".NaN", ".NAN")]
    assert all(isinstance(each, float) and math.isnan(each) for each in found)


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_table_does_not_name_is_a_text(text: str) -> None:
    """As it was written."""
    assert yaml12.parse(f"a: {text}").table == {"a": text}


def test_octal_and_decimal_numbers_are_what_they_look_like() -> None:
    """In YAML 1.1 the first is 10, the second a text, and the third one, too."""
    assert yaml12.parse("a: 012\nb: 0o14\nc: 1e-5\n").table == {"a": 12, "b": 12, "c": 1e-5}


SCALARS = st.one_of(
    st.from_regex(r"[-+]?[0-9xoe._:+~nNyYtTfF]{0,7}", fullmatch=True),
    st.sampled_from([text for text, _ in PUBLISHED]),
    st.sampled_from(TEXTS),
    st.floats(allow_nan=False).map(repr),
    st.integers().map(str),
)


def differs(text: str, read: object) -> bool:
    """Whether ruamel.yaml, an independent reader of YAML 1.2, takes the text for another value."""
    oracle = YAML(typ="safe", pure=True)
    oracle.version = "1.2"
    other = oracle.load(f"a: {text}\n")["a"]
    return (repr(read), type(read)) != (repr(other), type(other))


# Where ruamel.yaml 0.19 takes more, or less, for a number or a date than the table of 1.2.2 does.
DEPARTS = re.compile(r"[-+]?[0-9.]*_[0-9._e]*|[-+]?0b[01]+|[-+]0[xo].*|[-+]\.[0-9]+e.*|[0-9]{4}-.*")


@given(SCALARS)
@example("012")
@example("1e-5")
@settings(max_examples=300)
def test_scalars_are_what_an_independent_reader_takes_them_for(text: str) -> None:
    """Where both can read the text at all."""
    try:
        read = yaml12.parse(f"a: {text}\n").table["a"]
        same = not differs(text, read)
    except (ReadError, YAMLError):
        return
    assert same or DEPARTS.fullmatch(text), text


def test_a_reader_of_yaml_1_1_is_told_from_one_of_1_2() -> None:
    """The comparison above sees the planted mistakes of PyYAML's own loader."""
    for text in ("no", "012", "12:30:00", "1e-5"):
        assert differs(text, yaml.safe_load(f"a: {text}")["a"])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'key "a" is given twice; keep one'),
        ("a: &x 1\nb: 2\n", 1, "&x names a value to repeat it; write the value out where it is repeated"),
        ("a: &x 1\nb: *x\n", 2, "*x repeats another value; write it out"),
        ("a:\n  b: !!int 1\n", 2, 'the tag "int" is not needed; leave it out'),
        ("a: !!python/name:os.system\n", 1, 'the tag "python/name:os.system" is not needed; leave it out'),
        ("a: ! x\n", 1, 'the tag "!" is not needed; leave it out'),
        ("a: !env HOME\n", 1, 'the tag "!env" is not needed; leave it out'),
        ("a:\n  <<: {b: 1}\n", 2, '"<<" takes in another table; write its keys out'),
        ("1: a\n", 1, 'the key "1" is a number; a key is a text, which quotes make of it'),
        ("true: a\n", 1, 'the key "true" is true or false; a key is a text, which quotes make of it'),
        ("~: a\n", 1, 'the key "~" is nothing; a key is a text, which quotes make of it'),
        ("? [a]\n: 1\n", 1, "a key is no plain text; write a name"),
        (f"a: {'9' * 5000}\n", 1, "is no number that can be read"),
    ],
)
def test_what_is_refused_has_its_line_and_says_what_would_be_right(text: str, line: int, what: str) -> None:
    """Whatever else the file holds."""
    found = yaml12.parse(text).refused
    assert (line, True) in [(at, what in said) for at, said in found]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: " + "[" * 100_000, "is nested deeper than 32 levels"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "is nested deeper than 32 levels"),
        ("- " * 100_000 + "a", "is nested deeper than 32 levels"),
        ("- a\n", "is not a table"),
        ("words\n", "is not a table"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: b: c\n", "is not YAML"),
        ("a: \x07\n", "is not YAML"),
        ("\ta: 1\n", "is not YAML"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_table_or_is_built_to_exhaust_is_one_error(text: str, what: str) -> None:
    """No recursion that ends the process."""
    with pytest.raises(ReadError, match=what):
        yaml12.parse(text)


def test_aliases_cannot_exhaust_memory() -> None:
    """They are refused, and read no further than a bound."""
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(ReadError, match="more than 200,000 values"):
        yaml12.parse(laughs)


@pytest.mark.parametrize("text", ["", "\n\n", "# only words\n", "---\n# words\n...\n"])
def test_a_text_without_a_value_is_an_empty_table(text: str) -> None:
    """A file in which everything is commented out is one."""
    assert yaml12.parse(text).table == {}


def test_every_key_and_element_has_its_line() -> None:
    """Comments and blank lines count."""
    lines = yaml12.parse("# a\nversion: 1\n\nchat:  # b\n  model: x\npaths: [a,\n  b]\n").lines.of
    places = {
        ("version",): 2,
        ("chat",): 4,
        ("chat", "model"): 5,
        ("paths",): 6,
        ("paths", 0): 6,
        ("paths", 1): 7,
    }
    assert {path: line for path, line in lines.items() if path} == places


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=9) | st.integers() | st.booleans()))
def test_without_the_c_parser_the_same_is_read(table: dict[str, object]) -> None:
    """PyYAML may have been built without libyaml."""
    text = yaml.safe_dump(table)
    in_python = yaml_tree._InPython(text, yaml12.DIALECT).get_single_node()
    in_c, _ = yaml_tree.compose(text, yaml12.DIALECT)
    assert yaml.serialize(in_python) == yaml.serialize(in_c)


@pytest.mark.parametrize("text", ["a: b", "a\nb: 1", "&x 1", "[1"])
def test_the_value_of_one_line_is_one_value(text: str) -> None:
    """What would be more, or no YAML, is an error."""
    with pytest.raises(ReadError):
        yaml12.value(text)
