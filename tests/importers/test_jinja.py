"""A template that is carried over makes here what Jinja2 made of it there, line ends and all."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.importers import jinja
from gemma_eval.prompts import sandbox

THEIRS = jinja2.Environment(  # noqa: S701 - texts, and no HTML
    keep_trailing_newline=True, undefined=jinja2.StrictUndefined
)
"""As lm-evaluation-harness sets it up: lm_eval/utils.py, version 0.4.13."""

PIECES = (
    *("a", " ", "\n", "\n\n", "  ", "{{ x }}", "{{- x }}", "{{ x -}}", "{# c #}", "{#- c -#}", "'", "\\"),
    *("{% if x %}", "{%- if x -%}", "{% endif %}", "{%- endif %}", "{% endif -%}", "{%+ if x +%}"),
    *("{% raw %}{{ y }}\n{% endraw %}", "{% raw -%} {# {%- endraw %}", "{{ '{%' }}", "}}", "%}", "\r\n"),
)


def ours(template: str) -> str:
    """Render the carried template in the sandbox of this package."""
    return sandbox.render("t", jinja.whole(jinja.carried(template)), {"x": "X"})


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@settings(max_examples=300)
def test_a_carried_template_makes_what_it_made(template: str) -> None:
    """The differential oracle is Jinja2 itself, without this package's trimming."""
    try:
        wanted = THEIRS.from_string(template).render(x="X")
    except jinja2.TemplateSyntaxError:
        return
    assert ours(template) == wanted


@given(st.lists(st.sampled_from(PIECES), max_size=4).map("".join))
@settings(max_examples=100)
def test_a_carried_template_takes_nothing_away_of_others(template: str) -> None:
    """Where templates are joined, each makes what it makes alone."""
    try:
        wanted = THEIRS.from_string(template).render(x="X")
        joined = f"{{{{ x }}}}\n \n{jinja.carried(template)}\n  {{{{ x }}}}"
    except jinja2.TemplateSyntaxError:
        return
    assert sandbox.render("t", joined, {"x": "X"}) == f"X\n \n{wanted}\n  X"


@pytest.mark.parametrize("template", ["a\n", "{% if x %}\nb{% endif %}", "  {# c #}\n"])
def test_a_template_that_is_not_carried_makes_something_else(template: str) -> None:
    """So the comparison above can fail."""
    assert sandbox.render("t", template, {"x": "X"}) != THEIRS.from_string(template).render(x="X")


@given(st.text(alphabet="{}%#- \n\0'\"\\ab", max_size=12))
@settings(max_examples=200)
def test_a_literal_makes_itself(text: str) -> None:
    """Whatever braces are in it."""
    assert sandbox.render("t", jinja.whole(jinja.literal(text)), {}) == text


@pytest.mark.parametrize(
    ("template", "expression"),
    [
        ("{{ [a, b] }}", "[a, b]"),
        ("{{- a -}}", "a"),
        ("{{ {'a': 1} }}", "{'a': 1}"),
        ("{{ '}}' }}", "'}}'"),
        ("{{ a }} ", None),
        ("{{ a }}{{ b }}", None),
        ("{% if a %}{% endif %}", None),
        ("a", None),
        ("", None),
        ("{{ }}", None),
    ],
)
def test_one_expression_is_told_from_a_text(template: str, expression: str | None) -> None:
    """Its value can be a list; that of a text cannot."""
    assert (jinja.expression(template) or None) == expression


def test_the_names_that_a_template_reads_are_known() -> None:
    """Those of loops and of `set` are its own."""
    text = "{{ a.b }}{% for x in c %}{{ x }}{% endfor %}{% set d = e %}{{ d }}"
    assert jinja.names(text) == {"a", "c", "e"}
    assert jinja.leaks(text)
    assert not jinja.leaks("{% for x in c %}{{ x }}{% endfor %}")
