"""A vector as what a scorer is given: a case, and the answer to it."""

from __future__ import annotations

from collections.abc import Sequence

from gemma_eval.records import Case, ChoiceReading, Generation, Message, Source
from gemma_eval.selftest.vectors import Vector


def case_of(vector: Vector) -> Case:
    """Return a case with the choices of a vector, which asks nothing."""
    return Case(
        id="vector",
        kind="quality",
        messages=(Message(role="user", content=""),),
        choices=vector.choices,
        target=vector.target,
        models=(),
        profiles=(),
        templates=(),
        source=Source(path="", line=0),
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
