"""The suite of multiple choice: its questions are fair, and its scores differ where they should."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

from gemma_eval import plugins
from gemma_eval.config import shipped
from gemma_eval.records import Cell, Outcome, Suite, Trial
from gemma_eval.run import run_trial
from gemma_eval.stages import load_backend, stages
from gemma_eval.suite import load_suite

UNKNOWN = "I do not know."


@pytest.fixture(scope="module")
def loaded() -> tuple[Suite, tuple[Cell, ...]]:
    """Return the suite and its cells."""
    return load_suite(shipped.suites_directory() / "multiple_choice.toml", plugins.load())


@pytest.fixture(scope="module")
def outcomes(loaded: tuple[Suite, tuple[Cell, ...]]) -> tuple[Outcome, ...]:
    """Return what the shipped model makes of every cell."""
    _, cells = loaded
    registry = plugins.load()
    backend = load_backend(cells[0].model, registry, clock=time.perf_counter_ns)
    stage = stages(registry, backend)
    return tuple(run_trial(Trial(cell=cell, repeat=0, seed=1), stage) for cell in cells)


def test_there_are_enough_questions_of_each_kind(loaded: tuple[Suite, tuple[Cell, ...]]) -> None:
    """With and without a document, and with each as its own cell."""
    suite, cells = loaded
    assert len(suite.cases) >= 30
    assert sum(bool(case.documents) for case in suite.cases) >= 30
    assert sum(not case.documents for case in suite.cases) >= 30
    assert {cell.template.name for cell in cells} == {"plain", "rag"}


def test_no_question_is_answered_by_its_form(loaded: tuple[Suite, tuple[Cell, ...]]) -> None:
    """Four choices that differ, and the right one as often in each place."""
    suite, _ = loaded
    for case in suite.cases:
        assert len(set(case.choices)) == len(case.choices) == 4, case.id
    places = Counter(case.target for case in suite.cases)
    assert max(places.values()) - min(places.values()) <= 1


def test_documents_tell_all_that_is_chosen_from(loaded: tuple[Suite, tuple[Cell, ...]]) -> None:
    """So none is ruled out because it never occurs; what is right where nothing is told is to say so."""
    suite, _ = loaded
    for case in suite.cases:
        if not case.documents:
            continue
        text = case.documents[0].text
        assert all(choice in text for choice in case.choices if choice != UNKNOWN), case.id
        assert case.target is not None
        assert (case.choices[case.target] == UNKNOWN) == ("untold" in case.tags), case.id


def share(outcomes: Iterable[Outcome], *, template: str, scorer: str = "acc", tag: str = "") -> float:
    """Return the mean value of a scorer over the cases with a tag, under one template."""
    values = [
        score.value
        for outcome in outcomes
        if outcome.trial.cell.template.name == template and tag in (*outcome.trial.cell.case.tags, "")
        for score in outcome.scores
        if score.scorer == scorer and score.value is not None
    ]
    return sum(values) / len(values)


def test_the_document_makes_the_difference(outcomes: tuple[Outcome, ...]) -> None:
    """Without it what it tells is guessed or not known; what it does not tell is known to be unknown."""
    assert all(outcome.failure is None and outcome.score is not None for outcome in outcomes)
    assert share(outcomes, template="rag", tag="told") > 0.8
    assert share(outcomes, template="plain", tag="free") < 0.2
    assert share(outcomes, template="plain", tag="forced") < 0.7
    assert share(outcomes, template="rag", tag="untold") > 0.8
    assert share(outcomes, template="plain", tag="closed") > 0.8


def test_the_measures_differ_where_the_model_guesses(outcomes: tuple[Outcome, ...]) -> None:
    """Without the document the most usual value is the most probable; mutual information takes that out."""
    values: Mapping[str, float] = {
        scorer: share(outcomes, template="plain", scorer=scorer, tag="forced")
        for scorer in ("acc", "acc_mutual_info", "brier")
    }
    assert len(set(values.values())) > 1


def test_the_score_of_a_case_is_that_of_acc(outcomes: tuple[Outcome, ...]) -> None:
    """The others weigh nothing."""
    for outcome in outcomes:
        first = outcome.scores[0]
        assert (first.scorer, first.value) == ("acc", outcome.score)
