"""The line of every key is found, in whatever way TOML or JSON is written."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.files import decode
from gemma_eval.files.locate import Lines, Path, toml_lines
from gemma_eval.files.tokens import Token, toml_tokens

SOME = settings(max_examples=60, deadline=None)

KEYS = st.from_regex(r"[a-z_-]{1,6}", fullmatch=True)
TEXTS = st.text(alphabet="ab \n\"'[]{}=,.#\\é", max_size=12)
SCALARS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(["true", "1.5", "-2e-3", "nan", "1979-05-27 07:32:00", "07:32:00", "0xff"]),
    TEXTS.map(json.dumps),
    TEXTS.filter(lambda text: "'" not in text and "\n" not in text).map(lambda text: f"'{text}'"),
    TEXTS.filter(lambda text: "'" not in text).map(lambda text: f"'''\n{text}'''"),
    TEXTS.map(lambda text: '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(
        lambda items: "[\n" + "".join(f" {i}, # [\n" for i in items) + "]"
    ),
    max_leaves=4,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """Return a TOML text and the lines of its keys, known because they are noted while it is written."""
    text = ""
    lines: dict[Path, int] = {}
    for index in range(draw(st.integers(1, 4))):
        lines["case", index] = text.count("\n") + 1
        text += "[[case]] # [not] = a header\n"
        for key in draw(st.lists(KEYS, unique=True, max_size=4)):
            text += draw(st.sampled_from(["", "\n", "# x = 1\n", "  "]))
            lines["case", index, key] = text.count("\n") + 1
            text += f"{key} = {draw(VALUES)}\n"
    return text, lines


def wrong_lines(found: Lines, known: dict[Path, int]) -> dict[Path, int]:
    """Return the paths whose line was found wrong."""
    return {path: found.at(path) for path, line in known.items() if found.at(path) != line}


@SOME
@given(documents())
def test_every_key_is_found_on_the_line_it_was_written_on(document: tuple[str, dict[Path, int]]) -> None:
    """The locator agrees with the writer of the text."""
    text, lines = document
    assert wrong_lines(toml_lines(toml_tokens(text)), lines) == {}


def test_a_line_that_is_off_by_one_is_noticed() -> None:
    """The comparison above can fail: tokens that all claim to be a line lower are wrong everywhere."""
    tokens = [Token(token.kind, token.text, token.line + 1) for token in toml_tokens("[[case]]\na = 1\n")]
    assert wrong_lines(toml_lines(tokens), {("case", 0): 1, ("case", 0, "a"): 2}) == {
        ("case", 0): 2,
        ("case", 0, "a"): 3,
    }


@SOME
@given(documents())
def test_every_path_that_toml_has_gets_a_line_of_its_own(document: tuple[str, dict[Path, int]]) -> None:
    """No key of the parsed text is left without a line, so the two agree on the structure too."""
    text, _ = document
    lines = toml_lines(toml_tokens(text))
    assert set(paths(tomllib.loads(text))) == set(lines.of)


def paths(value: object, at: Path = ()) -> list[Path]:
    """Return the path of everything inside of a value."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    own = [at] if at and at != ("case",) else []
    return (
        own
        + [("case",)] * (at == ("case",))
        + [path for key, item in inner for path in paths(item, (*at, key))]
    )


def test_dotted_keys_headers_and_inline_tables_are_followed() -> None:
    """Each way to nest in TOML leads to the same paths."""
    text = 'a.b = 1\n"q r".c = 2\n[t.u]\nx = {y = [\n  {z = 1},\n  {z = 2}]}\n[[t.v]]\n[t.v.w]\nk = 1\n'
    lines = toml_lines(toml_tokens(text))
    assert lines.at(("a", "b")) == 1
    assert lines.at(("q r", "c")) == 2
    assert lines.at(("t", "u", "x", "y", 1, "z")) == 6
    assert lines.at(("t", "v", 0, "w", "k")) == 9


def test_an_unknown_path_has_the_line_of_what_is_around_it() -> None:
    """A key that is missing is reported where its table begins."""
    lines = toml_lines(toml_tokens("\n[[case]]\nid = 'a'\n"))
    assert lines.at(("case", 0, "prompt")) == 2
    assert lines.at(("elsewhere",)) == 0


@SOME
@given(
    st.recursive(
        st.integers(), lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6
    )
)
def test_json_keys_are_found_on_the_lines_of_an_indented_text(value: object) -> None:
    """With one key per line the lines count up in the order of the keys."""
    text = json.dumps({"top": value}, indent=1)
    table, lines = decode.json_table(text)
    order = [path for path in paths(table) if path in lines.of]
    assert [text.splitlines()[lines.at(path) - 1].count(":") for path in order] == [
        text.splitlines()[lines.at(path) - 1].count(":") for path in sorted(order, key=lines.at)
    ]
    found = [lines.at(path) for path in order]
    assert found == sorted(found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("text", ['{"a": 1,\n "a": 2}', '{"a": {},\n "\\u0061": 2}'])
def test_a_json_key_that_is_given_twice_is_noted(text: str) -> None:
    """The parser would silently take the last one."""
    assert decode.json_table(text)[1].repeated == ((("a",), 2),)
