"""Apply a check to an answer: its filters, its scorer, and what the suite makes of the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from gemma_eval.errors import PluginError
from gemma_eval.protocols import (
    AnyScorer,
    PassagesScorer,
    RepeatsScorer,
    Scorer,
    ServedScorer,
    Services,
    subject_of,
)
from gemma_eval.records import Case, Check, Generation, Given, Score, Vote
from gemma_eval.scoring import filters

Build = Callable[[Check], AnyScorer]
"""Builds the scorer of a check. Raises GemmaEvalError."""


def score(
    check: Check, case: Case, generation: Generation, *, build: Build, services: Services | None = None
) -> Score:
    """Score one answer; a demand on an answer that could not be scored is missed.

    Filters see the text alone: what is scored by stamps or probabilities is as it was made.
    """
    if check.over_repeats:
        return unscored_yet(check, "its repeats were not all made")
    return _concluded(check, lambda: _value(check, case, generation, build=build, services=services))


def score_repeats(check: Check, case: Case, generations: Sequence[Generation], *, build: Build) -> Score:
    """Score all answers to a case at once, in the order of their repeats."""

    def judge() -> Score:
        scorer = cast(RepeatsScorer, build(check))
        filtered = filters.build(check.filters)
        texts = [replace(each, text=filtered(each.text)) for each in generations]
        return scorer(case, texts)

    return _concluded(check, judge)


def score_passages(check: Check, case: Case, given: Given, *, build: Build) -> Score:
    """Score what was found for a case; filters see the text of the answer, where there is one."""

    def judge() -> Score:
        scorer = build(check)
        if subject_of(scorer) != "passages":
            return Score(scorer=check.scorer, value=None, passed=None, unscored="there is no answer")
        answer = given.generation
        if answer is not None and check.filters:
            answer = replace(answer, text=filters.build(check.filters)(answer.text))
        return cast(PassagesScorer, scorer)(case, replace(given, generation=answer))

    return _concluded(check, judge)


def unscored_yet(check: Check, why: str) -> Score:
    """Return the score of a check that is judged later, as long as that has not been done."""
    return with_demand(check, Score(scorer=check.name, value=None, passed=None, unscored=why))


def with_demand(check: Check, score: Score) -> Score:
    """Return a score with what its check makes of the value: whether it passes, and how much it counts."""
    missed = check.pass_at is not None and (score.value is None or score.value < check.pass_at)
    passed = None if check.pass_at is None else not missed
    return replace(score, passed=passed, weight=check.weight, vetoes=check.must_pass)


def _value(
    check: Check, case: Case, generation: Generation, *, build: Build, services: Services | None
) -> Score:
    scorer = build(check)
    if isinstance(scorer, ServedScorer):
        if services is None:
            raise PluginError("nothing here can ask a model")
        scorer = scorer.bind(services)
    if check.filters:
        generation = replace(generation, text=filters.build(check.filters)(generation.text))
    return cast(Scorer, scorer)(case, generation)


def _concluded(check: Check, judge: Callable[[], Score]) -> Score:
    try:
        score = _checked(judge())
    except Exception as error:  # noqa: BLE001 - a plugin's fault must not cost the generation that was made
        reason = f"{type(error).__name__}: {error}"
        score = Score(scorer=check.scorer, value=None, passed=None, unscored=reason)
    if check.negated:
        score = _negated(score)
    return with_demand(check, score)


def _negated(score: Score) -> Score:
    """Return the rest of the value under a name that says so."""
    name = f"not {score.scorer}"
    if score.value is None:
        return replace(score, scorer=name)
    why = "" if score.value == 0 else f"{score.scorer} is {score.value:g}, and the check says not"
    return replace(score, scorer=name, value=1 - score.value, explanation=why)


def _checked(score: Score) -> Score:
    """Return what a scorer gave, numbers as plain floats. Raises PluginError when it is no score."""
    if not isinstance(score, Score):
        raise PluginError(f"the scorer returned {score!r}; it should return a Score")
    for name in ("scorer", "answer", "explanation"):
        _refuse_other(name, getattr(score, name), str)
    for vote in score.votes:
        _refuse_other("vote", vote, Vote)
    figures = {name: _figure(name, value) for name, value in score.figures.items()}
    if score.value is None:
        return replace(score, figures=figures, unscored=score.unscored or "the scorer gave no value")
    value = float(score.value)
    if not 0 <= value <= 1:
        raise PluginError(f"the scorer returned the value {score.value!r}; it should lie in 0..1")
    return replace(score, value=value, unscored=None, figures=figures)


def _figure(name: str, value: float) -> float:
    """Return a figure as a plain float: what is no number could not be recorded. Raises PluginError."""
    if not math.isfinite(value):
        raise PluginError(f'the scorer returned the figure "{name}" of {value!r}; it should be finite')
    return float(value)


def _refuse_other(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise PluginError(f"the scorer returned the {name} {value!r}; it should be a {kind.__name__}")
