"""`gemma-eval templates`, used as a person would."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli import command
from gemma_eval.config import models
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import UsageError
from gemma_eval.measure.clock import clock
from gemma_eval.plugins import load
from gemma_eval.prompts import chat
from gemma_eval.records import Message, Trial
from gemma_eval.stages import load_backend, stages
from gemma_eval.suite import load_suite

CASE = "harbour-emil-works"

TONE = """---
version: "2"
description: Asks in a tone.
variables:
  tone: formal
  topic: null
models: ["po*"]
---
{{ tone }} {{ topic }}: {{ query }}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, as a user who has chosen nothing."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GEMMA_EVAL_CONFIG", str(tmp_path / "user"))
    return folder


def run(*arguments: str, code: int = 0) -> Result:
    """Run the command with these arguments."""
    result = CliRunner().invoke(command(load()), ["templates", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def write(folder: Path, **files: str) -> Path:
    """Write templates beside what is worked on; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / "templates" / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "templates"


def refusal(*arguments: str) -> str:
    """Return the one line with which a mistake ends."""
    with pytest.raises(UsageError) as caught:
        run(*arguments)
    assert len(str(caught.value).splitlines()) == 1, caught.value
    return str(caught.value)


def test_templates_are_listed_with_what_they_say_and_where_they_are_from(here: Path) -> None:
    """What overrules a shipped one, what it is for, and which variables it has to be given."""
    write(here, tone=TONE, plain="{{ query }}!")
    lines = [" ".join(line.split()) for line in run("list").stdout.splitlines()]
    assert lines[0] == "template version passages variables models from"
    assert "plain all templates/plain.md" in lines
    assert "tone 2 tone=formal, topic (needed) po* templates/tone.md Asks in a tone." in lines
    assert any(line.startswith("rag 1 yes all built-in The passages") for line in lines)
    found = {each["name"]: each for each in json.loads(run("list", "--json").stdout)}
    assert found["tone"]["variables"] == {"tone": "formal", "topic": None}
    assert (found["rag"]["shows_passages"], found["tone"]["shows_passages"]) == (True, False)
    assert [Path(path).name for path in found["plain"]["overrules"]] == ["plain.md"]
    assert (found["plain"]["layer"], found["rag"]["layer"]) == ("suite", "built-in")


def test_a_template_is_shown_with_its_parts(here: Path) -> None:
    """As the files have them."""
    write(here, t='{% include "parts/head.md" %}{{ query }}', parts__head="You are brief.\n")
    assert run("show", "t").stdout == (
        "templates/t.md:\n"
        '{% include "parts/head.md" %}{{ query }}\n'
        "templates/parts/head.md:\nYou are brief.\n"
    )
    assert json.loads(run("show", "t", "--json").stdout)["parts"] == {"parts/head.md": "You are brief.\n"}


def test_what_is_wrong_with_all_templates_is_said_at_once(here: Path) -> None:
    """Each with its file and line, and warnings apart."""
    write(
        here,
        lost='{% extends "_base.md" %}\ntext\n{% block other %}{% endblock %}{% block body %}a{% endblock %}',
        _base="{% block body %}{% endblock %}",
        blank="\n",
        typo='---\nversion: "1"\nvariables: {tone: x, unused: y}\n---\n\n{{ tome }}{{ tone }}',
        torn="---\nversion: 1.0\n---\nx",
        inner="{{ query.__class__ }}{{ query.format(1) }}{{ query['_x'] }}",
        bos="<bos>{{ query }}<end_of_turn>",
        part='{% include "haed.md" %}',
        silent="{% if passages|length > 7 %}{{ query }}{% endif %}",
        fine='---\nvariables: {depth: null}\nmodels: ["absent-*"]\n---\n{{ depth * 2 }}{{ query }}',
    )
    (here / "templates" / "twice.md").write_text("{{ query }}")
    (here / "templates" / "twice.jinja").write_text("{{ query }}")
    *said, last = run("lint", code=2).stdout.splitlines()
    expected = [
        "blank.md: it is blank; a model would be asked nothing",
        "bos.md:1: writes <bos>, and so does the chat template of the model: it would be read",
        "bos.md:1: warning: writes <end_of_turn>, which the chat template of the model writes around",
        'fine.md:1: warning: is for models that are called "absent-*", and none is',
        'inner.md:1: "__class__" cannot be reached: names that begin with _ are no data',
        'inner.md:1: "_x" cannot be reached: names that begin with _ are no data',
        'inner.md:1: the method "format" is not allowed',
        "lost.md:2: this text is never shown: of a template that extends _base.md, its blocks are",
        'lost.md:3: the block "other" is never shown: _base.md has none of that name',
        'part.md:1: there is no part "haed.md"',
        "silent.md: a trial rendering fails: it makes an empty prompt, and a model is not asked nothing",
        "torn.md:2: version is 1.0; write it in quotes, for 1.10 and 1.1 are one number",
        "twice.md: there is twice.jinja as well, and both are one template; keep one",
        'typo.md:1: warning: the variable "unused" is declared and never used',
        'typo.md:6: unknown variable "tome"; did you mean "tone"?',
    ]
    assert len(said) == len(expected), said
    unsaid = [each for each in expected if not any(line.startswith(f"templates/{each}") for line in said)]
    assert unsaid == []
    assert last == "14 templates: 12 problems, 3 warnings"


def test_some_templates_are_looked_at_where_they_are_named(here: Path) -> None:
    """By name or path; what ships has nothing to mend, and warnings alone end well."""
    folder = write(here, t="{{ qery }}", warned="---\nvariables: {x: 1}\n---\n{{ query }}")
    assert run("lint", "plain", "rag", "rag-cited").stdout == "3 templates: 0 problems, 0 warnings\n"
    assert run("lint", "warned").stdout.endswith("1 template: 0 problems, 1 warning\n")
    elsewhere = here / "other.md"
    elsewhere.write_text("{{ query }}")
    assert run("lint", str(elsewhere)).stdout == "1 template: 0 problems, 0 warnings\n"
    found = json.loads(run("lint", "--json", "t", code=2).stdout)
    assert found == [
        {
            "file": str(folder / "t.md"),
            "line": 1,
            "kind": "problem",
            "what": 'unknown variable "qery"; did you mean "query"?',
        }
    ]


def test_mistakes_end_in_one_line(here: Path) -> None:
    """With what would be right."""
    write(here, tone=TONE)
    assert 'no template named "tome"; did you mean "tone"?' in refusal("show", "tome")
    assert 'no template named "tome"' in refusal("lint", "tome")
    assert "write NAME=VALUE" in refusal("render", "tone", "--var", "tone")
    assert 'is "query", which every template has' in refusal("render", "tone", "--var", "query=x")
    assert "names no case; write SUITE::CASE" in refusal("render", "plain", "--case", "smoke")
    assert 'no case named "capitol"' in refusal("render", "plain", "--case", "smoke::capitol")
    assert "give --case or --query" in refusal("render", "plain", "--case", "a::b", "--query", "x")
    assert 'no model named "pocked"' in refusal("render", "plain", "--model", "pocked")
    assert "cannot be a name" in refusal("new", "a b")


ASKED = "Context:\n[1] Finn lives in Oslo.\n\nQuestion: Where does Finn live?\nAnswer and cite the passage."


def test_a_prompt_is_shown_with_the_tokens_of_each_section() -> None:
    """Together they are those of the whole prompt, counted by the model's own tokenizer."""
    given = ("--query", "Where does Finn live?", "--passage", "Finn lives in Oslo.", "--json")
    made = json.loads(run("render", "rag-cited", *given).stdout)
    pocket = models.load(suites_directory() / "models.toml")["pocket"]
    with closing(load_backend(pocket, load(), clock=clock)) as engine:
        asked = [Message(role="user", content=ASKED)]
        assert made["text"] == chat.render(engine.chat_template or "", asked)
        assert made["tokens"] == engine.count_tokens(made["text"])
        before, question, _ = made["text"].partition("Where does Finn live?")
        lengths = [engine.count_tokens(text) or 0 for text in (before, before + question)]
        assert made["sections"]["question"] == lengths[1] - lengths[0] > 0
    assert sum(made["sections"].values()) == made["tokens"]
    assert "".join(piece["text"] for piece in made["pieces"]) == made["text"]
    of = {piece["text"]: piece["section"] for piece in made["pieces"]}
    assert of["Where does Finn live?"] == "question"
    assert of["Finn lives in Oslo."] == "passages"
    assert any("Answer and cite" in text and section == "template" for text, section in of.items())
    assert any("<start_of_turn>user" in text and section == "markup" for text, section in of.items())


def test_a_prompt_is_shown_as_the_model_reads_it() -> None:
    """In its markup, with a table of what takes how much."""
    shown = run("render", "rag").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "section tokens share" in lines
    assert any(line.startswith("total ") for line in lines)
    assert any(line.endswith("of the context of pocket, 2,048 tokens") for line in lines)
    raw = run("render", "rag", "--raw").stdout
    assert raw.startswith("<bos><start_of_turn>user\n")
    assert shown.startswith(raw.rstrip("\n"))


def test_the_prompt_of_a_case_is_what_a_run_asks() -> None:
    """With the passages that are found for it."""
    made = json.loads(run("render", "rag", "--case", f"standard::{CASE}", "--json").stdout)
    registry = load()
    _, cells = load_suite(suites_directory() / "standard.toml", registry)
    cell = next(each for each in cells if (each.case.id, each.template.name) == (CASE, "rag"))
    trial = Trial(cell=cell, repeat=0, seed=0)
    with closing(load_backend(cell.model, registry, clock=clock)) as engine:
        stage = stages(registry, engine)
        prompt = stage.build_prompt(trial, stage.retrieve(trial))
    assert made["text"] == prompt.text
    assert "Context:" in made["text"]


def test_what_a_template_changes_on_its_way_is_not_told_apart(here: Path) -> None:
    """Sections are told only where they are sure: here each letter of the question stands alone."""
    write(here, t="{% for letter in query %}{{ letter }}-{% endfor %}")
    shown = run("render", "t").stdout
    assert "what comes from where cannot be told" in shown
    assert json.loads(run("render", "t", "--json").stdout)["sections"] is None


def test_a_template_is_begun_with_a_file_that_explains_itself(here: Path, tmp_path: Path) -> None:
    """It lints clean, renders, and is never written over another one."""
    assert run("new", "mine").stdout.startswith(".gemma-eval/templates/mine.md: try it with")
    assert run("lint", "mine").stdout == "1 template: 0 problems, 0 warnings\n"
    assert "Answer in a warm tone." in run("render", "mine", "--raw", "--var", "tone=warm").stdout
    before = (here / ".gemma-eval/templates/mine.md").read_text()
    assert "mine.md: exists; give another name" in refusal("new", "mine")
    (here / "templates").mkdir(exist_ok=True)
    (here / "templates" / "near.jinja").write_text("{{ query }}")
    said = run("new", "near").stdout
    assert said == ".gemma-eval/templates/near.md: templates/near.jinja overrules it here\n"
    assert (here / ".gemma-eval/templates/mine.md").read_text() == before
    run("new", "other", "--user")
    assert (tmp_path / "user" / "templates" / "other.md").is_file()
