"""Templates are read from a folder with their front matter and the parts that they name, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_eval.config import front_matter, shipped, template_parts, templates
from gemma_eval.errors import ConfigError, TemplateError
from gemma_eval.prompts import parts as prompt_parts
from gemma_eval.prompts import sandbox
from gemma_eval.prompts.templates import fill
from gemma_eval.records import Message, Passage, Template
from tests.examples import a_case

WHOLE = """---
name: tone
version: "1.2"
description: Asks in a tone.
variables:
  tone: formal
  length: 3
  brief: true
  words: [yes, no]
  topic: null
models: ["gemma-3*", pocket]
---
{{ tone }}: {{ query }}
"""


def write(folder: Path, **files: str) -> Path:
    """Write Markdown files into a folder; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    """Return what is wrong with a folder, a line each, without the folder."""
    with pytest.raises(ConfigError) as caught:
        templates.load(folder)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_front_matter_says_what_a_template_is_and_the_rest_is_its_text(tmp_path: Path) -> None:
    """Every key of it, with the types that YAML 1.2 gives: `no` is a text there."""
    found = templates.load(write(tmp_path, tone=WHOLE))
    assert found == {
        "tone": Template(
            name="tone",
            text="{{ tone }}: {{ query }}\n",
            version="1.2",
            description="Asks in a tone.",
            variables={
                "tone": "formal",
                "length": 3,
                "brief": True,
                "words": ("yes", "no"),
                "topic": None,
            },
            models=("gemma-3*", "pocket"),
            first_lines={"": 13},
        )
    }


def test_a_file_of_either_kind_may_be_nothing_but_a_text(tmp_path: Path) -> None:
    """`.jinja` never has front matter, and `.md` need not."""
    (tmp_path / "a.jinja").write_text("---\n{{ query }}")
    (tmp_path / "b.md").write_text("{{ query }}\n---\n")
    (tmp_path / "README.md").write_text('about {% include "this" %}')
    found = templates.load(tmp_path)
    assert found["a"] == Template(name="a", text="---\n{{ query }}")
    assert found["b"] == Template(name="b", text="{{ query }}\n---\n")
    assert set(found) == {"a", "b"}


def test_a_text_may_begin_with_the_mark_that_ends_front_matter(tmp_path: Path) -> None:
    """The second line of three dashes ends it, and what follows is text; front matter may be empty."""
    write(tmp_path, rule="---\n---\n---\n{{ query }}", crlf="---\r\nversion: '2'\r\n--- \r\n{{ query }}\r\n")
    found = templates.load(tmp_path)
    assert found["rule"].text == "---\n{{ query }}"
    assert (found["crlf"].version, found["crlf"].text) == ("2", "{{ query }}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nname: t\n{{ query }}", "t.md:1: the front matter does not end; close it with a line ---"),
        ("---\n", "t.md:1: the front matter does not end; close it with a line ---"),
        ("---\nversoin: '1'\n---\nx", 't.md:2: unknown key "versoin"; did you mean "version"?'),
        ("---\n\nversion: 1.10\n---\n", "t.md:3: version is 1.1; write it in quotes, for 1.10 and 1.1"),
        ("---\nversion: []\n---\n", "t.md:2: version is []; give a text"),
        ("---\nname: other\n---\n", 't.md:2: name is "other", and the file is t.md; the file\'s name'),
        ("---\nname: a b\n---\n", 't.md:2: name is "a b", which cannot be a name'),
        ("---\ndescription: ''\n---\n", "t.md:2: description is empty"),
        ("---\nvariables: [a]\n---\n", 't.md:2: variables is ["a"]; it should be a table'),
        (
            "---\nvariables:\n  query: x\n---\n",
            'variables has a name that is "query", which every template has',
        ),
        (
            "---\nvariables:\n  a-b: x\n---\n",
            'variables has a name that is "a-b", which cannot be a variable',
        ),
        ("---\nvariables:\n  a: {}\n---\n", "t.md:3: variables.a is {}; an option is a text, a number"),
        ("---\nmodels: gemma\n---\n", 't.md:2: models is "gemma"; it should be a list'),
        ("---\nversion: '1'\nversion: '2'\n---\n", 't.md:3: key "version" is given twice; keep one'),
        ("---\nversion: !!python/object:os.system x\n---\n", "t.md:2: the tag"),
        ("---\na: &a [x]\n---\n", "t.md:2:"),
        ("---\n" + "a: " + "[" * 90 + "\n---\n", "t.md:2: is nested deeper than"),
        ("---\nname: [\n---\n", "is not YAML"),
        ("---\njust words\n---\n", "is not a table"),
    ],
)
def test_what_is_wrong_with_front_matter_has_its_line(tmp_path: Path, text: str, said: str) -> None:
    """One line: where, what, and what would be right."""
    first, *_ = problems(write(tmp_path, t=text))
    assert said in first
    assert first.startswith("t.md:")


def test_one_name_is_one_template_of_a_folder(tmp_path: Path) -> None:
    """Of two files nobody could say which one was meant."""
    write(tmp_path, twice="x")
    (tmp_path / "twice.jinja").write_text("y")
    assert problems(tmp_path) == [
        'twice.md: there is twice.jinja as well, and both are the template "twice"; keep one'
    ]


def test_a_template_has_the_parts_that_can_be_reached_from_it_and_no_others(tmp_path: Path) -> None:
    """So that its hash tells of these alone; what is below a folder, or begins with _, is only a part."""
    write(
        tmp_path,
        a='{% include "parts/head.md" %}{{ query }}',
        b='{% extends "_base.md" %}',
        parts__head='{%- include "parts/deep/er.md" -%}',
        parts__deep__er="deep",
        parts__unused="{{ nothing }}",
        _base='{% import "parts/deep/er.md" as er %}{% from "parts/head.md" import x with context %}',
    )
    found = templates.load(tmp_path)
    assert set(found) == {"a", "b"}
    assert set(found["a"].parts) == {"parts/head.md", "parts/deep/er.md"}
    assert set(found["b"].parts) == {"_base.md", "parts/head.md", "parts/deep/er.md"}
    before = {name: each.sha256 for name, each in found.items()}
    write(tmp_path, parts__unused="changed")
    assert {name: each.sha256 for name, each in templates.load(tmp_path).items()} == before
    write(tmp_path, _base='{% import "parts/deep/er.md" as er %}')
    after = {name: each.sha256 for name, each in templates.load(tmp_path).items()}
    assert (after["a"], after["b"] == before["b"]) == (before["a"], False)


def test_the_front_matter_of_a_part_is_no_text_of_it_and_gives_its_defaults(tmp_path: Path) -> None:
    """A template's own defaults win over those of what it extends."""
    write(
        tmp_path,
        base='---\nvariables:\n  tone: warm\n  end: "!"\n---\n{{ tone }} {{ query }}{{ end }}',
        mine='---\nvariables: {tone: cold}\n---\n{% extends "base.md" %}',
    )
    found = templates.load(tmp_path)["mine"]
    assert found.variables == {"tone": "cold", "end": "!"}
    assert fill(found, a_case(), ()) == "cold Where does Finn live?!"


def test_what_a_comment_or_raw_text_says_is_no_part(tmp_path: Path) -> None:
    """Neither is what an expression quotes."""
    quiet = (
        """{# {% include "a.md" %} #}{% raw %}{% include "b.md" %}{% endraw %}{{ '{% include "c.md" %}' }}"""
    )
    assert templates.load(write(tmp_path, t=quiet))["t"].parts == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("parts/haed.md", 'there is no part "parts/haed.md"; did you mean "parts/head.md"?'),
        ("../secret.md", "is no name of a part; give a path below the folder of the template, without .."),
        ("parts/../t.md", "is no name of a part"),
        ("./parts/head.md", "is no name of a part"),
        ("parts//head.md", "is no name of a part"),
        ("/etc/passwd", "is no name of a part"),
        ("~/x.md", "is no name of a part"),
        ("parts\\\\head.md", "is no name of a part"),
        ("c:x.md", "is no name of a part"),
        ("notes.txt", '"notes.txt" is no name of a part; a part ends in .md or .jinja'),
        ("link.md", '"link.md" leads out of the folder of the template'),
        ("linked/secret.md", '"linked/secret.md" leads out of the folder of the template'),
        ("t.md", '"t.md" names itself in the end: t.md → t.md'),
        ("round.md", '"round.md" names itself in the end: round.md → parts/back.md → round.md'),
        ("latin.md", "is not UTF-8 here"),
        ("torn.md", "the front matter does not end"),
    ],
)
def test_a_part_is_a_file_below_the_folder_and_nothing_else(tmp_path: Path, name: str, said: str) -> None:
    """Each is refused with the file and the line that ask for it."""
    folder = write(
        tmp_path / "templates",
        t=f'---\nversion: "1"\n---\n\n{{% include "{name}" %}}',
        round='{% include "parts/back.md" %}',
        parts__head="head",
        parts__back='{% include "round.md" %}',
        torn="---\nversion: '1'\n",
    )
    (folder / "latin.md").write_bytes(b"\xff")
    (tmp_path / "secret.md").write_text("secret")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "linked").symlink_to(tmp_path)
    wrong = problems(folder)
    assert any(said in line for line in wrong), wrong
    if name not in ("latin.md", "torn.md", "round.md"):
        assert any(line.startswith("t.md:5: ") and said in line for line in wrong), wrong


def test_links_within_the_folder_are_followed_as_kubernetes_makes_them(tmp_path: Path) -> None:
    """A mounted folder has its files behind a link that is swapped."""
    version = tmp_path / "..2026_11_29"
    write(version, t='{% include "head.md" %}{{ query }}', head="head ")
    (tmp_path / "..data").symlink_to(version.name)
    for name in ("t.md", "head.md"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert templates.load(tmp_path)["t"].parts == {"head.md": "head "}


def test_parts_go_eight_deep(tmp_path: Path) -> None:
    """More is refused where it is asked for, and so is a ring, before anything recurses."""
    chain = {f"p{n}": f'{{% include "p{n + 1}.md" %}}' for n in range(9)} | {"p9": "end"}
    wrong = problems(write(tmp_path, **chain))
    assert wrong == ['p8.md:1: "p9.md" is more than 8 parts deep; make one part of some of them']
    write(tmp_path, p8="end")
    assert len(templates.load(tmp_path)["p0"].parts) == 8


def test_an_error_in_a_part_names_the_part_and_the_line_of_its_file(tmp_path: Path) -> None:
    """Front matter counts: an editor shows the lines of files."""
    write(
        tmp_path,
        t='{% include "parts/bad.md" %}',
        own="---\nversion: '1'\n---\n\n{{ 1 / query }}",
        parts__bad="---\nversion: '1'\n---\n\n{{ query / 2 }}",
    )
    found = templates.load(tmp_path)
    with pytest.raises(TemplateError, match=r'^template "t": parts/bad\.md: line 5: "/" of str and int'):
        fill(found["t"], a_case(), ())
    with pytest.raises(TemplateError, match=r'^template "own": line 5: "/" of int and str'):
        fill(found["own"], a_case(), ())


PIECES = (
    "{% include 'a.md' %}",
    '{%- extends "b.md" -%}',
    "{% import 'c.md' as c %}",
    '{% from "d.md" import x, y as z without context %}',
    "{% include 'e.md' ignore missing with context %}",
    "{# {% include 'no.md' %} #}",
    "{% raw %}{% include 'no.md' %}{% endraw %}",
    "{%- raw -%}{{ {% {%- endraw %}",
    "{{ '{% include \"no.md\" %}' }}",
    "{% set x = 'include \"no.md\"' %}",
    "{{ {'a': {'b': 1}}['a'].b }}",
    "{% if '%}' == \"'\" %}{% endif %}",
    "{%include'f.md'%}",
    "{%+ include\n\n 'g.md'\n%}",
    "text { % include 'no.md' % }",
    "\n",
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
@example("".join(PIECES))
def test_parts_are_found_as_jinja_finds_them(text: str) -> None:
    """The scan that needs no Jinja2 is held against the tree that Jinja2 makes."""
    tree = sandbox.parse("t", text)
    expected = sorted((each.name, each.line) for each in prompt_parts.asked(tree))
    assert sorted((name, line) for name, line in template_parts.references(text)) == expected


def test_the_oracle_notices_what_a_plain_search_would_find() -> None:
    """A planted error: looking for `include` anywhere finds what a comment says."""
    assert list(template_parts.references(PIECES[5])) == []
    assert "include" in PIECES[5]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="-\nab: '\"[]{}%#&*!é\r", max_size=40))
def test_any_text_is_a_template_or_a_problem_with_a_line(text: str) -> None:
    """Nothing else comes of a file that is half written."""
    path = Path("t.md")
    try:
        made = front_matter.parse(text, path=path, name="t")
    except ConfigError as error:
        assert all(problem.line >= 1 for problem in error.problems)  # noqa: PT017 - either way is right
    else:
        assert text.endswith(made.text)


def test_a_text_that_is_built_to_exhaust_the_scan_is_read_once() -> None:
    """Tags that do not end are looked at once, not once for each of them."""
    assert list(template_parts.references("{%a" * 21_000)) == []
    assert list(template_parts.references("{% include 'a.md" * 4_000)) == []
    assert list(template_parts.references("{{ '" * 16_000)) == []


SHIPPED = {
    "plain": "840e68f446a0832feb46373d06ed239edf1d341632485cda95fd79b0e484d9d1",
    "rag": "7c543f9ab83aa7c13305146974760b8872b57c5555b0035b288040fa42e84947",
    "rag-cited": "5de7f579436d91e76104c6b11c88384f763b50f101bea80eeb00ec7eaa63174f",
}
"""What the shipped templates hashed to before they had front matter."""


def test_the_shipped_templates_say_what_they_are_and_ask_what_they_ever_asked() -> None:
    """Their hash is that of their text alone, so that results of earlier versions compare."""
    found = templates.load(shipped.suites_directory() / "templates")
    assert {name: each.sha256 for name, each in found.items()} == SHIPPED
    assert all(each.version and each.description for each in found.values())
    passage = Passage(id="1", text="Finn lives in Oslo.", document="d", score=1.0, rank=1)
    case = a_case(messages=(Message(role="user", content="Where?"),))
    assert {name: fill(each, case, (passage,)) for name, each in found.items()} == {
        "plain": "Where?",
        "rag": "Context:\n- Finn lives in Oslo.\n\nQuestion: Where?",
        "rag-cited": "Context:\n[1] Finn lives in Oslo.\n\nQuestion: Where?\nAnswer and cite the passage.",
    }


def test_a_file_that_nobody_may_read_is_said(tmp_path: Path) -> None:
    """A part that is a pipe is no file, and nothing waits for it."""
    os.mkfifo(tmp_path / "pipe.md")
    assert problems(write(tmp_path, t='{% include "pipe.md" %}')) == [
        "pipe.md: is not a regular file",
        't.md:1: there is no part "pipe.md"; known: t.md',
    ]


def test_a_template_that_breaks_off_at_any_byte_never_asks_nothing(tmp_path: Path) -> None:
    """Half of a file is an error of the file or of the template, or it asks with what it has."""
    whole = (
        "---\nversion: '1'\nvariables: {tone: f\u00f6rmal}\n---\n"
        "{% if tone %}\n{{ tone }}: {% include 'p.md' %}{% endif %}{{ query }}\n"
    ).encode()
    (tmp_path / "p.md").write_text("please ")
    path, asked = tmp_path / "t.md", set()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        try:
            asked.add(fill(templates.read(path), a_case(), ()))
        except (ConfigError, TemplateError) as error:
            assert str(error)  # noqa: PT017 - either way is right
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        templates.read(path)
    assert "f\u00f6rmal: please Where does Finn live?" in asked
    assert all(text.strip() for text in asked)
