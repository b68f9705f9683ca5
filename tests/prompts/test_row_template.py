"""Texts over the columns of a row are filled as Jinja2 fills them, also where that is done without it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import sandbox
from gemma_eval.prompts.check import check
from gemma_eval.prompts.row_template import RowTemplate, compile_row
from gemma_eval.records import Template

Plain = sandbox.Plain


def template(text: str) -> RowTemplate:
    """Return a template that has something to fill."""
    made = compile_row("t", text)
    assert isinstance(made, RowTemplate)
    return made


def value(text: str, **row: object) -> object:
    """Fill a text with a row."""
    return template(text).value(row)


pieces = st.sampled_from(
    ["{{ a }}", "{{b}}", "{{- a }}", "{{ a -}}", "{# no #}", "x", " ", "\n", "{ ", "}", "é"]
)
scalars = (
    st.text(max_size=5)
    | st.integers(-(2**70), 2**70)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=100, deadline=None)
@given(text=st.lists(pieces, max_size=8).map("".join), a=scalars, b=scalars)
def test_names_in_text_are_filled_as_jinja2_fills_them(text: str, a: Plain, b: Plain) -> None:
    """But for the line end of the last line, which Jinja2 drops and which is kept here."""
    row: dict[str, Plain] = {"a": a, "b": b}
    made = compile_row("t", f"{text}|")
    if isinstance(made, RowTemplate):
        assert made.value(row) == sandbox.render("t", f"{text}|", row)
        whole = template(f"{text}|\n").value(row)
        assert whole == f"{made.value(row)}\n"
    else:
        assert made == sandbox.render("t", made, row)


def test_a_difference_to_jinja2_would_be_noticed() -> None:
    """Where a name in text is filled with something else."""
    assert value("{{ a }}|", a="x") != sandbox.render("t", "{{ a }}|", {"a": "y"})


def test_a_text_without_a_place_to_fill_stays_what_it_is() -> None:
    """Whatever its braces and line ends."""
    assert compile_row("t", "{a} } { \n") == "{a} } { \n"


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("{{ a }}", {"a": [1, "x", None]}, [1, "x", None]),
        ("{{ a }}", {"a": None}, None),
        ("{{ a }}", {"a": 1.5}, 1.5),
        ("{{ a.b }}", {"a": {"b": 7}}, 7),
        ("{{ a[1] }}", {"a": ["x", "y"]}, "y"),
        ("{{ a + 1 }}", {"a": 2}, 3),
        ("{{ a | length }}", {"a": "xyz"}, 3),
        ("{{ a | reject('equalto', 'x') }}", {"a": ["x", "y"]}, ["y"]),
        ("{{ [a, b] }}", {"a": "1", "b": 2}, ["1", 2]),
        ("{{ a }} ", {"a": 1}, "1 "),
        ("{{ a }}{{ b }}", {"a": 1, "b": 2}, "12"),
        ("{% for x in a %}{{ x }};{% endfor %}", {"a": ["x", "y"]}, "x;y;"),
        ("{% if a %}yes{% else %}no{% endif %}\n", {"a": 0}, "no\n"),
        ("{{ a | default('?') }}", {}, "?"),
        ("{{ a | default('?', true) }}!", {"a": None}, "?!"),
    ],
)
def test_an_expression_alone_has_its_value_and_others_their_text(
    text: str, row: Mapping[str, object], expected: object
) -> None:
    """So that a row may give a number, or a list of choices."""
    assert template(text).value(row) == expected


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("{{ a }} {{ b.c }}", {"a", "b"}),
        ("{% for x in a %}{{ x }}{% endfor %}", {"a"}),
        ("{{ a | default('') }}{{ b }}", {"b"}),
        ("{% if a is defined %}{{ a }}{% endif %}", set()),
        ("{{ range(3) | join }}", set()),
    ],
)
def test_the_columns_that_are_needed_are_known_beforehand(text: str, needed: set[str]) -> None:
    """But for those whose absence the template asks about or makes up for."""
    assert template(text).needed == needed


@pytest.mark.parametrize(
    ("text", "row", "said"),
    [
        ("{{ a }}!", {"b": 1}, 'template "t": unknown variable "a"; known: b'),
        ("{{ quetsion }}", {"question": 1}, 'unknown variable "quetsion"; did you mean "question"?'),
        ("{{ a }}!", {"a": None}, "a null is no text"),
        ("{% if true %}{{ a }}{% endif %}", {"a": None}, "a null is no text"),
        ("{{ a }}!", {"a": [1]}, "a list cannot be printed; use join or tojson"),
        ("{{ a.b }}", {"a": {}}, "has no attribute 'b'"),
        ("{{ a.__class__ }}", {"a": "x"}, "not allowed"),
        ("{{ 'x' * a }}", {"a": 10**9}, "is not allowed"),
        ("{% for x in range(9999) %}{% for y in range(9999) %}{% endfor %}{% endfor %}", {}, "loop turns"),
        ("{{ a ~ a }}", {"a": "x" * (1 << 20)}, "makes more than 1,048,576 characters"),
        ("{{ a }}{{ a }}", {"a": "x" * (1 << 20)}, "makes more than 1,048,576 characters"),
    ],
)
def test_what_cannot_be_filled_is_one_typed_error(text: str, row: Mapping[str, object], said: str) -> None:
    """The limits of every template hold for these, each time one is filled."""
    with pytest.raises(TemplateError) as error:
        template(text).value(row)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["{{ a", "{% if a %}", "{{ a | nofilter }}", "{{ " + "(" * 500 + "}}"])
def test_what_is_no_template_is_refused_when_it_is_compiled(text: str) -> None:
    """Before any row is read."""
    with pytest.raises(TemplateError, match='template "t"'):
        compile_row("t", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ a.__class__ }}", 'template "t": not allowed'),
        ("{{ 'x' * a }}", 'template "t": line 1: "*" of str and int'),
        ("{{\n'x' * a }}", 'template "t": line 2: "*" of str and int'),
    ],
)
def test_an_expression_alone_is_wrong_on_a_line_of_its_text(text: str, said: str) -> None:
    """And not on one of the code that it is compiled to."""
    with pytest.raises(TemplateError) as error:
        template(text).value({"a": 10**9, "b": {}})
    assert str(error.value).startswith(said)


def test_a_filter_that_there_is_not_has_its_place_once() -> None:
    """Jinja2 puts a place of its own into the text of an error."""
    with pytest.raises(TemplateError) as error:
        compile_row("t", "a\n{{ a | nofilter }}")
    assert str(error.value) == "template \"t\": line 2: No filter named 'nofilter'."


def test_a_limit_is_for_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one row uses up is not taken from the next."""
    made = template("{% for x in a %}{{ x }}{% endfor %}")
    for _ in range(20):
        assert made.value({"a": ["x"] * 9_000}) == "x" * 9_000


def test_a_filter_that_there_is_not_is_refused_in_prompt_templates_too() -> None:
    """Parsing does not find it."""
    with pytest.raises(TemplateError, match="No filter named 'nofilter'"):
        check(Template(name="t", text="{{ query | nofilter }}"))
