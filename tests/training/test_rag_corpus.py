"""The corpus of the suite `rag` is what its script draws, and its papers are hard to find as they say."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

import facts
import items
import parish
import rag_corpus
from parish import Paper

DRAWN = parish.draw(Random(rag_corpus.SEED))
FILES = dict(rag_corpus.files())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_what_the_script_draws(path: Path) -> None:
    """Whoever changes one by hand is told, for nobody would know that it is held out."""
    assert path.read_text(encoding="utf-8") == FILES[path]


def test_every_paper_and_every_question_has_an_id_of_its_own() -> None:
    """Judgements and cases go by them."""
    assert len({paper.id for paper in DRAWN.papers}) == len(DRAWN.papers) > 400
    for path, content in FILES.items():
        ids = [json.loads(line)["id"] for line in content.splitlines()]
        assert len(set(ids)) == len(ids), path.name


def test_a_paper_tells_what_it_is_said_to_tell() -> None:
    """Read back from its text by the patterns that hold suites against the rule, and all of it held out."""
    for paper in DRAWN.papers:
        read = {item.parts for item in items.fact_items(paper.text)}
        assert read == {(fact.relation, fact.entity, fact.value) for fact in paper.told}, paper.id
        assert {fact.split for fact in paper.told} == {"held_out"}, paper.id


def test_only_the_census_contradicts_itself() -> None:
    """Elsewhere whatever is said of a subject is the same, so that a distractor confuses searches alone."""
    assert contradicted(DRAWN.papers) == {"census"}


def test_a_contradiction_outside_of_the_census_is_found() -> None:
    """The check fails on a rumour that says something else."""
    rumour = next(paper for paper in DRAWN.papers if paper.kind == "rumour")
    (fact,) = rumour.told
    false = facts.Fact(fact.relation, fact.entity, "another")
    planted = Paper(kind="rumour", name="false", text="", told=(false,), year=2020)
    assert contradicted([*DRAWN.papers, planted]) > {"census"}


def test_a_question_is_answered_by_its_paper() -> None:
    """By one fact of it, the newest of the census; and what is untold stands nowhere."""
    told = {parish.subject(fact) for paper in DRAWN.papers for fact in paper.told}
    for question in DRAWN.questions:
        plain = question.text.partition(": ")[2] or question.text
        wanted = items.personal(plain)
        assert wanted is not None
        if question.paper is None:
            assert wanted not in told
            continue
        assert facts.Fact(*wanted, question.answer) in question.paper.told  # type: ignore[arg-type]
        same = [paper for paper in DRAWN.papers if wanted in map(parish.subject, paper.told)]
        if question.kind == "census":
            assert max(same, key=lambda paper: paper.year) is question.paper


def test_pages_and_letters_are_asked_for_in_other_words() -> None:
    """Question and paper share the name, what says nothing, and of letters the word that all of them have."""
    for question in DRAWN.questions:
        if question.kind in ("page", "letter") and question.paper is not None:
            name = question.paper.told[0].entity.lower()
            shared = parish.words(question.text) & parish.words(question.paper.text)
            assert shared - parish.COMMON - {"letter", "from"} == {name}, question.text


def test_a_search_knows_all_that_bears_on_it() -> None:
    """One paper is the best, and whatever else tells the same or an older state of it is worth less."""
    papers = {paper.id: paper for paper in DRAWN.papers}
    kinds: Counter[str] = Counter()
    for row in rag_corpus.searches(Random(rag_corpus.SEED), DRAWN.papers):
        relevant = row["relevant"]
        assert isinstance(relevant, list)
        grades = {papers[each["passage"]]: each["grade"] for each in relevant}
        (best,) = [paper for paper, grade in grades.items() if grade == 2]
        assert all(paper.year < best.year for paper in grades if paper.kind == "census" and paper is not best)
        kinds[best.kind] += 1
    assert set(kinds.values()) == {rag_corpus.SEARCHES}


def contradicted(papers: list[Paper] | tuple[Paper, ...]) -> set[str]:
    """Return the kinds of papers that say two things of one subject."""
    said: dict[tuple[str, str], dict[str, set[str]]] = {}
    for paper in papers:
        for fact in paper.told:
            said.setdefault(parish.subject(fact), {}).setdefault(fact.value, set()).add(paper.kind)
    return {
        kind for values in said.values() if len(values) > 1 for kinds in values.values() for kind in kinds
    }
