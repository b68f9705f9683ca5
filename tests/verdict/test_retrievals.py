"""Retrievals in comparisons and gates: an axis like the others, and one that may be without names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.records import NOBODY, Gate, Outcome, Where
from gemma_eval.verdict.gates import Side, Sides, judge
from gemma_eval.verdict.sides import changes, on, pairs, unpaired
from gemma_eval.verdict.where import fits
from tests.examples import a_run
from tests.verdict.two_sides import named, scored


def with_way(outcomes: tuple[Outcome, ...], name: str, *, model: str = "pocket") -> tuple[Outcome, ...]:
    """Return the outcomes with a retrieval of that name."""
    found = []
    for outcome in outcomes:
        each = named(outcome, model=model, template=NOBODY if model == NOBODY else "rag")
        cell = replace(each.trial.cell, retrieval=replace(each.trial.cell.retrieval, name=name))
        if model == NOBODY:
            cell = replace(cell, profile=replace(cell.profile, name=NOBODY))
        found.append(replace(each, trial=replace(each.trial, cell=cell)))
    return tuple(found)


def side(outcomes: tuple[Outcome, ...], run_id: str = "candidate") -> Side:
    """Return a finished run of these outcomes."""
    return Side(run=a_run(run_id, planned=len(outcomes)), outcomes=outcomes)


RIGHT, WRONG = scored([1.0] * 12), scored([0.0] * 12)


def test_two_retrievals_of_one_run_are_compared() -> None:
    """Model, profile and template are held together."""
    outcomes = (*with_way(WRONG, "bm25"), *with_way(RIGHT, "hybrid"))
    base, candidate = (on("retrieval", outcomes, name=name) for name in ("bm25", "hybrid"))
    (pair,) = pairs(base, candidate)
    assert (len(pair.base), len(pair.candidate), pair.shared) == (12, 12, "pocket · greedy · rag")
    assert changes(base, candidate) == ("retrieval bm25 → hybrid",)


def test_groups_of_two_runs_agree_in_their_retrieval() -> None:
    """One that only one run has is named as such."""
    base = (*with_way(RIGHT, "bm25"), *with_way(RIGHT, "hybrid"))
    candidate = (*with_way(RIGHT, "bm25"), *with_way(RIGHT, "vector"))
    assert [pair.shared for pair in pairs(base, candidate)] == ["bm25"]
    assert unpaired(base, candidate) == (
        "pocket · greedy · rag · hybrid (of the base alone)",
        "pocket · greedy · rag · vector (of the candidate alone)",
    )


def test_a_run_from_before_retrievals_had_names_is_held_against_one_with_a_name() -> None:
    """What is new is told; nothing shows an empty name."""
    old, new = with_way(RIGHT, ""), with_way(RIGHT, "bm25")
    assert [pair.shared for pair in pairs(old, new)] == ["pocket · greedy · rag"]
    assert changes(old, new) == ("retrieval without a name → bm25",)
    with pytest.raises(UsageError, match="no model, profile, template and retrieval in common: model pocket"):
        pairs((*old, *new), with_way(RIGHT, "vector"))


def test_what_asks_for_passages_alone_is_named_as_that() -> None:
    """Beside groups that a model answered in, which go by what tells them apart."""
    alone = with_way(RIGHT, "bm25", model=NOBODY)
    outcomes = (*with_way(RIGHT, "bm25"), *with_way(RIGHT, "hybrid"), *alone)
    assert [pair.shared for pair in pairs(outcomes, outcomes)] == ["bm25", "hybrid", "bm25 · passages alone"]


def test_a_gate_is_decided_for_each_retrieval_and_may_be_about_some() -> None:
    """One that got worse is seen beside one that did not."""
    base = side((*with_way(RIGHT, "bm25"), *with_way(RIGHT, "hybrid")), "base")
    candidate = side((*with_way(RIGHT, "bm25"), *with_way(WRONG, "hybrid")))
    sides = Sides(base=base, candidate=candidate)
    gates = (
        Gate(id="score", metric="score", margin=0.02),
        Gate(id="hybrid", metric="score", margin=0.02, where=Where(retrieval="hyb*")),
    )
    found = {each.id: (each.label, each.comparison.verdict) for each in judge(gates, sides)}
    assert found["score[pocket/greedy/rag/hybrid]"] == ("hybrid", "REGRESSED")
    assert found["score[pocket/greedy/rag/bm25]"][1] != "REGRESSED"
    assert found["hybrid[pocket/greedy/rag/hybrid]"] == ("pocket · greedy · rag · hybrid", "REGRESSED")
    assert len(found) == 3


def test_a_gate_of_another_retrieval_is_held_against_the_named_one() -> None:
    """As in `--gemma-ab retrieval:bm25`; where the gate is about the candidate's, the base needs not be."""
    outcomes = (*with_way(RIGHT, "bm25"), *with_way(WRONG, "hybrid"))
    base, candidate = (on("retrieval", outcomes, name=name) for name in ("bm25", "hybrid"))
    sides = Sides(base=side(base, "base"), candidate=side(candidate), instead=("retrieval", "bm25"))
    gate = Gate(id="score", metric="score", margin=0.02, where=Where(retrieval="hybrid"))
    (found,) = judge((gate,), sides)
    assert found.comparison.verdict == "REGRESSED"


@pytest.mark.parametrize(
    ("glob", "is_about"), [("bm25", True), ("bm*", True), ("hybrid", False), ("BM25", False)]
)
def test_where_names_retrievals_by_globs(glob: str, is_about: bool) -> None:
    """Upper and lower case differ."""
    assert fits(Where(retrieval=glob), with_way(RIGHT, "bm25")[0].trial.cell) is is_about
