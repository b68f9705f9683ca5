"""A configuration of promptfoo becomes a case for each prompt with each test, its assertions checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gemma_eval import plugins
from gemma_eval.errors import SuiteError
from gemma_eval.importers.promptfoo import assertions
from gemma_eval.importers.promptfoo.assertions import Assertion, Unfit
from gemma_eval.importers.promptfoo.convert import AskedModels, convert
from gemma_eval.importers.written import Choice, Imported, write
from gemma_eval.prompts import sandbox
from gemma_eval.suite import load_suite

Cases = Any
"""The tables of cases, as TOML has them."""
REGISTRY = plugins.load()
BASE = """\
prompts: ["Where does {{name}} live?"]
tests:
  - vars: {name: Finn}
    assert:
      - {type: contains, value: Oslo}
"""


def config(folder: Path, text: str) -> Path:
    """Write a configuration."""
    path = folder / "promptfooconfig.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def imported(path: Path, *, judge: str | None = None) -> Imported:
    """Import a configuration; what judges embeds, too."""
    asked = AskedModels(judge=judge, embedder=judge)
    return convert(path, Choice(), asked=asked, render=sandbox.render)


def cases(path: Path, *, judge: str | None = None) -> Cases:
    """Return the cases of the suite of a configuration."""
    found: Cases = imported(path, judge=judge).suite["case"]
    return found


def refused(path: Path) -> list[str]:
    """Return what is said of a configuration that cannot be imported."""
    with pytest.raises(SuiteError) as caught:
        imported(path)
    return [f"{problem.line}: {problem.what}" for problem in caught.value.problems]


def check(folder: Path, assertion: str, *, judge: str | None = None) -> dict[str, object]:
    """Return the check that an assertion becomes."""
    (case,) = cases(config(folder, BASE.replace("{type: contains, value: Oslo}", assertion)), judge=judge)
    (found,) = case["check"]
    return dict(found)


SCHEMA = '{"type": "object", "required": ["a"]}'


@pytest.mark.parametrize(
    ("assertion", "wanted"),
    [
        ("{type: equals, value: Oslo}", {"scorer": "equals", "text": "Oslo"}),
        ("{type: equals, value: 42}", {"scorer": "equals", "text": "42"}),
        ("{type: equals, value: {a: [1, x]}}", {"scorer": "json_equals", "value": '{"a": [1, "x"]}'}),
        ("{type: contains, value: Oslo}", {"scorer": "contains", "text": "Oslo"}),
        ("{type: not-contains, value: Rome}", {"scorer": "contains", "text": "Rome", "not": True}),
        ("{type: icontains, value: oslo}", {"scorer": "icontains", "text": "oslo"}),
        ("{type: contains-any, value: [a, b]}", {"scorer": "contains", "any": ["a", "b"]}),
        ("{type: contains-all, value: 'a, b'}", {"scorer": "contains", "all": ["a", "b"]}),
        ("{type: icontains-any, value: [a]}", {"scorer": "icontains", "any": ["a"]}),
        ("{type: icontains-all, value: [a]}", {"scorer": "icontains", "all": ["a"]}),
        ("{type: starts-with, value: In}", {"scorer": "starts_with", "text": "In"}),
        ("{type: regex, value: 'O\\w+'}", {"scorer": "regex", "pattern": "O\\w+"}),
        ("{type: is-json}", {"scorer": "json_schema"}),
        (f"{{type: is-json, value: {SCHEMA}}}", {"scorer": "json_schema", "schema": SCHEMA}),
        ("{type: contains-json}", {"scorer": "contains_json"}),
        ("{type: levenshtein, value: Oslo}", {"scorer": "levenshtein", "text": "Oslo", "max_distance": 5}),
        (
            "{type: levenshtein, value: Oslo, threshold: 2}",
            {"scorer": "levenshtein", "text": "Oslo", "max_distance": 2},
        ),
        ("{type: latency, threshold: 1500}", {"scorer": "latency", "max_s": 1.5}),
        ("{type: word-count, value: 5}", {"scorer": "word_count", "least": 5, "most": 5}),
        ("{type: word-count, value: {min: 2, max: 9}}", {"scorer": "word_count", "least": 2, "most": 9}),
        ("{type: word-count, value: {max: 9}}", {"scorer": "word_count", "most": 9}),
        ("{type: contains, value: '{{name}} x'}", {"scorer": "contains", "text": "Finn x"}),
        ("{type: contains-any, value: ['{{name}}']}", {"scorer": "contains", "any": ["Finn"]}),
        ("{type: contains, value: a, weight: 2}", {"scorer": "contains", "text": "a", "weight": 2.0}),
        ("{type: contains, value: a, metric: tone}", {"scorer": "contains", "text": "a"}),
    ],
)
def test_an_assertion_passes_where_its_check_does(
    tmp_path: Path, assertion: str, wanted: dict[str, object]
) -> None:
    """Each assertion is a demand, so that each check has a `pass_at`; each scorer takes these options."""
    found = check(tmp_path, assertion)
    assert found == {**wanted, "pass_at": 1.0}
    options = {
        key: value for key, value in found.items() if key not in ("scorer", "pass_at", "weight", "not")
    }
    tuples: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    REGISTRY.scorers.find(str(found["scorer"]))(tuples)


@pytest.mark.parametrize(
    ("assertion", "pass_at"),
    [
        ("{type: rouge-n, value: a b}", 0.75),
        ("{type: rouge-n, value: a b, threshold: 0.5}", 0.5),
        ("{type: not-rouge-n, value: a b, threshold: 0.3}", 0.7),
        ("{type: bleu, value: a b}", 0.5),
    ],
)
def test_a_threshold_is_the_value_from_which_a_check_passes(
    tmp_path: Path, assertion: str, pass_at: float
) -> None:
    """Of a negated one, the value below which it does."""
    assert check(tmp_path, assertion)["pass_at"] == pass_at


def test_a_weight_of_0_records_and_demands_nothing(tmp_path: Path) -> None:
    """As there."""
    found = check(tmp_path, "{type: contains, value: a, weight: 0}")
    assert found == {"scorer": "contains", "text": "a", "weight": 0.0}


def test_assertions_that_ask_a_model_need_its_name(tmp_path: Path) -> None:
    """Which is not in the file: a judge here is one of models.toml."""
    rubric = "{type: llm-rubric, value: 'is polite to {{name}}', threshold: 0.8}"
    assert check(tmp_path, rubric, judge="pocket") == {
        "scorer": "judge",
        "judge": "pocket",
        "rubric": "is polite to Finn",
        "pass_at": 0.8,
    }
    fact = check(tmp_path, "{type: factuality, value: Finn lives in Oslo}", judge="pocket")
    assert fact["preset"] == "correctness"
    assert check(tmp_path, "{type: similar, value: [a b, c], threshold: 0.6}", judge="minilm") == {
        "scorer": "similarity",
        "reference": ["a b", "c"],
        "embedder": "minilm",
        "pass_at": 0.6,
    }
    (found,) = refused(config(tmp_path, BASE.replace("{type: contains, value: Oslo}", rubric)))
    assert found.startswith("5: llm-rubric asks a model; name it with --judge")


def test_prompts_tests_and_lists_of_variables_multiply(tmp_path: Path) -> None:
    """A default test gives its variables and assertions to every test; ids say which is which."""
    text = """\
prompts:
  - "{{greeting}} Where does {{name}} live?"
  - {label: short, raw: "{{name}}?"}
defaultTest:
  vars: {greeting: Hi.}
  assert: [{type: not-contains, value: sorry}]
tests:
  - vars: {name: [Finn, Ada]}
  - description: the other
    vars: {name: Al, greeting: Hello.}
    assert: [{type: contains, value: Bern}]
evaluateOptions: {repeat: 3}
"""
    found = imported(config(tmp_path, text))
    made: Any = found.suite["case"]
    assert [(case["id"], case["prompt"]) for case in made] == [
        ("test-1-prompt-1", "Hi. Where does Finn live?"),
        ("test-1-prompt-2", "Finn?"),
        ("test-1.2-prompt-1", "Hi. Where does Ada live?"),
        ("test-1.2-prompt-2", "Ada?"),
        ("test-2-prompt-1", "Hello. Where does Al live?"),
        ("test-2-prompt-2", "Al?"),
    ]
    assert [len(case["check"]) for case in made] == [1, 1, 1, 1, 2, 2]
    path, *_ = write(found, tmp_path / "out", replaces=False)
    suite, _ = load_suite(path, REGISTRY)
    assert [case.repeats for case in suite.cases] == [3] * 6


def test_a_prompt_that_is_json_becomes_messages(tmp_path: Path) -> None:
    """As there."""
    chat = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{name}}?"}]'
    (case,) = cases(config(tmp_path, BASE.replace('"Where does {{name}} live?"', f"'{chat}'")))
    assert case["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Finn?"},
    ]


@pytest.mark.parametrize(
    ("assertion", "what"),
    [
        ("{type: javascript, value: 'process.exit()'}", "javascript is code, and an import runs none"),
        ("{type: not-javascript, value: 'x'}", "javascript is code"),
        ("{type: python, value: 'import os'}", "python is code, and an import runs none"),
        ("{type: ruby, value: x}", "ruby is code"),
        ("{type: webhook, value: 'https://host'}", "webhook sends answers to another machine"),
        ("{type: assert-set}", "an assert-set passes as one"),
        ("{type: cost, threshold: 1}", "cost is of a service"),
        (
            "{type: similar, value: x}",
            "similar compares by the vectors of an embedder; name it with --embedder",
        ),
        ("{type: containz, value: x}", 'no assertion "containz" is carried over; known: bleu, contains'),
        ("{value: x}", 'no assertion "" is carried over'),
        ("{type: contains}", "contains has the value null; it should be a text that is not empty"),
        ("{type: contains, value: 'file://x.txt'}", 'contains takes its value from "file://x.txt"'),
        ("{type: contains-any, value: [1]}", "contains-any has the value [1]; it should be a list of texts"),
        ("{type: is-json, value: x}", 'is-json has the value "x"; it should be a JSON Schema, as a table'),
        ("{type: equals, value: {a: .nan}}", "the value has NaN or an infinity, which JSON has not"),
        ("{type: latency}", "latency needs a threshold, in milliseconds"),
        ("{type: word-count, value: {least: 1}}", "it should be a number, or {min, max}"),
        ("{type: rouge-n, value: a, threshold: 3}", "rouge-n has the threshold 3; it should lie in 0..1"),
        ("{type: levenshtein, value: a, threshold: -1}", "it should be a number of edits"),
        ("{type: contains, value: a, transform: 'output.trim()'}", "transform is"),
        (
            "{type: contains, value: '{{nobody}}'}",
            'value cannot be rendered: line 1: unknown variable "nobody"',
        ),
        ("{type: contains, value: '{{a'}", "value cannot be rendered"),
        ("{type: contains, value: '{{ name.__class__ }}'}", "value cannot be rendered"),
        ("!function os.system", "is Python code"),
    ],
)
def test_an_assertion_that_cannot_be_carried_over_is_named(tmp_path: Path, assertion: str, what: str) -> None:
    """With its line; code is never run."""
    (found,) = refused(config(tmp_path, BASE.replace("{type: contains, value: Oslo}", assertion)))
    assert found.startswith("5: ")
    assert what in found


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("scenarios: []\n", "scenarios are not carried over; write their tests out"),
        ("extensions: ['file://x.py:f']\n", "extensions are code"),
        ("nunjucksFilters: {f: ./f.js}\n", "nunjucksFilters are code"),
        ("derivedMetrics: []\n", "derivedMetrics are formulas"),
        ("defaultTest: {threshold: 0.5}\n", "defaultTest.threshold is 0.5, and is not carried over"),
        ("defaultTest: {options: {transform: x}}\n", "is not carried over"),
        ("defaultTest: {vars: {x: 'file://x.txt'}}\n", "vars.x is in another file; write it here"),
        ("evaluateOptions: {repeat: 0}\n", "evaluateOptions.repeat is 0; it should be at least 1"),
        ("provider: x\n", 'unknown key "provider"; did you mean "providers"?'),
    ],
)
def test_what_of_a_configuration_cannot_be_carried_over(tmp_path: Path, more: str, what: str) -> None:
    """Nothing is left out in silence."""
    assert what in "\n".join(refused(config(tmp_path, BASE + more)))


MANY = list(range(100))
NINE = ", ".join(f"v{n}: {MANY}" for n in range(9))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("prompts: [a]\n", "needs tests"),
        ("tests: [{vars: {}}]\n", "needs prompts"),
        ("prompts: [a]\ntests: tests.csv\n", 'tests is "tests.csv", another file; write the tests here'),
        (
            "prompts: ['file://a.txt']\ntests: [{assert: [{type: is-json}]}]\n",
            "is another file; write the prompt",
        ),
        ("prompts: [a]\ntests: [{vars: {x: []}, assert: [{type: is-json}]}]\n", "vars.x is an empty list"),
        (
            f"prompts: [a]\ntests: [{{assert: [{{type: is-json}}]}}]\ndefaultTest: {{vars: {{{NINE}}}}}\n",
            "makes 1,000,000,000,000,000,000 cases",
        ),
        ("prompts: [3]\ntests: [{assert: [{type: is-json}]}]\n", "it should be a list of texts"),
        ("prompts: [a]\ntests: [{vars: {x: 1}}]\n", "has no assertions, so that nothing would be scored"),
        (
            "prompts: ['{{x}}']\ntests: [{vars: {x: ' '}, assert: [{type: is-json}]}]\n",
            "makes an empty prompt",
        ),
        ("prompts: ['[{{x}}']\ntests: [{vars: {x: 1}, assert: [{type: is-json}]}]\n", "the prompt is JSON: "),
        (
            f"prompts: [a]\ntests: [{{vars: {{x: {MANY}, y: {MANY}}}, assert: [{{type: is-json}}]}}]\n",
            "makes 10,000 cases; a suite that is written out has at most 5,000",
        ),
    ],
)
def test_what_cannot_be_asked_is_told(tmp_path: Path, text: str, what: str) -> None:
    """A configuration without what it needs, or with too much of it."""
    assert what in "\n".join(refused(config(tmp_path, text)))


def test_a_kind_that_nobody_knows_names_those_that_are_known() -> None:
    """Which are those of the table."""
    with pytest.raises(Unfit) as caught:
        assertions.scoring(Assertion(kind="nothing"))
    assert all(kind in str(caught.value) for kind in assertions.KINDS)
