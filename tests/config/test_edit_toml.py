"""An edit of TOML changes what it is asked to; comments and all other bytes stay."""

from __future__ import annotations

import copy
import tomllib
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gemma_eval.config import shipped
from gemma_eval.config.edit_inline import literal, written
from gemma_eval.config.edit_toml import _first_right, drop, put
from gemma_eval.config.same import same
from gemma_eval.errors import UsageError

Table = dict[str, Any]

NAMES = st.from_regex(r"[a-z0-9_.+-]{1,6}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3)
OPTIONS = st.dictionaries(NAMES, VALUES, max_size=3)
COMMENTS = st.sampled_from(["", "", "\n", "# a note\n", "\n# two\n# lines\n", "  # indented [model.no]\n\n"])


@st.composite
def models(draw: st.DrawFn) -> Table:
    """Draw one model."""
    model: Table = {"backend": draw(NAMES), "location": draw(TEXT)}
    if draw(st.booleans()):
        model["context_tokens"] = draw(st.integers(1, 9999))
    if draw(st.booleans()):
        model["options"] = draw(OPTIONS)
    return model


@st.composite
def files(draw: st.DrawFn) -> tuple[str, Table]:
    """Draw a file of models, in one of the many ways in which it can be written, and what it says."""
    table: Table = {"version": 1, "model": draw(st.dictionaries(NAMES, models(), max_size=3))}
    text = f"{draw(COMMENTS)}version = 1{draw(_TAILS)}\n"
    for name, model in table["model"].items():
        text += draw(_section(name, model))
    text += draw(COMMENTS)
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    return (text.replace("\n", "\r\n") if draw(st.booleans()) else text), table


_TAILS = st.sampled_from(["", "", "  # why", "\t"])


@st.composite
def _section(draw: st.DrawFn, name: str, model: Table) -> str:
    quoted = draw(st.sampled_from([written(name), f'"{name}"']))
    text = f"{draw(COMMENTS)}{draw(st.sampled_from(['', ' ']))}[model . {quoted}]{draw(_TAILS)}\n"
    below = ""
    for key, value in model.items():
        text += draw(COMMENTS)
        if not isinstance(value, dict):
            text += f"{key}={literal(value)}{draw(_TAILS)}\n"
            continue
        way = draw(st.sampled_from(["inline", "tight", "dotted", "header"]))
        if way == "inline" or not value:
            text += f"{key} = {literal(value)}{draw(_TAILS)}\n"
        elif way == "tight":
            pairs = ",".join(f"{written(key)}={literal(part)}" for key, part in value.items())
            text += f"{key} = {{{pairs}}}\n"
        elif way == "dotted":
            text += "".join(f"{key}.{written(part)} = {literal(value[part])}\n" for part in value)
        else:
            below += f"{draw(COMMENTS)}[model.{quoted}.{key}]\n"
            below += "".join(f"{written(part)} = {literal(value[part])}{draw(_TAILS)}\n" for part in value)
    return text + below


def comments(text: str) -> Counter[str]:
    """Return the lines that are comments."""
    return Counter(line.strip() for line in text.splitlines() if line.strip().startswith("#"))


@given(files(), NAMES, models())
def test_a_model_that_is_added_and_dropped_leaves_the_bytes_of_before(
    file: tuple[str, Table], name: str, model: Table
) -> None:
    """It is read again as it was given, stands at the end, and adding it twice is adding it once."""
    text, table = file
    assume(name not in table["model"])
    edited = put(text, ("model", name), model)
    assert same(tomllib.loads(edited), table | {"model": table["model"] | {name: model}})
    assert edited.startswith(text)
    assert put(edited, ("model", name), model) == edited
    assert drop(edited, ("model", name)) == text


@given(files(), models(), st.data())
def test_a_model_that_is_put_anew_is_read_again_and_every_comment_stays(
    file: tuple[str, Table], model: Table, data: st.DataObject
) -> None:
    """Also where options were in a table of their own."""
    text, table = file
    assume(bool(table["model"]))
    name = data.draw(st.sampled_from(list(table["model"])))
    edited = put(text, ("model", name), model)
    wanted = copy.deepcopy(table)
    wanted["model"][name] = model
    assert same(tomllib.loads(edited), wanted)
    assert put(edited, ("model", name), model) == edited
    if set(model) >= set(table["model"][name]):
        assert comments(edited) == comments(text)


@given(files(), NAMES, VALUES, st.data())
def test_an_option_that_is_put_is_read_again_and_dropping_it_gives_the_bytes_of_before(
    file: tuple[str, Table], key: str, value: object, data: st.DataObject
) -> None:
    """Inline, in dotted keys or under a header of their own; no line of another table is touched."""
    text, table = file
    assume(bool(table["model"]))
    name = data.draw(st.sampled_from(list(table["model"])))
    options = table["model"][name].get("options", {})
    edited = put(text, ("model", name, "options", key), value)
    wanted = copy.deepcopy(table)
    wanted["model"][name].setdefault("options", {})[key] = value
    assert same(tomllib.loads(edited), wanted)
    assert comments(edited) == comments(text)
    assert put(edited, ("model", name, "options", key), value) == edited
    again = drop(edited, ("model", name, "options", key))
    if key not in options and options:
        assert again == text
    elif key not in options:
        assert same(tomllib.loads(again)["model"][name].get("options", {}), {})


@given(files(), st.data())
def test_a_model_that_is_dropped_is_gone_and_no_other_line_is(
    file: tuple[str, Table], data: st.DataObject
) -> None:
    """What stands before it, and all after it, keeps its bytes; comments between tables stay."""
    text, table = file
    assume(len(table["model"]) > 1)
    name = data.draw(st.sampled_from(list(table["model"])))
    edited = drop(text, ("model", name))
    wanted = copy.deepcopy(table)
    del wanted["model"][name]
    assert same(tomllib.loads(edited), wanted)
    assert not Counter(edited.splitlines()) - Counter(text.splitlines())
    assert drop(edited, ("model", name)) == edited


HEAD = "version = 1\n\n# mine\n"


@pytest.mark.parametrize(
    "text",
    [
        f'{HEAD}[model]\nm = {{ backend = "b", location = "l" }} # here\nn = {{ backend = "c" }}\n',
        f'{HEAD}[model]\nm.backend = "b" # here\nm.location = "l"\nn.backend = "c"\n',
        f'{HEAD}model.m.backend = "b" # here\nmodel.m.location = "l"\nmodel.n.backend = "c"\n',
        f'{HEAD}[model.m]\nbackend = """\nb""" # here\nlocation = \'\'\'l\'\'\'\n[model.n]\nbackend = "c"\n',
        f'{HEAD}[model.n]\nbackend = "c"\n[model.m]\nbackend = "b" # here\nlocation = "l"',
        f'{HEAD}[model]\n[model.m]\nbackend = "b" # here\nlocation = "l"\n[model.n]\nbackend = "c"\n',
    ],
    ids=["inline", "dotted", "dotted from the top", "long texts", "no line end", "with an empty header"],
)
def test_every_way_to_write_a_model_can_be_edited(text: str) -> None:
    """Its keys, its options, the next model, and itself; notes stay."""
    before = tomllib.loads(text)
    edited = put(text, ("model", "m", "backend"), "z")
    assert edited == text.replace('"b"', '"z"').replace('"""\nb"""', '"z"')
    edited = put(text, ("model", "m", "options", "threads"), 2)
    assert tomllib.loads(edited)["model"]["m"] == before["model"]["m"] | {"options": {"threads": 2}}
    assert ("# mine" in edited, "# here" in edited) == (True, True)
    edited = put(text, ("model", "o"), {"backend": "d"})
    assert tomllib.loads(edited)["model"] == before["model"] | {"o": {"backend": "d"}}
    assert ("# mine" in edited, "# here" in edited) == (True, True)
    edited = drop(text, ("model", "m"))
    assert tomllib.loads(edited) == {"version": 1, "model": {"n": {"backend": "c"}}}
    assert "# mine" in edited


def test_the_models_that_ship_are_edited_to_the_letter() -> None:
    """Options that are there, options that are not, and a table under a header of its own."""
    text = (shipped.suites_directory() / "models.toml").read_text()
    edited = put(text, ("model", "pocket-llama-cpp", "options", "threads"), 4)
    assert edited == text.replace("{ parallel = 16 }", "{ parallel = 16, threads = 4 }")
    edited = put(text, ("model", "minilm", "options", "threads"), 4)
    assert edited == text.replace('"@minilm"\n', '"@minilm"\noptions = { threads = 4 }\n')
    edited = put(text, ("model", "pocket-yarn-all", "rope_scaling", "factor"), 8.0)
    assert edited == "8.0\nori".join(text.rsplit("4.0\nori", 1))


def test_what_is_no_table_is_not_written_over() -> None:
    """Nor what is in an array of tables, of which nobody knows which is meant."""
    with pytest.raises(UsageError, match=r"model\.m is no table, and nothing can be put into it"):
        put("model.m = 1", ("model", "m", "backend"), "b")
    with pytest.raises(UsageError, match="model is no table"):
        put("[[model]]\na = 1\n", ("model", "m"), {"backend": "b"})


def test_an_edit_that_says_something_else_is_never_given_out() -> None:
    """Each is read again; the next way is tried, and where none is right that is said."""
    ways = [lambda: "a = 2\n", lambda: "a =", lambda: "a = 1 # right\n"]
    assert _first_right([{"a": 1}], ways, what="a").text == "a = 1 # right\n"
    with pytest.raises(UsageError, match="a is written in a way that cannot be edited by rule"):
        _first_right([{"a": 1.0}], ways, what="a")


def test_the_law_of_the_bytes_can_fail() -> None:
    """Reading and writing again, as most programs do, would lose the notes."""
    import tomli_w

    text = f'{HEAD}[model.m]\nbackend = "b"\n'
    assert comments(tomli_w.dumps(tomllib.loads(text))) != comments(text)
