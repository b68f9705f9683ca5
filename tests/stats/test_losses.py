"""What was lost is lost at the step that lost it: in search, rank, packing, or by the model that read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gemma_eval.records import (
    Check,
    Failure,
    Judgement,
    Outcome,
    Packed,
    Passage,
    Prompt,
    Score,
    Trace,
)
from gemma_eval.stats.losses import Loss, losses, lost_at
from tests.examples import a_case, an_outcome

OSLO = Passage(id="p1", text="Finn lives in Oslo. He is a farmer.", document="people", score=2.0, rank=1)
ROME = Passage(id="p2", text="Ada lives in Rome.", document="people", score=1.0, rank=2)
FOUND = {"lexical": ("p2", "p1", "p3"), "rank": ("p2", "p1", "p3")}
RELEVANT = {"finn lives in oslo": ("p1",)}
BY_ID, BY_TEXT = Judgement(passage="p1"), Judgement(text="finn lives in oslo")


def asked(
    *judged: Judgement,
    read: tuple[Passage, ...] = (ROME,),
    dropped: tuple[Passage, ...] = (),
    packing: tuple[Packed, ...] = (),
    found: Mapping[str, tuple[str, ...]] = FOUND,
    relevant: Mapping[str, tuple[str, ...]] | None = None,
    value: float | None = 0.0,
) -> Outcome:
    """Return the outcome of a question on what is judged, its answer of that value."""
    outcome = an_outcome(value=value or 0.0)
    cell = replace(outcome.trial.cell, case=replace(outcome.trial.cell.case, relevant=judged))
    score = Score(scorer="contains", value=value, passed=None, unscored=None if value is not None else "why")
    return replace(
        outcome,
        trial=replace(outcome.trial, cell=cell),
        prompt=Prompt(messages=(), text=None, n_tokens=None, passages=read, dropped=dropped, packing=packing),
        scores=(score,),
        trace=Trace(found=found, relevant=RELEVANT if relevant is None else relevant),
    )


@pytest.mark.parametrize("judged", [BY_ID, BY_TEXT], ids=["id", "text"])
def test_a_fact_is_lost_where_it_was_last_seen(judged: Judgement) -> None:
    """Whether it is known by its passage or by what it says."""
    nothing = {"lexical": ("p2",), "rank": ("p2",)}
    assert lost_at(asked(judged, found=nothing, relevant={"finn lives in oslo": ()})) == "retrieval"
    assert lost_at(asked(judged)) == "rank"
    assert lost_at(asked(judged, dropped=(OSLO,))) == "packing"
    assert lost_at(asked(judged, read=(ROME, OSLO))) == "generation"


def test_of_a_judgement_that_was_made_later_less_is_known() -> None:
    """What the searches found of it nobody has kept, but for ids; a plugin's search keeps all it found."""
    later = Judgement(text="Bo is a farmer")
    assert lost_at(asked(later)) is None
    assert lost_at(asked(Judgement(passage="p3"))) == "rank"
    assert lost_at(asked(later, found={"retrieve": ("p2",)})) == "retrieval"


def test_nothing_is_lost_where_the_answer_is_right() -> None:
    """The planted error: with the same trace and another score the loss is one of the search."""
    known = asked(BY_ID, found={}, value=1.0)
    assert lost_at(known) is None
    assert lost_at(replace(known, scores=(replace(known.scores[0], value=0.5),))) == "retrieval"
    passed = replace(known.scores[0], value=0.5, passed=True)
    assert lost_at(replace(known, scores=(passed,))) is None


def test_a_sentence_that_was_cut_off_is_lost_in_packing() -> None:
    """Though its passage stands in the prompt."""
    cut = replace(OSLO, text="Finn lives in Oslo.")
    packing = (Packed(passage="p1", fate="cut", reason="too long"),)
    farmer = Judgement(text="He is a farmer")
    outcome = asked(farmer, read=(cut,), packing=packing, relevant={"He is a farmer": ("p1",)})
    assert lost_at(outcome) == "packing"
    assert lost_at(asked(BY_TEXT, read=(cut,), packing=packing)) == "generation"


def test_of_several_the_best_are_needed_and_the_first_that_was_lost_decides() -> None:
    """A lower grade helps, and is not needed."""
    ada = Judgement(passage="p2")
    assert lost_at(asked(ada, BY_ID)) == "rank"
    assert lost_at(asked(ada, Judgement(passage="p9"), BY_ID)) == "retrieval"
    assert lost_at(asked(replace(ada, grade=2), BY_ID)) == "generation"


def test_what_cannot_be_known_is_not_said() -> None:
    """Nothing relevant, nothing looked for, nowhere to look, no answer, or none that was judged."""
    for judged in ((), (replace(BY_ID, grade=0),)):
        assert lost_at(asked(*judged)) is None
    assert lost_at(replace(asked(BY_ID), trace=None)) is None
    assert lost_at(replace(asked(BY_ID), trace=Trace(degraded="redis://host: nobody answers"))) is None
    assert lost_at(replace(asked(BY_ID), trace=Trace(found=FOUND, degraded="vector: no"))) == "rank"
    assert lost_at(replace(asked(BY_ID), failure=Failure(kind="backend", message="gone"))) is None
    assert lost_at(asked(BY_ID, value=None)) is None


def test_checks_of_passages_do_not_make_an_answer_wrong() -> None:
    """For a precise context is no right answer, nor the other way round."""
    outcome = asked(BY_ID, read=(ROME, OSLO))
    cell = outcome.trial.cell
    case = replace(cell.case, checks=(Check(scorer="context_precision", of_passages=True),))
    trial = replace(outcome.trial, cell=replace(cell, case=case))
    assert lost_at(replace(outcome, trial=trial)) is None
    assert lost_at(outcome) == "generation"


def test_a_case_that_asks_for_passages_alone_loses_what_it_does_not_find() -> None:
    """Whatever the value of its checks."""
    case = a_case(kind="retrieval", relevant=(BY_TEXT,))

    def looked_up(*passages: Passage, **trace: object) -> Outcome:
        outcome = asked(BY_TEXT, read=passages, value=0.5, **trace)  # type: ignore[arg-type]
        trial = replace(outcome.trial, cell=replace(outcome.trial.cell, case=case))
        return replace(outcome, trial=trial, generation=None)

    assert lost_at(looked_up(ROME, OSLO)) is None
    assert lost_at(looked_up(ROME)) == "rank"
    assert lost_at(looked_up(ROME, found={}, relevant={})) == "retrieval"


def test_losses_are_counted_in_the_order_of_the_way() -> None:
    """Those of right answers are none."""
    outcomes = [asked(BY_ID), asked(BY_ID), asked(BY_ID, dropped=(OSLO,)), asked(BY_ID, value=1.0)]
    expected: dict[Loss, int] = {"retrieval": 0, "rank": 2, "packing": 1, "generation": 0}
    assert list(losses(outcomes).items()) == list(expected.items())
