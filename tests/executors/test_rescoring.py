"""Which stored answers are scored again: those whose question their suite still asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.executors.rescoring import Given, Rescored, rescore
from gemma_eval.plugins import load
from gemma_eval.protocols import Services
from gemma_eval.records import (
    Case,
    Cell,
    Check,
    Dataset,
    Message,
    ModelSpec,
    Outcome,
    Reply,
    Retrieval,
    RowCase,
    Suite,
)
from tests.examples import a_case, an_outcome

REGISTRY = load()
EQUALS = Check(scorer="equals", options={"text": "Oslo"})


def now(*cases: Case, rows: dict[str, Sequence[RowCase]] | None = None, name: str = "example") -> Given:
    """Return a suite of those cases."""
    suite = Suite(
        name=name,
        path="suite.toml",
        sha256="ab",
        description="",
        seed=1,
        retrieval=Retrieval(),
        cases=cases,
        rows=rows or {},
    )
    return Given(suite=suite, judges={"critic": ModelSpec(name="critic", backend="scripted", location="")})


def keyed(*outcomes: Outcome) -> dict[str, Outcome]:
    """Return outcomes by the keys of their trials."""
    return {outcome.trial.key: outcome for outcome in outcomes}


def scored(outcomes: dict[str, Outcome], *given: Given) -> Rescored:
    """Score again without a model to ask."""
    return rescore(outcomes, given, registry=REGISTRY)


def test_answers_are_scored_by_the_case_of_their_id() -> None:
    """Those of other cases are left out, and each is named once."""
    outcomes = keyed(*(an_outcome(id_, repeat=n) for id_ in ("home", "visit", "other") for n in (0, 1)))
    question = (Message(role="user", content="Where does Ada live?"),)
    found = scored(outcomes, now(a_case(checks=(EQUALS,)), a_case("visit", messages=question), a_case("new")))
    assert [outcomes[key].trial.cell.case.id for key in found.outcomes] == ["home", "home"]
    assert [each.trial.cell.case.checks for each in found.outcomes.values()] == [(EQUALS,)] * 2
    assert (found.otherwise, found.removed, found.added) == (("visit",), ("other",), ("new",))


def test_a_suite_that_is_not_given_says_nothing_of_its_cases() -> None:
    """They are neither gone nor scored."""
    found = scored(keyed(an_outcome()), now(a_case("new"), name="another"))
    assert (dict(found.outcomes), found.removed, found.added) == ({}, (), ("new",))


def test_the_rows_of_a_dataset_are_cases_of_their_own() -> None:
    """The case that they are made of is never asked; a row that cannot be asked is one that is gone."""
    template = a_case("qa", dataset=Dataset(path="qa.jsonl", rows=2, clusters=2))
    rows = [
        RowCase(case=a_case("qa-1", checks=(EQUALS,))),
        RowCase(case=a_case("qa-2"), flaw="the column question is empty"),
        RowCase(case=a_case("qa-3")),
    ]
    outcomes = keyed(an_outcome("qa-1"), an_outcome("qa-2"))
    found = scored(outcomes, now(template, rows={"qa": rows}))
    assert [outcomes[key].trial.cell.case.id for key in found.outcomes] == ["qa-1"]
    assert (found.removed, found.added) == (("qa-2",), ("qa-3",))


def test_each_block_has_scores_over_its_own_repeats() -> None:
    """Two starts of an engine are two sets of answers."""
    over = Check(scorer="determinism", over_repeats=True)
    outcomes = [an_outcome(repeat=repeat) for repeat in (0, 1, 0, 1)]
    texts = ("Oslo", "Oslo", "Oslo", "Rome")
    blocks = [
        replace(
            each,
            trial=replace(each.trial, block=1 + number // 2),
            generation=None if each.generation is None else replace(each.generation, text=text),
        )
        for number, (each, text) in enumerate(zip(outcomes, texts, strict=True))
    ]
    found = scored(keyed(*blocks), now(a_case(checks=(over,))))
    assert [each.scores[0].value for each in found.outcomes.values()] == [1.0, 1.0, 0.5, 0.5]


def test_a_judge_is_asked_for_the_cell_that_it_judges() -> None:
    """With the spec of the suite that is given; without it the answers that keep a word are counted."""
    judged = Check(scorer="equals", options={"text": "Oslo"}, judges=("critic",))
    asked: list[Cell] = []

    def served(cell: Cell) -> Services:
        asked.append(cell)
        return Services(ask=lambda *_: Reply(text="", how="text"), embed=lambda *_: None)  # type: ignore[arg-type]

    outcomes, given = keyed(an_outcome(), an_outcome(repeat=1)), now(a_case(checks=(judged,)))
    found = rescore(outcomes, [given], registry=REGISTRY, services=served)
    assert [[spec.name for spec in cell.judges] for cell in asked] == [["critic"]]
    assert (found.kept, scored(outcomes, given).kept) == (0, 2)
    assert all(each.trial.cell.judges for each in found.outcomes.values())
