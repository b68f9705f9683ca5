"""A suite file becomes a Suite, or a list of all that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.cases.editor_schema import suite_schema
from gemma_eval.cases.load import load
from gemma_eval.errors import SuiteError, UsageError
from gemma_eval.records import Check, Document, Message, Retrieval, Source
from tests.cases.suites import CASE, DEFAULTS, NAMES, look, read, said

WHOLE = """
[suite]
name = "whole"
description = "All keys."

[defaults]
models = ["pocket"]
profiles = ["greedy", "hot"]
templates = ["plain"]
repeats = 2
max_tokens = 9
seed = 7
tags = ["all"]

[retrieval]
retriever = "bm25"
top_k = 3
budget_tokens = 99

[[case]]
id = "one"
messages = [
  {role = "system", content = "Be short."},
  {role = "user", content = "Hi"},
  {role = "assistant", content = "Hello"},
  {role = "user", content = "Where?"},
]
documents = ["docs/people.md", {text = "Ada."}, {name = "b", text = "Ben."}]
checks = [{scorer = "contains", any = ["x", "y"], pass_at = 0.5}, {scorer = "contains", text = "z"}]
tags = ["own", "all"]
cluster = "people"
models = ["big"]
repeats = 1

[[case]]
id = "two"
kind = "benchmark"
prompt = "Go on."
max_tokens = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one document."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "people.md").write_text("- Finn lives in Oslo.\n")
    return tmp_path


def test_a_whole_suite_is_read_as_it_is_written(folder: Path) -> None:
    """Every key arrives where records say."""
    suite = read(folder, WHOLE)
    one, two = suite.cases
    assert (suite.name, suite.description, suite.seed) == ("whole", "All keys.", 7)
    assert suite.retrieval == Retrieval(retriever="bm25", top_k=3, budget_tokens=99)
    assert one.messages[0] == Message(role="system", content="Be short.")
    assert one.query == "Where?"
    assert one.documents == (
        Document(name="docs/people.md", text="- Finn lives in Oslo.\n"),
        Document(name="inline-2", text="Ada."),
        Document(name="b", text="Ben."),
    )
    assert one.checks == (
        Check(scorer="contains", options={"any": ("x", "y")}, pass_at=0.5),
        Check(scorer="contains", options={"text": "z"}, pass_at=None),
    )
    assert (one.tags, one.cluster, one.models, one.repeats) == (("all", "own"), "people", ("big",), 1)
    assert one.source == Source(path="s.toml", line=20)
    assert (one.kind, one.warmup, one.max_tokens, one.profiles) == ("quality", 0, 9, ("greedy", "hot"))
    assert (two.kind, two.warmup, two.max_tokens, two.repeats) == ("benchmark", 3, 5, 2)
    assert two.messages == (Message(role="user", content="Go on."),)
    assert two.checks == ()


def test_the_file_names_a_suite_that_has_no_name(tmp_path: Path) -> None:
    """Either ending is left out."""
    assert read(tmp_path, DEFAULTS + CASE, name="small.gemma.toml").name == "small"
    assert read(tmp_path, DEFAULTS + CASE, name="other.toml").name == "other"
    assert "the name of the file is" in said(tmp_path, DEFAULTS + CASE, name="a b.toml")[0]


def test_warmup_may_be_set_for_all_and_for_one(tmp_path: Path) -> None:
    """A zero is a choice, not a gap."""
    text = DEFAULTS + "warmup = 2\n" + CASE + CASE.replace('"a"', '"b"') + 'warmup = 0\nkind = "benchmark"\n'
    assert [case.warmup for case in read(tmp_path, text).cases] == [2, 0]


def test_the_hash_of_a_suite_sees_its_bytes_and_its_documents(folder: Path) -> None:
    """A changed comment or document is another suite, the same bytes are the same."""
    first = read(folder, WHOLE).sha256
    assert read(folder, WHOLE).sha256 == first
    assert read(folder, WHOLE + "# more\n").sha256 != first
    (folder / "docs" / "people.md").write_text("- Finn lives in Rome.\n")
    assert read(folder, WHOLE).sha256 != first


def test_all_problems_are_said_at_once_each_with_line_and_case(tmp_path: Path) -> None:
    """Nothing hides behind another problem, and nothing is said of what only follows."""
    text = (
        '[suite]\nnme = "x"\n'
        '[defaults]\nmodels = ["pockt"]\nprofiles = ["greedy", "greedy"]\nrepeats = "3"\n'
        '[[case]]\nid = "a"\nprompt = """\n[[case]]\nid = "b"\n"""\nmax_token = 3\n'
        'templates = ["plain"]\n'
        'checks = [\n  {scorer = "contains", text = "x", pass_at = nan},\n  {scorer = "exct"},\n'
        '  {text = "x"},\n]\n'
        '[[case]]\nid = "a"\nmessages = [{role="user", content="hi"}, {role="user", content="ho"}]\n'
        'checks = [{scorer="contains", text="y"}]\nprofiles = ["gredy"]\n'
        '[[case]]\nkind = "benchmrk"\nprompt = " "\ntemplates = ["plain"]\n'
    )
    assert said(tmp_path, text) == [
        '2: unknown key "nme"; did you mean "name"?',
        '4: no model named "pockt"; did you mean "pocket"?',
        '5: defaults.profiles names "greedy" more than once',
        '6: defaults.repeats is "3"; it should be a whole number',
        '13: case "a": unknown key "max_token"; did you mean "max_tokens"?',
        '16: case "a": checks[0].pass_at is nan; it should be a finite number',
        '17: case "a": checks[1]: no scorer named "exct"',
        '18: case "a": checks[2] needs a scorer',
        '20: case "a": needs templates: name them here or in [defaults], as templates = ["…"]',
        '21: case "a": has the id of the case in line 8; ids are unique in a suite',
        '22: case "a": messages should be user, assistant, …, user in turn; only the first may be system',
        '24: case "a": no profile named "gredy"; did you mean "greedy"?',
        '25: case number 3: needs an id, as id = "capital"',
        '26: case number 3: kind is "benchmrk"; it should be "quality", "benchmark" or "retrieval"',
        "27: case number 3: prompt is empty",
    ]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('prompt = "x"', "cannot overwrite a value"),
        ('messages = [{role = "user", content = "x"}]', "has both prompt and messages"),
        ("repeats = 0", "repeats is 0; it should be at least 1"),
        ("repeats = true", "repeats is true; it should be a whole number"),
        ("repeats = 1.5", "repeats is 1.5; it should be a whole number"),
        (
            "repeats = 0x" + "F" * 9000,
            "repeats is a number with too many digits; it should be at most 10,000",
        ),
        ("max_tokens = -1", "it should be at least 1"),
        ("warmup = 100000", "it should be at most 1,000"),
        ("tags = []", "tags is an empty list"),
        ('tags = ["a", "a"]', 'tags names "a" more than once'),
        ('tags = "a"', "it should be a list, as [ … ]"),
        ('tags = ["a b"]', "which cannot be a name"),
        ('templates = ["plan"]', 'no template named "plan"; did you mean "plain"?'),
        ("cluster = ''", "cluster is empty"),
        ("seed = 1", 'unknown key "seed"'),
        ("documents = [5]", "it should be a path in quotes, or {text ="),
        ("documents = [{}]", "documents[0] needs a text"),
        (
            "documents = [{text = 'x', name = 'n'}, {text = 'y', name = 'n'}]",
            'has the name "n" of another one',
        ),
        ("documents = [{text = 't', path = 'x'}]", 'unknown key "path"'),
    ],
)
def test_a_mistake_in_a_case_is_named(tmp_path: Path, more: str, problem: str) -> None:
    """Where it is and what would be right."""
    problems = said(tmp_path, f"{DEFAULTS}{CASE}{more}\n")
    assert len(problems) == 1
    assert problem in problems[0]
    assert problems[0].startswith(("9: ", "5: "))


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        ('{scorer = "contains", text = nan}', "checks[0].text is nan; it should be finite"),
        ('{scorer = "contains", text = [inf]}', "it should be finite"),
        ('{scorer = "contains", text = {a = 1}}', "an option is a text, a number"),
        ('{scorer = "contains", text = 1979-05-27}', "an option is a text, a number"),
        ('{scorer = "contains", text = [[1]]}', "an option is a text, a number"),
        ('{scorer = "contains", text = 99999999999999999999}', "is too large a number"),
        (
            '{scorer = "contains", text = "x", pass_at = 1.5}',
            "checks[0].pass_at is 1.5; it should be at most 1",
        ),
        ('{scorer = "contains", text = "x", pass_at = inf}', "it should be a finite number"),
        ('{scorer = "contains", text = "x", pass_at = "1"}', "it should be a number"),
        ('{scorer = "contains", txt = "x"}', "checks[0]: unknown option"),
        ("{scorer = 5}", "checks[0].scorer is 5; it should be a text in quotes"),
        ("5", "checks[0] is 5; it should be a table"),
        ("", "needs checks"),
    ],
)
def test_a_mistake_in_a_check_is_named(tmp_path: Path, check: str, problem: str) -> None:
    """Types, ranges, and what the scorer itself says."""
    text = DEFAULTS + CASE.replace('{scorer = "contains", text = "x"}', check)
    problems = said(tmp_path, text)
    assert len(problems) == 1
    assert problem in problems[0]
    assert problems[0].startswith(("8: ", "5: "))


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ("[]", "should be user, assistant"),
        ('[{role = "assistant", content = "x"}]', "should be user, assistant"),
        ('[{role = "system", content = "x"}]', "should be user, assistant"),
        ('[{role = "user", content = "x"}, {role = "system", content = "x"}]', "should be user, assistant"),
        ('[{role = "model", content = "x"}]', 'messages[0].role is "model"; it should be "system", "user"'),
        ('[{role = "user"}]', "messages[0] needs a role and a content"),
        ('[{role = "user", content = ""}]', "messages[0].content is empty"),
        ('"x"', "it should be a list"),
    ],
)
def test_a_conversation_has_to_be_one(tmp_path: Path, messages: str, problem: str) -> None:
    """It ends with the user's question, and the turns alternate."""
    problems = said(tmp_path, DEFAULTS + CASE.replace('prompt = "Hi?"', f"messages = {messages}"))
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: has no case; begin each one with [[case]]"),
        ("[case]\nid = 'a'\n", "1: case should be a list of tables; begin each case with [[case]]"),
        ("case = [1]\n", "1: case number 1: is 1; it should be a table"),
        (
            DEFAULTS + CASE + "[retrieval]\nretriever = 'bm52'\n",
            '10: no retriever named "bm52"; did you mean "bm25"?',
        ),
        (DEFAULTS + CASE + "[retrieval]\ntop_k = 0\n", "10: retrieval.top_k is 0; it should be at least 1"),
        ("suite = 1\n" + DEFAULTS + CASE, "1: suite is 1; it should be a table"),
        ("[defualts]\n" + CASE, '1: unknown key "defualts"; did you mean "defaults"?'),
        (CASE, '1: case "a": needs models: name them here or in [defaults], as models = ["…"]'),
        (
            DEFAULTS + "seed = 4294967296\n" + CASE,
            "5: defaults.seed is 4294967296; it should be at most 2,147,483,647",
        ),
        (DEFAULTS + CASE + "\x00", "9: is not TOML"),
        (b"\xff\xfe" + CASE.encode("utf-16-le"), "1: looks like UTF-16; save it as UTF-8"),
        (b"\xef\xbb\xbf" + CASE.encode(), "1: starts with a byte order mark"),
        (DEFAULTS + CASE + ".".join("a" * 20_000) + " = 1", "9: has a key of more than 32 dotted parts"),
        ("x = " + "[" * 5000, "1: is nested deeper than 32 levels"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str | bytes, problem: str) -> None:
    """Empty, malformed, hostile: one usage error, with its line."""
    problems = said(tmp_path, text)
    assert any(each.startswith(problem) for each in problems)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """No traceback: the message is all there is to say."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "no.toml", names=NAMES, look=look)
    assert str(caught.value) == f"{tmp_path / 'no.toml'}: cannot be read: no such file or directory"


def test_control_characters_of_a_suite_do_not_reach_a_message(tmp_path: Path) -> None:
    """A terminal that prints the message is not steered by it."""
    text = DEFAULTS + CASE + '"\\u001b[2J" = 1\nmodels = ["\\u202e"]\ndocuments = ["\\u001b]52"]\n'
    problems = said(tmp_path, text)
    assert len(problems) == 3
    assert all(problem.isprintable() for problem in problems)


def test_the_message_is_the_problems_one_per_line(tmp_path: Path) -> None:
    """Sorted by line, each with the file."""
    with pytest.raises(SuiteError) as caught:
        read(tmp_path, "x = 1\ny = 2\n" + CASE)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [
        f"{tmp_path / 's.toml'}:1",
        f"{tmp_path / 's.toml'}:2",
    ]
    assert len(lines) == len(caught.value.problems)


def test_editors_get_a_json_schema() -> None:
    """Its keys are those that the loader knows."""
    properties = suite_schema({})["properties"]
    tables = {"suite", "defaults", "retrieval", "retrievals", "filters", "case", "haystack", "gate"}
    assert set(properties) == tables  # type: ignore[call-overload]


FOR_A_PROMPT = "are for a prompt, and this text is read after nothing; give a prompt, or leave them out"
ALONE = '[[case]]\nid = "a"\ncontinuation = "Oslo is old."\nchecks = [{scorer = "likelihood"}]\n'


def test_a_text_may_be_read_after_nothing(tmp_path: Path) -> None:
    """It has no turns and no question."""
    (case,) = read(tmp_path, DEFAULTS + ALONE).cases
    assert (case.messages, case.query, case.continuation) == ((), "", "Oslo is old.")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ALONE + 'documents = [{text = "Ada."}]\n', f"documents {FOR_A_PROMPT}"),
        (ALONE.replace('"Oslo is old."', "3"), "continuation is 3; it should be a text in quotes"),
        (
            ALONE.replace('continuation = "Oslo is old."', 'choices = ["a", "b"]\ntarget = 0').replace(
                "likelihood", "acc"
            ),
            "has neither prompt nor messages; give one of them",
        ),
    ],
)
def test_what_cannot_be_read_after_nothing_is_said(tmp_path: Path, text: str, problem: str) -> None:
    """Choices have a question, and documents a prompt that shows them."""
    found = said(tmp_path, DEFAULTS + text)
    assert [line.partition(': case "a": ')[2] for line in found if "likelihood" not in line] == [problem]
