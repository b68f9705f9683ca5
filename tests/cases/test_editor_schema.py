"""The JSON Schema that editors get takes every suite that the loader takes, and refuses what is mistyped."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from jsonschema import Draft7Validator

from gemma_eval.cases.editor_schema import gates_schema, suite_schema
from gemma_eval.config.shipped import suite_names, suite_path
from gemma_eval.files.editor_schema import Json
from tests.cases.suites import CASE, DEFAULTS, HAYSTACK, said

KNOWN = {"scorer": ["contains"], "retriever": ["bm25"], "models": ["pocket"]}
SCHEMA = suite_schema(KNOWN)
SUITE = Draft7Validator(SCHEMA)
GATES = Draft7Validator(gates_schema({}))
SHIPPED = {name: suite_path(name, folder=Path()).read_text() for name in suite_names()}
MESSAGES = 'messages = [{role = "user", content = "Hi?"}]\n'
FULL = (
    '[suite]\nname = "full"\ndescription = "d"\n'
    + DEFAULTS
    + '[retrieval]\nretriever = "bm25"\ntop_k = 2\n[filters]\nfinal = ["strip", {filter = "lower"}]\n'
    + CASE
    + '[[case]]\nid = "b"\n'
    + MESSAGES
    + 'tags = ["t"]\nrepeats = 2\nvariables = {depth = 0.5}\nseries = "s"\n'
    + 'documents = [{name = "d", text = "x"}]\n'
    + '[[case.check]]\nscorer = "contains"\nany = ["x", "y"]\nfilter = "final"\nweight = 2\nnot = true\n'
    + '[[case]]\nid = "c"\nkind = "benchmark"\nprompt = "Hi?"\nrepeats = 4\n'
    + "load = {concurrency = 2}\nslo = {ttft_s = 0.5}\n"
    + HAYSTACK
    + '[[gate]]\nid = "g"\nmetric = "score"\nmargin = 0.05\nwhere = {case = "a*"}\n'
)
"""A suite with every table."""


def wrong(text: str) -> list[str]:
    """Return where the schema finds something wrong in a suite."""
    return ["/".join(map(str, error.absolute_path)) for error in SUITE.iter_errors(tomllib.loads(text))]


def properties(row: str) -> Mapping[str, Json]:
    """Return the keys of a row."""
    definitions: Mapping[str, Mapping[str, Mapping[str, Json]]] = SCHEMA["$defs"]  # type: ignore[assignment]
    return definitions[row]["properties"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_suite_that_ships_is_valid(name: str) -> None:
    """All of them."""
    assert wrong(SHIPPED[name]) == []


def test_a_suite_with_every_table_is_valid(tmp_path: Path) -> None:
    """For the loader, too."""
    (tmp_path / "hay.md").write_text("a\nb\n")
    assert said(tmp_path, FULL) == []
    assert wrong(FULL) == []


@pytest.mark.parametrize(
    ("line", "mistake", "where"),
    [
        ('prompt = "Hi?"', 'promt = "Hi?"', "case/0"),
        ('id = "a"', "id = 3", "case/0/id"),
        ('id = "a"', 'id = "a b"', "case/0/id"),
        ('id = "a"\n', "", "case/0"),
        ('prompt = "Hi?"', 'prompt = " "', "case/0/prompt"),
        ('scorer = "contains", text = "x"', 'scorer = "contains", text = {a = 1}', "case/0/checks/0/text"),
        ('scorer = "contains", text = "x"', 'text = "x"', "case/0/checks/0"),
        ("repeats = 2", 'repeats = "2"', "case/1/repeats"),
        ("repeats = 2", "repeats = 0", "case/1/repeats"),
        ("weight = 2", "weight = -1", "case/1/check/0/weight"),
        ("not = true", 'not = "yes"', "case/1/check/0/not"),
        ('kind = "benchmark"', 'kind = "speed"', "case/2/kind"),
        ("ttft_s = 0.5", "ttf_s = 0.5", "case/2/slo"),
        ("concurrency = 2", "concurency = 2", "case/2/load"),
        ("top_k = 2", "top_k = 2.5", "retrieval/top_k"),
        ("margin = 0.05", "margin = 5", "gate/0/margin"),
        ('case = "a*"', 'cases = "a*"', "gate/0/where"),
        ("depths = [0.0", "depths = [-1.0", "haystack/0/depths/0"),
        ('role = "user"', 'role = "bot"', "case/1/messages/0/role"),
        ("[retrieval]", "[retreival]", ""),
    ],
)
def test_a_mistake_is_marked_where_it_is(line: str, mistake: str, where: str) -> None:
    """A key that does not exist, a value of the wrong kind, one out of range, a key that is missing."""
    assert line in FULL
    assert wrong(FULL.replace(line, mistake, 1)) == [where]


VALUES = (
    *("1", "0", "-1", "2.5", '""', '" "', '"x"', '"a b"', "true"),
    *("[]", '["x"]', '["x", "x"]', "[1, 2]", "{}", '{text = "x"}'),
)


def altered(text: str, random: Random) -> str:
    """Return a suite of which one or two lines are lost, or have another value."""
    lines = text.splitlines()
    for place in random.sample(range(len(lines)), random.choice((1, 1, 2))):
        if key := re.match(r"(\w+) = ", lines[place]):
            lines[place] = random.choice(("", f"{key[1]} = {random.choice(VALUES)}"))
    return "\n".join(lines)


def test_what_the_loader_takes_is_valid(tmp_path: Path) -> None:
    """Lines are lost and values are others at random; nothing good is ever marked, and much is good."""
    (tmp_path / "hay.md").write_text("a\nb\n")
    random = Random(7)  # noqa: S311 - a test's own
    texts = [altered(FULL, random) for _ in range(300)]
    taken = [text for text in texts if not said(tmp_path, text)]
    assert 30 < len(taken) < 270
    assert [wrong(text) for text in taken if wrong(text)] == []


def test_every_key_has_words() -> None:
    """An editor shows them beside the key."""
    rows = {row: properties(row) for row in SCHEMA["$defs"]}  # type: ignore[attr-defined]
    rows["SuiteFileRow"] = SCHEMA["properties"]  # type: ignore[assignment]
    bare = [
        f"{row}.{key}"
        for row, keys in rows.items()
        for key, schema in keys.items()
        if "description" not in schema
    ]
    assert bare == []


def test_an_editor_offers_names_and_takes_others() -> None:
    """Scorers of a conftest.py are not known here."""
    assert {"enum": ["contains"]} in properties("CheckRow")["scorer"]["anyOf"]  # type: ignore[operator]
    assert wrong(FULL.replace('scorer = "contains"', 'scorer = "of_a_plugin"')) == []


def test_no_key_is_null_or_has_a_default() -> None:
    """TOML has no null, and what an absent key means is said in words."""
    assert '"null"' not in str(SCHEMA).replace("'", '"')
    assert "'default'" not in str(SCHEMA)


def test_a_file_of_gates_has_the_same_gates() -> None:
    """And nothing else."""
    gate = '[[gate]]\nid = "g"\nmetric = "ttft_s"\ntolerance = "5%"\n'
    assert list(GATES.iter_errors(tomllib.loads(gate))) == []
    assert len(list(GATES.iter_errors(tomllib.loads(gate + CASE)))) == 1


def test_the_schema_is_one() -> None:
    """Of the draft that it names."""
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
