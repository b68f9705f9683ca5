"""Stored answers get the scores that they would have got, had the run been made with these checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from gemma_eval.plugins import load
from gemma_eval.protocols import AnyScorer, Scorer, Services
from gemma_eval.records import (
    Case,
    Check,
    Document,
    Failure,
    Filter,
    Generation,
    Judgement,
    Load,
    Message,
    Outcome,
    Passage,
    Prompt,
    Reply,
    Score,
    Slo,
    Source,
)
from gemma_eval.scoring.again import NOT_ASKED, again, asks_the_same, given_of, judged_as
from gemma_eval.scoring.check import score, score_repeats
from gemma_eval.stages import scorer_builder
from tests.examples import a_case, a_cell, a_generation, an_outcome

CONTAINS = Check(scorer="contains", options={"text": "Rome"})
JUDGED = Check(scorer="judged", judges=("judge",))


@dataclass(frozen=True)
class Judged:
    """A scorer that asks a model, and says what it replied."""

    def bind(self, services: Services) -> Scorer:
        """Ask with `services`."""

        def judge(case: Case, generation: Generation) -> Score:
            return Score(scorer="judged", value=float(services.ask("judge", None).text), passed=None)  # type: ignore[arg-type]

        return judge


def build(check: Check) -> AnyScorer:
    """Build the scorers of these tests and the built-in ones."""
    return Judged() if check.scorer == "judged" else BUILT_IN(check)


BUILT_IN: Callable[[Check], AnyScorer] = scorer_builder(load())


def repeats(*texts: str, checks: tuple[Check, ...] = ()) -> list[Outcome]:
    """Return the outcomes of one cell with those answers."""
    outcomes = [an_outcome(repeat=repeat) for repeat in range(len(texts))]
    return [
        asked(replace(each, generation=a_generation(text)), checks)
        for each, text in zip(outcomes, texts, strict=True)
    ]


def asked(outcome: Outcome, checks: tuple[Check, ...]) -> Outcome:
    """Return the outcome with those checks in its case, if any are given."""
    cell = outcome.trial.cell
    case = replace(cell.case, checks=checks or cell.case.checks)
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))


# --- what asks the same ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"checks": (CONTAINS,)},
        {"target": 1},
        {"reduce": "pass_at_k", "k": 5},
        {"tags": ("other",)},
        {"cluster": "village"},
        {"repeats": 9},
        {"warmup": 2},
        {"series": "depth", "variables": {"depth": 0.5}},
        {"slo": Slo(limits={"ttft_s": 1.0})},
        {"models": ("other",), "profiles": ("other",), "templates": ("other",)},
        {"source": Source(path="other.toml", line=70)},
    ],
    ids="-".join,
)
def test_how_it_is_judged_and_where_it_stands_changes_no_question(changes: dict[str, object]) -> None:
    """The answers of then are answers to it."""
    assert asks_the_same(a_cell(), a_case("home", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": (Message(role="user", content="Where does Ada live?"),)},
        {"documents": (Document(name="people", text="- Finn lives in Rome."),)},
        {"documents": ()},
        {"continuation": "Oslo"},
        {"choices": ("Oslo", "Rome")},
        {"delimiter": " "},
        {"max_tokens": 4},
        {"ignore_eos": True},
        {"kind": "benchmark"},
        {"load": Load(concurrency=2)},
    ],
    ids="-".join,
)
def test_what_a_model_reads_or_may_write_is_the_question(changes: dict[str, object]) -> None:
    """What was never asked has no answer."""
    assert not asks_the_same(a_cell(), a_case("home", **changes))


def test_of_the_new_case_only_how_it_is_judged_is_taken() -> None:
    """All else stays as it was when the answers were made."""
    now = a_case(checks=(CONTAINS,), target=1, reduce="max", k=None, tags=("new",), repeats=7)
    assert judged_as(a_case(), now) == a_case(checks=(CONTAINS,), target=1, reduce="max")


# --- the scores --------------------------------------------------------------------------------------

CHECKS: tuple[tuple[Check, ...], ...] = (
    (CONTAINS,),
    (replace(CONTAINS, negated=True, weight=3.0, pass_at=0.5, must_pass=True),),
    (replace(CONTAINS, options={"text": "rome"}, filters=(Filter(name="lower"),)), CONTAINS),
)


@pytest.mark.parametrize("checks", CHECKS)
def test_the_scores_are_those_of_a_run_with_these_checks(checks: tuple[Check, ...]) -> None:
    """Filters, negation, weight and demands apply as they do then, and nothing but score and case changes."""
    outcomes, case = repeats("In Rome.", "In Oslo."), a_case(checks=checks)
    found = again(outcomes, case, build=build)
    assert [each.scores for each in found] == [fresh(each, case) for each in outcomes]
    assert [each.trial.cell.case for each in found] == [case, case]
    for before, now in zip(outcomes, found, strict=True):
        cell = replace(now.trial.cell, case=before.trial.cell.case)
        assert replace(now, scores=before.scores, trial=replace(now.trial, cell=cell)) == before


def fresh(outcome: Outcome, case: Case) -> tuple[Score, ...]:
    """Score an answer as a run does."""
    assert outcome.generation is not None
    return tuple(score(check, case, outcome.generation, build=build) for check in case.checks)


def test_the_check_sees_a_demand_that_is_forgotten() -> None:
    """Planted: scored without what the check makes of the value."""
    (outcome,), case = repeats("In Oslo."), a_case(checks=CHECKS[1])
    bare = replace(case, checks=(CONTAINS,))
    assert again([outcome], bare, build=build)[0].scores != fresh(outcome, case)


OVER = Check(scorer="distinct_n", options={"n": 1}, over_repeats=True)


def test_a_check_over_repeats_sees_all_answers_of_the_cell_again() -> None:
    """Its score stands with each of them."""
    outcomes, case = repeats("a b", "a b", "c d"), a_case(checks=(OVER, CONTAINS))
    found = again(outcomes, case, build=build)
    made = [each.generation for each in outcomes if each.generation is not None]
    expected = score_repeats(OVER, case, made, build=build)
    assert expected.value is not None
    assert [each.scores[0] for each in found] == [expected] * 3


def failed(outcome: Outcome) -> Outcome:
    """Return the outcome of a trial that broke off."""
    return replace(outcome, scores=(), failure=Failure(kind="backend", message="the engine died"))


def test_an_answer_that_broke_off_is_not_scored_and_leaves_no_score_over_repeats() -> None:
    """What had come of it is no answer."""
    outcomes: Sequence[Outcome] = repeats("a b", "c d")
    found = again([outcomes[0], failed(outcomes[1])], a_case(checks=(OVER,)), build=build)
    assert found[1].scores == ()
    assert found[0].scores[0].unscored == "its repeats were not all made"
    assert found[1].trial.cell.case.checks == (OVER,)


# --- what asks a model -------------------------------------------------------------------------------


def judged(value: float | None, check: Check = JUDGED) -> Outcome:
    """Return an answer that a judge was asked about."""
    (outcome,) = repeats("In Rome.", checks=(CONTAINS, check))
    said = Score(scorer="judged", value=value, passed=None, explanation="said then")
    return replace(outcome, scores=(Score(scorer="contains", value=1.0, passed=None), said))


def test_what_a_judge_said_is_kept_with_what_is_demanded_of_it_now() -> None:
    """Nobody is asked; the place among the checks may be another."""
    demanding = replace(JUDGED, pass_at=0.8, weight=2.0, must_pass=True)
    (found,) = again([judged(0.7)], a_case(checks=(demanding,)), build=build)
    (kept,) = found.scores
    assert (kept.value, kept.explanation) == (0.7, "said then")
    assert (kept.passed, kept.weight, kept.vetoes) == (False, 2.0, True)


@pytest.mark.parametrize(
    "check",
    [
        replace(JUDGED, options={"rubric": "another"}),
        replace(JUDGED, negated=True),
        replace(JUDGED, judges=("b",)),
    ],
    ids=["options", "negated", "judge"],
)
def test_what_no_judge_was_asked_has_no_score(check: Check) -> None:
    """With the reason: it is not 0."""
    (found,) = again([judged(0.7)], a_case(checks=(check,)), build=build)
    assert found.scores[0].value is None
    assert found.scores[0].unscored == NOT_ASKED


def test_with_services_the_judge_is_asked_again() -> None:
    """And what it says now counts."""

    def ask(model: str, question: object) -> Reply:
        return Reply(text="0.25", how="text")

    def embed(model: str, texts: object) -> object:
        raise AssertionError("nothing is embedded")

    services = Services(ask=ask, embed=embed)  # type: ignore[arg-type]
    (found,) = again([judged(0.7)], a_case(checks=(JUDGED,)), build=build, services=services)
    assert found.scores[0].value == 0.25


FINN = Passage(id="p1", text="Finn lives in Oslo. He is a farmer.", document="people", score=2.0, rank=1)
ADA = Passage(id="p2", text="Ada lives in Rome.", document="people", score=1.0, rank=2)


def found(*read: Passage, dropped: tuple[Passage, ...] = (), kind: str = "quality") -> Outcome:
    """Return an outcome with these passages in its prompt."""
    outcome = an_outcome()
    cell = replace(outcome.trial.cell, case=a_case(kind=kind))
    return replace(
        outcome,
        trial=replace(outcome.trial, cell=cell),
        prompt=Prompt(messages=(), text=None, n_tokens=None, passages=read, dropped=dropped),
        generation=None if kind == "retrieval" else outcome.generation,
    )


def test_what_was_found_is_scored_again_from_what_is_stored() -> None:
    """By other judgements than then, with the answer or where nobody answered."""
    mrr = Check(scorer="mrr", of_passages=True)
    for kind in ("quality", "retrieval"):
        outcome = found(FINN, ADA, kind=kind)
        for passage, value in (("p1", 1), ("p2", 1 / 2), ("p3", 0)):
            now = a_case(checks=(mrr,), relevant=(Judgement(passage=passage),))
            (again_scored,) = again([outcome], judged_as(outcome.trial.cell.case, now), build=build)
            assert [each.value for each in again_scored.scores] == [value]


def test_what_was_found_is_what_was_packed_and_what_was_not() -> None:
    """Best first, whatever the order in the prompt, with the whole text of what was cut."""
    cut = replace(FINN, text="Finn lives in Oslo.")
    given = given_of(found(ADA, cut, dropped=(FINN,)))
    assert given.passages == (FINN, ADA)
    assert given.prompt is not None
    assert given.prompt.passages == (ADA, cut)
    alone = given_of(found(ADA, kind="retrieval"))
    assert (alone.passages, alone.prompt, alone.generation) == ((ADA,), None, None)
    assert given_of(replace(found(), prompt=None)).passages == ()


def test_what_is_relevant_is_part_of_the_question_only_where_it_was_given() -> None:
    """By the retrieval *oracle*; for others it is how passages are judged."""
    cell, now = a_cell(), a_case(relevant=(Judgement(passage="p1"),), retrievals=("bm25",))
    assert asks_the_same(cell, now)
    oracle = replace(cell, retrieval=replace(cell.retrieval, retriever="oracle"))
    assert not asks_the_same(oracle, now)
    assert asks_the_same(replace(oracle, case=now), now)
    assert judged_as(cell.case, now).relevant == now.relevant
