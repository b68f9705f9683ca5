"""Passages that were found for a case, and the score that a check gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from gemma_eval import plugins
from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Judgement, Option, Passage, Prompt, Score, Trace
from tests.examples import a_case, a_generation

SCORERS = plugins.load().scorers


def passages(*texts: str) -> tuple[Passage, ...]:
    """Return passages of a document each; a text `id: …` has that id."""
    return tuple(
        Passage(
            id=text.partition(": ")[0],
            text=text.partition(": ")[2] or text,
            document=f"of {text.partition(': ')[0]}",
            score=1 / rank,
            rank=rank,
        )
        for rank, text in enumerate(texts, start=1)
    )


def relevant(**grades: int) -> tuple[Judgement, ...]:
    """Return judgements of passages by their ids."""
    return tuple(Judgement(passage=name, grade=grade) for name, grade in grades.items())


def a_prompt(*of: Passage) -> Prompt:
    """Return a prompt with these passages."""
    return Prompt(messages=(), text=None, n_tokens=None, passages=of)


def of_found(
    scorer: str, found: Sequence[Passage], judgements: tuple[Judgement, ...], **options: object
) -> Score:
    """Return the score of passages that were looked for and nothing else."""
    return _judge(scorer, options)(a_case(relevant=judgements), Given(passages=tuple(found)))


def of_answer(
    scorer: str,
    answer: str,
    read: Sequence[Passage],
    judgements: tuple[Judgement, ...] = (),
    *,
    query: str = "Where does Finn live?",
    **options: object,
) -> Score:
    """Return the score of an answer to a prompt with these passages."""
    case = a_case(relevant=judgements)
    case = replace(case, messages=(replace(case.messages[0], content=query),))
    given = Given(
        passages=tuple(read),
        trace=Trace(),
        prompt=a_prompt(*read),
        generation=replace(a_generation(), text=answer),
    )
    return _judge(scorer, options)(case, given)


def judge_case(scorer: str, case: Case, given: Given, **options: object) -> Score:
    """Return the score of what was found for a case."""
    return _judge(scorer, options)(case, given)


def _judge(scorer: str, options: dict[str, object]) -> PassagesScorer:
    return cast(PassagesScorer, SCORERS.find(scorer)(cast("dict[str, Option]", options)))
