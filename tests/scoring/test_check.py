"""What becomes of a scorer's value: filters before it, negation, demand and weight after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gemma_eval.plugins import load
from gemma_eval.protocols import AnyScorer, Scorer, Services
from gemma_eval.records import (
    Case,
    Check,
    Filter,
    Generation,
    Given,
    Judgement,
    Passage,
    Question,
    Reply,
    Score,
    Subject,
)
from gemma_eval.scoring import check as checks
from gemma_eval.stages import scorer_builder
from tests.examples import a_case, a_generation, an_outcome


def is_oslo(case: Case, generation: Generation) -> Score:
    """Give 1 for the answer `Oslo` and nothing else."""
    return Score(scorer="is_oslo", value=float(generation.text == "Oslo"), passed=None)


def gives(value: float | None) -> checks.Build:
    """Return what builds a scorer that always gives this."""
    reason = "no idea" if value is None else None
    return lambda check: (
        lambda case, generation: Score(scorer="fixed", value=value, passed=None, unscored=reason)
    )


def scored(check: Check, text: str = "Oslo", *, build: checks.Build = lambda check: is_oslo) -> Score:
    """Return the score of one text."""
    return checks.score(check, a_case(), a_generation(text), build=build)


def test_filters_run_before_the_scorer() -> None:
    """Without them the answer is another one."""
    check = Check(scorer="is_oslo")
    assert scored(check, " Oslo\nor Rome").value == 0
    assert scored(replace(check, filters=(Filter(name="first_line"),)), " Oslo\nor Rome").value == 1


@pytest.mark.parametrize(("text", "value", "passed"), [("Oslo", 0.0, False), ("Rome", 1.0, True)])
def test_a_negated_check_has_the_rest_of_the_value(text: str, value: float, *, passed: bool) -> None:
    """And its demand is on that."""
    score = scored(Check(scorer="is_oslo", negated=True, pass_at=1.0), text)
    assert (score.scorer, score.value, score.passed) == ("not is_oslo", value, passed)


def test_what_could_not_be_scored_stays_so_when_negated() -> None:
    """Nothing is known of its opposite either, and a demand on it is missed."""
    score = scored(Check(scorer="fixed", negated=True, pass_at=0.5), build=gives(None))
    assert (score.value, score.passed, score.unscored) == (None, False, "no idea")


def test_a_negated_check_that_waits_has_the_name_that_it_will_have() -> None:
    """Else a table would know two scorers where there is one."""
    waiting = scored(Check(scorer="is_oslo", negated=True, over_repeats=True))
    assert waiting.scorer == scored(Check(scorer="is_oslo", negated=True)).scorer == "not is_oslo"


def test_weight_and_veto_are_those_of_the_check() -> None:
    """They go with the score, for whoever reads it later has no suite at hand."""
    score = scored(Check(scorer="is_oslo", weight=3.0, must_pass=True, pass_at=1.0))
    assert (score.weight, score.vetoes) == (3.0, True)


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_a_value_that_is_no_share_is_not_scored(value: float) -> None:
    """A faulty plugin costs its score and not the answer."""
    score = scored(Check(scorer="fixed"), build=gives(value))
    assert score.value is None
    assert "should lie in 0..1" in (score.unscored or "")


@dataclass(frozen=True)
class Longest:
    """A scorer of all answers: the share of them as long as the longest."""

    subject: Subject = "repeats"

    def __call__(self, case: Case, generations: Sequence[Generation]) -> Score:
        """Give it."""
        lengths = [len(each.text) for each in generations]
        return Score(
            scorer="longest", value=sum(n == max(lengths) for n in lengths) / len(lengths), passed=None
        )


@pytest.mark.parametrize(
    ("flaw", "why"),
    [
        ({"figures": {"perplexity": float("nan")}}, 'the figure "perplexity" of nan; it should be finite'),
        ({"figures": {"perplexity": float("inf")}}, 'the figure "perplexity" of inf; it should be finite'),
        ({"answer": None}, "the answer None; it should be a str"),
        ({"explanation": 3}, "the explanation 3; it should be a str"),
        ({"votes": ("yes",)}, "the vote 'yes'; it should be a Vote"),
    ],
)
def test_what_could_not_be_recorded_is_not_scored(flaw: dict[str, object], why: str) -> None:
    """For a record that the store refuses would end the run, and cost every answer after this one."""
    score = Score(**{"scorer": "plugin", "value": 1.0, "passed": None, **flaw})  # type: ignore[arg-type]
    found = scored(Check(scorer="plugin"), build=lambda check: lambda case, generation: score)
    assert found.value is None
    assert why in (found.unscored or "")


def test_numbers_of_numpy_are_plain_in_a_record() -> None:
    """A store and another process know no others."""
    score = Score(scorer="plugin", value=np.float32(0.5), passed=None, figures={"n": np.int64(3)})  # type: ignore[arg-type, dict-item]
    found = scored(Check(scorer="plugin"), build=lambda check: lambda case, generation: score)
    assert (type(found.value), type(found.figures["n"])) == (float, float)


def test_a_scorer_without_a_value_and_a_reason_is_given_one() -> None:
    """Nobody is left to ask why."""
    score = Score(scorer="plugin", value=None, passed=None)
    found = scored(Check(scorer="plugin"), build=lambda check: lambda case, generation: score)
    assert found.unscored == "the scorer gave no value"


def test_repeats_are_judged_together_after_filters() -> None:
    """The filter makes two of the three equally long."""
    check = Check(scorer="longest", over_repeats=True, filters=(Filter(name="strip"),), pass_at=0.5)
    answers = [a_generation(text) for text in ("Oslo ", "Rome", "Rio")]
    score = checks.score_repeats(check, a_case(), answers, build=lambda check: Longest())
    assert score.value == pytest.approx(2 / 3)
    assert score.passed is True


def test_one_answer_alone_is_no_repeats() -> None:
    """Until all are made the check has no value."""
    score = scored(Check(scorer="longest", over_repeats=True, pass_at=0.5))
    assert (score.value, score.passed) == (None, False)


@dataclass(frozen=True)
class Asking:
    """A scorer that takes a model's word."""

    def bind(self, services: Services) -> Scorer:
        """Return the scorer."""
        return lambda case, generation: Score(
            scorer="asking",
            value=float(services.ask("judge", Question(messages=case.messages)).text == "yes"),
            passed=None,
        )


def test_a_scorer_that_asks_is_bound_to_what_there_is() -> None:
    """Where nothing can be asked there is no score, and the reason says so."""

    def build(check: Check) -> AnyScorer:
        return Asking()

    def no_embedder(embedder: str, texts: Sequence[str]) -> object:
        raise AssertionError

    services = Services(ask=lambda model, question: Reply(text="yes", how="text"), embed=no_embedder)  # type: ignore[arg-type]
    check, case, answer = Check(scorer="asking"), a_case(), a_generation()
    assert checks.score(check, case, answer, build=build, services=services).value == 1
    assert "nothing here can ask" in (checks.score(check, case, answer, build=build).unscored or "")


def a_score(
    value: float | None, *, weight: float = 1.0, vetoes: bool = False, passed: bool | None = None
) -> Score:
    """Return a score."""
    return Score(scorer="x", value=value, passed=passed, weight=weight, vetoes=vetoes)


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        ([a_score(1.0, weight=2), a_score(0.0)], 2 / 3),
        ([a_score(1.0), a_score(0.0, weight=0)], 1.0),
        ([a_score(1.0), a_score(None, weight=0)], 1.0),
        ([a_score(1.0), a_score(None)], None),
        ([a_score(1.0), a_score(0.2, vetoes=True, passed=False)], 0.0),
        ([a_score(0.5), a_score(1.0, vetoes=True, passed=True)], 0.75),
        ([a_score(1.0), a_score(None, vetoes=True, passed=False)], None),
        ([a_score(0.3, weight=0)], None),
        ([], None),
    ],
)
def test_the_score_of_an_answer_is_the_weighted_mean(scores: list[Score], mean: float | None) -> None:
    """A veto makes it 0; what weighs and is not scored makes it unknown."""
    found = replace(an_outcome(), scores=tuple(scores)).score
    assert found == (None if mean is None else pytest.approx(mean))


def test_what_was_found_is_scored_with_what_the_check_demands() -> None:
    """A wrong one fails, a negated one is the rest, and filters see the answer."""
    passages = (Passage(id="p1", text="Finn lives in Oslo.", document="people", score=1.0, rank=1),)
    given = Given(passages=passages, generation=a_generation("In Oslo.\nOr in Rome."))
    case = a_case(relevant=(Judgement(passage="p1"), Judgement(passage="p2")))
    build = scorer_builder(load())

    def judged(scorer: str, **fields: object) -> Score:
        check = Check(scorer=scorer, of_passages=True, **fields)  # type: ignore[arg-type]
        return checks.score_passages(check, case, given, build=build)

    assert (judged("recall").value, judged("recall").passed) == (1 / 2, None)
    assert judged("recall", pass_at=0.6).passed is False
    assert judged("recall", negated=True, pass_at=0.5).passed is True
    assert judged("groundedness").value == 1 / 2
    assert judged("groundedness", filters=(Filter(name="first_line"),)).value == 1
    assert judged("contains", options={"text": "Oslo"}).unscored == "there is no answer"
