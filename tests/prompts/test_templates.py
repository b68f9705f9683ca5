"""What a template can name, what a case gives to it, and what is said where these do not meet."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.cases.expand import trials
from gemma_eval.config import templates as files
from gemma_eval.errors import TemplateError, UsageError
from gemma_eval.executors.refusals import refused
from gemma_eval.prompts import check, templates
from gemma_eval.records import PROMPT_VARIABLES, Case, Cell, Message, Passage, Template
from gemma_eval.suite import load_suite
from tests.examples import a_case

PASSAGES = (Passage(id="1", text="Finn lives in Oslo.", document="people", score=1.0, rank=1),)
TURNS = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi"),
    Message(role="user", content="Where does Finn live?"),
)


def filled(text: str, case: Case | None = None, **fields: object) -> str:
    """Return what a template makes of a case with earlier turns."""
    case = a_case(messages=TURNS) if case is None else case
    template = Template(name="t", text=text, **fields)  # type: ignore[arg-type]
    return templates.fill(template, case, PASSAGES, model="gemma-3-1b")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ query }}", "Where does Finn live?"),
        ("{{ rag_context }}", "- Finn lives in Oslo."),
        ("{{ rag_recent }}", "user: Hello\nassistant: Hi"),
        (
            "{{ passages[0].number }} {{ passages[0].text }} {{ passages[0].document }}",
            "1 Finn lives in Oslo. people",
        ),
        (
            "{% for turn in history %}{{ turn.role }}={{ turn.content }};{% endfor %}",
            "system=Be brief.;user=Hello;assistant=Hi;",
        ),
        ("{{ model }}", "gemma-3-1b"),
    ],
)
def test_every_template_has_the_question_and_what_came_before_it(text: str, made: str) -> None:
    """By the names that the documentation lists."""
    assert filled(text) == made


def test_the_names_of_the_record_are_those_that_a_template_is_given() -> None:
    """So that what is refused as a clash is what there is."""
    given_to = templates.given(Template(name="t", text=""), a_case(now="2026-11-29"), PASSAGES, model="m")
    assert tuple(sorted(given_to)) == tuple(sorted(PROMPT_VARIABLES))


def test_variables_have_defaults_which_a_case_overrules() -> None:
    """A whole number is written without a point; `null` is no default."""
    text = "{{ tone }} {{ depth }} {{ length }} {{ words|join }}"
    own = {"tone": "formal", "depth": 0.25, "length": 3, "words": ("a", "b"), "topic": None}
    assert filled(text, variables=own) == "formal 0.25 3 ab"
    case = a_case(variables={"depth": 0.5, "length": 7.0}, texts={"tone": "short"})
    assert filled(text, case, variables=own) == "short 0.5 7 ab"


def test_a_time_is_that_of_the_case_or_there_is_none() -> None:
    """No template reads a clock."""
    assert filled("{{ now }}", a_case(now="2026-11-29T12:00")) == "2026-11-29T12:00"
    with pytest.raises(TemplateError, match='line 1: unknown variable "now"'):
        filled("{{ now }}")


@pytest.mark.parametrize("text", ["", " \n\t", "{% if false %}x{% endif %}", "{{ query[:0] }}", "{# x #}"])
def test_an_empty_prompt_is_never_asked(text: str) -> None:
    """A template of 0 bytes, half of one, and one that writes nothing end as errors of the template."""
    with pytest.raises(TemplateError, match=r'^template "t": it makes an empty prompt'):
        filled(text)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,6}_v", fullmatch=True), st.text(max_size=20), max_size=4),
    st.dictionaries(st.from_regex(r"[a-z]{1,6}_v", fullmatch=True), st.text(max_size=20), max_size=4),
)
def test_a_value_is_text_whatever_it_says(own: dict[str, str], of_case: dict[str, str]) -> None:
    """Jinja2 in a variable is shown and not run, and a case's value stands before a default."""
    names = sorted({**own, **of_case})
    text = "".join(f"[{{{{ {name} }}}}]" for name in names) + "."
    expected = "".join(f"[{ {**own, **of_case}[name] }]" for name in names) + "."
    assert filled(text, a_case(texts=of_case), variables=own) == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (Template(name="t", text=" \n"), 'template "t": it is blank; a model would be asked nothing'),
        (Template(name="t", text="{{ qery }}"), 'line 1: unknown variable "qery"; did you mean "query"?'),
        (
            Template(name="t", text="{{ tome }}", variables={"tone": "x"}, first_lines={"": 5}),
            'template "t": line 5: unknown variable "tome"; did you mean "tone"?',
        ),
        (
            Template(
                name="t",
                text="{% include 'p.md' %}",
                parts={"p.md": "\n{{ qery }}"},
                first_lines={"p.md": 4},
            ),
            'template "t": p.md: line 5: unknown variable "qery"',
        ),
        (
            Template(name="t", text="{% include 'p.md' %}", parts={"p.md": "{{ x|nofilter }}"}),
            "template \"t\": p.md: line 1: No filter named 'nofilter'.",
        ),
        (
            Template(
                name="t", text="{% include 'p.md' %}", parts={"p.md": "{% if %}"}, first_lines={"p.md": 9}
            ),
            'template "t": p.md: line 9: Expected an expression',
        ),
        (Template(name="t", text="\n{% include 'p.md' %}"), 'line 2: there is no part "p.md"'),
        (Template(name="t", text="{{ query }}", variables={"query": "x"}), 'a variable is "query", which'),
    ],
)
def test_what_is_wrong_with_a_template_is_said_before_it_is_used(template: Template, said: str) -> None:
    """With the part, and the line of the file."""
    with pytest.raises(TemplateError) as caught:
        check.check(template)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{% for passage in passages %}{% include 'p.md' %}{% endfor %}",
        "{% set passage = passages[0] %}{% include 'p.md' %}",
        "{% macro m(passage) %}{% include 'p.md' %}{% endmacro %}{{ query }}",
    ],
)
def test_a_part_may_name_what_the_text_around_it_sets(text: str) -> None:
    """The variable of a loop, for one."""
    check.check(Template(name="t", text=text, parts={"p.md": "{{ passage.text }}"}))


def test_passages_are_looked_for_when_a_part_shows_them() -> None:
    """Also where a template gives them another value first."""
    shows = templates.uses_retrieval
    assert shows(Template(name="t", text="{% include 'p.md' %}", parts={"p.md": "{{ rag_context }}"}))
    assert shows(Template(name="t", text="{% set passages = passages[:1] %}{{ query }}"))
    assert not shows(Template(name="t", text="{{ query }}", parts={"p.md": "{{ rag_context }}"}))


CASE = '[[case]]\nid = "c"\nprompt = "Where?"\nchecks = [{scorer = "contains", text = "x"}]\n'


def a_suite(folder: Path, *, template: str, defaults: str = "", case: str = "") -> Path:
    """Write a suite with one case and the template that it uses."""
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "t.md").write_text(template)
    head = f'[defaults]\nmodels = ["pocket"]\nprofiles = ["greedy"]\ntemplates = ["t"]\n{defaults}\n'
    path = folder / "s.toml"
    path.write_text(head + CASE + case)
    return path


def cells(path: Path) -> tuple[Cell, ...]:
    """Return the cells of a suite."""
    return load_suite(path, plugins.load())[1]


def test_a_case_gives_numbers_texts_and_a_time(tmp_path: Path) -> None:
    """Numbers are charted as before; texts and the time stand beside them, and in the key of a trial."""
    template = "---\nvariables: {tone: formal}\n---\n{{ tone }} {{ depth }} {{ now }}"
    keys = set()
    for defaults, case, now in (
        ("now = 2026-11-29", "", "2026-11-29"),
        ('now = "2026-11-29T12:00+01:00"', "", "2026-11-29T12:00+01:00"),
        ("now = 2026-11-29", "now = 2026-11-30T08:00:00Z", "2026-11-30T08:00:00+00:00"),
    ):
        variables = '\nvariables = {depth = 2, tone = "short"}\n'
        path = a_suite(tmp_path, template=template, defaults=defaults, case=variables + case)
        (cell,) = cells(path)
        assert (cell.case.variables, cell.case.texts) == ({"depth": 2.0}, {"tone": "short"})
        assert cell.case.now == now
        assert templates.fill(cell.template, cell.case, ()) == f"short 2 {now}"
        keys.add(trials(cell)[0].key)
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("template", "case", "said"),
    [
        (
            "{{ now }} {{ query }}",
            "",
            's.toml:6: case "c": the template "t" uses now; give the suite a now, as now = "2026-11-29",',
        ),
        (
            "---\nvariables: {topic: null}\n---\n{{ topic }} {{ query }}",
            "",
            'case "c": the template "t" needs the variable "topic"; give it, as variables = { topic = "…" }',
        ),
        (
            "---\nvariables: {tone: formal}\n---\n{{ tone }} {{ query }}",
            'variables = {tome = "short"}',
            'case "c": no template of the case names the variable "tome"; did you mean "tone"?',
        ),
        (
            "{{ query }}",
            'variables = {model = "x"}',
            'variables has a key that is "model", which every template',
        ),
        ("{{ query }}", 'variables = {tone = "x"}', 'no template of the case names the variable "tone"'),
        ("{{ query }} {{ tone }}", "variables = {depth = 1}", 't": line 1: unknown variable "tone"'),
        ("{{ query }}", "now = 12:00:00", "now is 12:00:00; give a date or a time with one"),
        ("{{ query }}", 'now = "yesterday"', 'now is "yesterday"; give a date or a time with one'),
        ("{{ query }}", "now = 5", "now is 5; give a date"),
        ("\n", "", 'template "t": it is blank'),
        ("{% include 'p.md' %}", "", 't.md:1: there is no part "p.md"'),
    ],
)
def test_what_a_template_lacks_is_said_before_anything_runs(
    tmp_path: Path, template: str, case: str, said: str
) -> None:
    """At the line of the case, with what would be right."""
    with pytest.raises(UsageError) as caught:
        cells(a_suite(tmp_path, template=template, case=case))
    assert said in str(caught.value)


def test_a_name_that_another_case_gives_is_no_slip(tmp_path: Path) -> None:
    """It is known, and the case without it is told."""
    path = a_suite(tmp_path, template="{{ query }} {{ tone }}", case='variables = {tone = "short"}\n')
    assert len(cells(path)) == 1
    path.write_text(path.read_text() + CASE.replace('"c"', '"d"'))
    with pytest.raises(UsageError, match='case "d": the template "t" needs the variable "tone"'):
        cells(path)


def test_rows_of_a_dataset_fill_the_variables_of_their_case(tmp_path: Path) -> None:
    """A text is a template over the columns, as all texts of the case are."""
    (tmp_path / "rows.jsonl").write_text(
        '{"q": "Where?", "t": "short", "n": 3}\n{"q": "Who?", "t": "long", "n": 4}\n'
    )
    more = 'dataset = {path = "rows.jsonl"}\nvariables = {tone = "{{ t }}!", depth = "{{ n }}"}\n'
    path = a_suite(tmp_path, template="{{ query }} {{ tone }} {{ depth }}", case=more)
    path.write_text(path.read_text().replace('prompt = "Where?"', 'prompt = "{{ q }}"'))
    found = cells(path)
    assert [templates.fill(each.template, each.case, ()) for each in found] == [
        "Where? short! 3",
        "Who? long! 4",
    ]
    assert [each.case.variables for each in found] == [{"depth": 3.0}, {"depth": 4.0}]


def test_a_template_that_is_for_other_models_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """By the name of the model, of which `*` stands for anything."""
    registry = plugins.load()
    for globs, is_for in (("[pocket]", True), ('["po*"]', True), ('["gemma-3*", pock]', False), ("[]", True)):
        path = a_suite(tmp_path, template=f"---\nmodels: {globs}\n---\n{{{{ query }}}}")
        reasons = refused(cells(path), registry)
        assert (reasons == {}) == is_for
        if not is_for:
            assert list(reasons.values()) == ['the template "t" is for gemma-3* and pock']


def test_one_template_of_a_folder_may_be_broken_where_another_is_used(tmp_path: Path) -> None:
    """What nobody uses is not run; `gemma-eval templates lint` says it."""
    path = a_suite(tmp_path, template="{{ query }}")
    (tmp_path / "templates" / "torn.md").write_text("{% if ")
    assert [cell.template.name for cell in cells(path)] == ["t"]
    assert set(files.load(tmp_path / "templates")) == {"t", "torn"}
