"""Answers for scorers: one text, one check, and the score that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from gemma_eval import plugins
from gemma_eval.protocols import RepeatsScorer, Scorer
from gemma_eval.records import Option, Score
from tests.examples import a_case, a_generation

SCORERS = plugins.load().scorers
CASE = a_case()


def score(scorer: str, answer: str, **options: object) -> Score:
    """Return the score of an answer."""
    judge = cast(Scorer, SCORERS.find(scorer)(cast("dict[str, Option]", options)))
    return judge(CASE, replace(a_generation(), text=answer))


def score_all(scorer: str, answers: Sequence[str], **options: object) -> Score:
    """Return the score of the answers of all repeats."""
    judge = cast(RepeatsScorer, SCORERS.find(scorer)(cast("dict[str, Option]", options)))
    return judge(CASE, [replace(a_generation(), text=answer) for answer in answers])


def value(scorer: str, answer: str, **options: object) -> float:
    """Return the value of an answer that can be judged."""
    found = score(scorer, answer, **options)
    assert found.value is not None, found.unscored
    return found.value


def right(scorer: str, answer: str, **options: object) -> bool:
    """Say whether an answer has the value 1; it must have 0 otherwise."""
    found = value(scorer, answer, **options)
    assert found in (0.0, 1.0)
    return found == 1.0
