"""A vector as what a scorer is given: a case, and the answer to it or what was found for it."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.records import (
    Case,
    ChoiceReading,
    Generation,
    Given,
    Judgement,
    Message,
    Passage,
    Source,
)
from gemma_eval.selftest.vectors import Vector


def case_of(vector: Vector) -> Case:
    """Return a case with the choices of a vector and what is relevant, which asks nothing."""
    return Case(
        id="vector",
        kind="quality",
        messages=(Message(role="user", content=""),),
        choices=vector.choices,
        target=vector.target,
        relevant=tuple(Judgement(passage=name) for name in _relevant(vector)),
        models=(),
        profiles=(),
        templates=(),
        source=Source(path="", line=0),
    )


def found_of(vector: Vector) -> Given:
    """Return the passages of a vector, which have their ranks for names."""
    return Given(
        passages=tuple(
            Passage(id=str(rank), text="", document="", score=1 / rank, rank=rank)
            for rank in range(1, vector.n_found + 1)
        )
    )


def answer_of(vector: Vector, text: str) -> Generation:
    """Return an answer of this text, its choices read with the log-probabilities of a vector."""
    alone: Sequence[float | None] = vector.unconditional or [None] * len(vector.choices)
    read = zip(vector.choices, vector.log_probabilities, alone, strict=True) if vector.choices else ()
    return Generation(
        text=text,
        deltas=(),
        prompt_tokens=None,
        output_tokens=None,
        count_source="engine",
        finish_reason="stop",
        requested_ns=0,
        ended_ns=0,
        choices=tuple(
            ChoiceReading(text=choice, log_probabilities=of_tokens, unconditional=by_itself)
            for choice, of_tokens, by_itself in read
        ),
    )


def _relevant(vector: Vector) -> tuple[str, ...]:
    missed = vector.n_relevant - len(vector.relevant_at)
    return (*map(str, vector.relevant_at), *(f"not found {number}" for number in range(missed)))
