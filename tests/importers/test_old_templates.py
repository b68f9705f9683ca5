"""A template in single braces becomes one that asks the same, or what it cannot become is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.cli import command
from gemma_eval.config import front_matter
from gemma_eval.errors import ConfigError, UsageError
from gemma_eval.importers.old_templates import convert
from gemma_eval.plugins import load
from gemma_eval.prompts import check, templates
from gemma_eval.records import Passage, Template
from tests.examples import a_case

OLD = """---
name: coding
version: 1.0.2
description: "Helps: with code"
author: GEMMA
tags: [code, help]
variables: [language, style]
created: 2025-10-01
---
You write {language}.{% if style %}
Style: {style}{% endif %}
Answer as JSON: {"code": {"lang": "{language}", "n": {}}} and {foo}.
{% if rag_context %}
Context:
{rag_context}
{% else %}
{% if not rag_recent %}nothing{% endif %}
{% endif %}
  {% if style %}{# no comment #}{% endif %}
{{"a": 1}} {query}
"""
PASSAGES = (Passage(id="1", text="Finn lives in Oslo.", document="d", score=1.0, rank=1),)


def converted(text: str) -> Template:
    """Return the template that an old one becomes, as it is read."""
    made = convert(text, path=Path("old.md"))
    return front_matter.parse(made.text, path=Path(f"{made.name}.md"), name=made.name)


def test_a_template_is_carried_over_with_its_words_about_itself() -> None:
    """What has no place in front matter stays there as a comment."""
    made = convert(OLD, path=Path("old.md"))
    assert made.name == "coding"
    assert made.notes == ("line 12: {foo} stays as it is written, for no variable of that name is declared",)
    template = converted(OLD)
    assert (template.version, template.description) == ("1.0.2", "Helps: with code")
    assert template.variables == {"language": None, "style": ""}
    head = made.text.split("---\n")[1]
    for comment in ('# "author": "GEMMA"', '# "tags": ["code", "help"]', '# "created": "2025-10-01"'):
        assert comment in head.splitlines()
    check.check(template)


def test_it_asks_what_the_old_one_meant() -> None:
    """Braces of JSON stay, conditions nest, and lines end where they ended."""
    case = a_case(texts={"language": "Python", "style": "terse"})
    assert templates.fill(converted(OLD), case, PASSAGES) == (
        "You write Python.\nStyle: terse\n"
        'Answer as JSON: {"code": {"lang": "Python", "n": {}}} and {foo}.\n'
        "\nContext:\n- Finn lives in Oslo.\n\n"
        "  {# no comment #}\n"
        '{{"a": 1}} Where does Finn live?'
    )
    bare = templates.fill(converted(OLD), a_case(texts={"language": "C"}), ())
    assert bare == (
        'You write C.\nAnswer as JSON: {"code": {"lang": "C", "n": {}}} and {foo}.\n'
        "\nnothing\n\n  \n"
        '{{"a": 1}} Where does Finn live?'
    )


def test_a_template_that_declares_nothing_has_a_variable_for_each_brace() -> None:
    """And one that never names the question gets it at its end: a model would not be asked else."""
    made = convert("You are {role}, {% if mood %}{mood}{% endif %}.\n", path=Path("helper.md"))
    assert made.name == "helper"
    assert made.notes == ("it names no {query}, so the question was added at its end",)
    template = front_matter.parse(made.text, path=Path("helper.md"), name="helper")
    assert template.variables == {"role": None, "mood": ""}
    assert templates.fill(template, a_case(texts={"role": "kind"}), ()) == (
        "You are kind, .\n\nWhere does Finn live?"
    )


def test_defaults_are_carried_over_however_they_were_given() -> None:
    """As a table, or as a list of tables."""
    for variables in ("{tone: warm, n: 3}", "[{name: tone, default: warm}, {name: n, default: 3}]"):
        template = converted(f"---\nvariables: {variables}\n---\n{{tone}} {{n}} {{query}}")
        assert template.variables == {"tone": "warm", "n": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for x in y %}{query}{% endfor %}", 'old.md:1: "{% for x in y %}" cannot be carried over'),
        ("a\n{% if x %}{query}", "old.md:2: {% if %} has no {% endif %}"),
        ("{query}{% endif %}", 'old.md:1: "{% endif %}" cannot be carried over'),
        ("{query}{% else %}", "cannot be carried over; there are if, else and endif"),
        ("{% if a == b %}{query}{% endif %}", '"{% if a == b %}" cannot be carried over'),
        ("{query}\n{% if", "old.md:2: {% has no %} after it"),
        ("---\nname: a b\n---\n{query}", 'the name is "a b", which cannot be a name'),
        ("---\nname: a\n\n{query}", "old.md:1: the front matter does not end"),
        ("---\nname: [\n---\n{query}", "is not YAML"),
        ("---\nname: !!python/name:os.system x\n---\n{query}", "old.md:2: the tag"),
        (
            "---\nname: a\n---\n\n{{ query }}",
            'old.md:5: "{{ query }}" is no mark of this format; write {query}',
        ),
        ("---\nvariables: 3\n---\n{query}", "variables should be a list of names"),
        ("---\nvariables: [[a]]\n---\n{query}", "is no name with a text"),
        ("{loop} {query}", 'old.md:1: the variable is "loop", which cannot be a variable'),
    ],
)
def test_what_cannot_be_carried_over_is_named_with_its_line(text: str, said: str) -> None:
    """Each of them, and nothing comes of the file."""
    with pytest.raises(ConfigError) as caught:
        convert(text, path=Path("old.md"))
    assert said in str(caught.value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="ab {}%#\"'\\\n-", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.sampled_from([None, 1, 2]))
def test_json_survives(value: object, indent: int | None) -> None:
    """Whatever braces it has, but for those that are marks of the format itself."""
    text = json.dumps(value, indent=indent)
    if "{%" in text or "{a" in text or "{b" in text:
        return
    made = templates.fill(converted(f"{{query}}\n{text}|"), a_case(), ())
    assert made == f"Where does Finn live?\n{text}|"


def test_the_oracle_notices_braces_that_are_taken_for_marks() -> None:
    """A planted error: replacing each brace by two loses JSON."""
    text = '{"a": {"b": {}}}'
    wrong = Template(name="t", text=text.replace("{", "{{").replace("}", "}}"))
    with pytest.raises(Exception, match='template "t"'):
        templates.fill(wrong, a_case(), ())


def run(*arguments: str) -> Result:
    """Run the command with these arguments."""
    return CliRunner().invoke(command(load()), ["import", "template", *arguments], catch_exceptions=False)


def test_a_file_becomes_a_template_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is not written over, and nothing is written where something cannot be carried over."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMMA_EVAL_CONFIG", str(tmp_path / "user"))
    Path("old.md").write_text(OLD)
    done = run("old.md")
    assert (done.stdout, "note: line 12:" in done.stderr) == (".gemma-eval/templates/coding.md\n", True)
    with pytest.raises(UsageError, match="exists; give another --name, or --replace to replace it"):
        run("old.md")
    assert run("old.md", "--replace", "--name", "coding").exit_code == 0
    assert run("old.md", "--user").stdout.endswith("user/templates/coding.md\n")
    assert run("old.md", "--out", "there", "--name", "other").stdout == "there/other.md\n"
    Path("there/old.jinja").write_text("{{ query }}")
    with pytest.raises(UsageError, match="exists; give another --name, or remove it first"):
        run("old.md", "--out", "there", "--name", "old", "--replace")
    Path("bad.md").write_text("{% for x in y %}")
    with pytest.raises(ConfigError):
        run("bad.md")
    assert not Path(".gemma-eval/templates/bad.md").exists()
    assert set(Path("there").glob("*.md")) == {Path("there/other.md")}
