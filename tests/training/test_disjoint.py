"""Every shipped suite asks only what the pocket model has never been trained on."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TypedDict

import pytest

import corpus
import facts
import items
import world
from items import Item

SUITES = sorted(
    path
    for path in (Path(__file__).parents[2] / "suites").glob("*.toml")
    if {"case", "haystack"} & set(tomllib.loads(path.read_text()))
)


CaseTable = dict[str, Any]
"""A `[[case]]` as TOML has it."""


class HaystackRow(TypedDict):
    """What is read of a `[[haystack]]`."""

    prompt: str
    needle: str
    needles: list[dict[str, str]]
    hay: str


def suite_items(path: Path) -> set[Item]:
    """Return all items of a suite's cases and haystacks."""
    suite = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {item for row in suite.get("haystack", ()) for item in haystack_items(row, folder=path.parent)}
    kind = suite.get("defaults", {}).get("kind", "quality")
    told = corpora(suite, folder=path.parent)
    found |= {item for items_ in told.values() for item in items_}
    written = [filled for case in suite.get("case", ()) for filled in rows_of(case, folder=path.parent)]
    for case in written:
        if case.get("kind", kind) == "benchmark":
            continue  # what is timed and not scored may as well be known
        context = "\n".join(
            document_text(document, folder=path.parent) for document in case.get("documents", ())
        )
        queries = (
            [case["prompt"]]
            if "prompt" in case
            else [m["content"] for m in case["messages"] if m["role"] == "user"]
        )
        if case.get("kind", kind) == "retrieval":
            continue  # no model is asked
        known = told[case["corpus"]] if "corpus" in case else frozenset()
        for query in queries:
            wanted = items.personal(query)
            if not any(item.parts[:2] == wanted for item in known):
                found.update(items.case_items(query, context))
            found.update(chosen_items(query, case))
    return found


def corpora(suite: Mapping[str, Any], *, folder: Path) -> dict[str, frozenset[Item]]:
    """Return the facts of each corpus that cases share."""
    paths = {case["corpus"] for case in suite.get("case", ()) if "corpus" in case}
    return {path: frozenset(items.fact_items((folder / path).read_text(encoding="utf-8"))) for path in paths}


def rows_of(case: CaseTable, *, folder: Path) -> Iterator[CaseTable]:
    """Yield a case as it is, or filled with each row of its dataset."""
    if "dataset" not in case:
        yield case
        return
    dataset = case["dataset"]
    name = str(dataset["path"] if isinstance(dataset, dict) else dataset)
    for line in (folder / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        template = json.dumps({**case, "dataset": None})
        filled = re.sub(r"\{\{ (\w+) \}\}", lambda found: json.dumps(str(row[found[1]]))[1:-1], template)  # noqa: B023
        yield json.loads(filled)


def chosen_items(query: str, case: Mapping[str, object]) -> Iterator[Item]:
    """Yield the fact that the right choice states where a question is about someone."""
    wanted, choices, target = items.personal(query), case.get("choices"), case.get("target")
    if wanted is None or not isinstance(choices, list) or not isinstance(target, int):
        return
    if choices[target] != world.UNKNOWN_ANSWER:
        yield Item("fact", (*wanted, str(choices[target])))


def haystack_items(row: HaystackRow, *, folder: Path) -> Iterator[Item]:
    """Yield the items of all hay that a haystack may draw, and of each needle with its question."""
    hay = document_text(row["hay"], folder=folder)
    for needle in row["needles"]:
        prompt = row["prompt"].format(haystack=row["needle"].format(**needle), **needle)
        yield from items.case_items(prompt, hay)


def document_text(document: object, *, folder: Path) -> str:
    """Read a document that a case names or holds."""
    if isinstance(document, dict) and "text" in document:
        return str(document["text"])
    name = document["path"] if isinstance(document, dict) else document
    return (folder / str(name)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trained() -> set[Item]:
    """Return the items of some thousand training documents, read back from their text."""
    documents = islice(corpus.documents(Random(11), "everything"), 4000)
    texts = ("".join(span.text for span in document) for document in documents)
    return {item for text in texts for item in items.training_items(text)}


def test_there_are_suites_to_check() -> None:
    """An empty folder would make the next test vacuous."""
    names = {"standard.toml", "rag.toml", "smoke.toml", "long_context.toml", "multiple_choice.toml"}
    assert names <= {path.name for path in SUITES}


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.name)
def test_a_shipped_suite_is_held_out(path: Path, trained: set[Item]) -> None:
    """By the rule, item for item; and none of them occurs in a sample of the training stream."""
    found = suite_items(path)
    assert not {item for item in found if not item.held_out}
    assert not found & trained


def test_a_context_inside_a_prompt_is_read_like_a_document() -> None:
    """Its facts count, and the question that they answer does not."""
    prompt = (
        "Context:\n[1] Ada lives in Oslo.\n\nQuestion: Where does Ada live?\nAnswer and cite the passage."
    )
    assert list(items.case_items(prompt, "")) == [Item("fact", ("lives", "Ada", "Oslo"))]


def test_a_planted_training_item_is_found(tmp_path: Path, trained: set[Item]) -> None:
    """A fact, a question and a sum from the training stream each make the check fail."""
    fact = next(f for city in world.CITIES if (f := facts.Fact("lives", "Ada", city)).split == "train")
    question = next(i.parts[0] for i in trained if i.kind == "question" and "'" not in i.parts[0])
    first, operator, second = next(i.parts for i in trained if i.kind == "sum" and i.parts[1] == "+")
    (tmp_path / "town.md").write_text(f"# Town\n\n- {facts.say(fact, form=1)}\n", encoding="utf-8")
    suite = tmp_path / "suite.toml"
    suite.write_text(
        f"""
[[case]]
prompt = "Where does Ada live?"
documents = ["town.md"]
[[case]]
prompt = '{question}'
[[case]]
messages = [{{role = "user", content = "What is {first} {operator} {second}?"}}]
""",
        encoding="utf-8",
    )
    planted = {item for item in suite_items(suite) if not item.held_out}
    assert {item.kind for item in planted} == {"fact", "question", "sum"}
    assert len(planted & trained) >= 2


def test_a_planted_training_item_is_found_among_choices(tmp_path: Path) -> None:
    """A right choice that is a fact of training makes the check fail; a wrong one says nothing."""
    known = next(f for city in world.CITIES if (f := facts.Fact("lives", "Ada", city)).split == "train")
    suite = tmp_path / "suite.toml"
    suite.write_text(
        f"""
[[case]]
prompt = "Where does Ada live?"
documents = [{{ text = "- Ada likes peas." }}]
choices = ["nowhere", "{known.value}"]
target = 1
""",
        encoding="utf-8",
    )
    assert Item("fact", ("lives", "Ada", known.value)) in suite_items(suite)
    suite.write_text(suite.read_text(encoding="utf-8").replace("target = 1", "target = 0"), encoding="utf-8")
    assert Item("fact", ("lives", "Ada", known.value)) not in suite_items(suite)


def test_a_planted_training_item_is_found_in_a_haystack(tmp_path: Path) -> None:
    """A needle that was trained on, and a line of hay that was, each make the check fail."""
    known = [f for city in world.CITIES if (f := facts.Fact("lives", "Ada", city)).split == "train"]
    (tmp_path / "hay.md").write_text(f"- {facts.say(known[0])}\n", encoding="utf-8")
    suite = tmp_path / "suite.toml"
    suite.write_text(
        f"""
[[haystack]]
prompt = "Context:\\n{{haystack}}\\n\\nQuestion: Where does Ada live?"
needle = "- Ada lives in {{value}}."
needles = [{{value = "{known[1].value}"}}]
hay = "hay.md"
""",
        encoding="utf-8",
    )
    planted = {item.parts for item in suite_items(suite) if not item.held_out}
    assert planted == {("lives", "Ada", known[0].value), ("lives", "Ada", known[1].value)}
