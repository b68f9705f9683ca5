"""Two sides with given scores and times, in outcomes as a run records them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gemma_eval.records import Outcome, Score
from gemma_eval.verdict.sides import Pair
from tests.examples import a_generation, an_outcome

Scores = Sequence[float | Sequence[float | None] | None]
"""The score of each case, or one for each of its repeats."""


def scored(scores: Scores, *, text: str = "Oslo", cluster: Sequence[str] = ()) -> tuple[Outcome, ...]:
    """Return outcomes of as many cases, each with its scores and that text."""
    found = []
    for index, given in enumerate(scores):
        repeats = given if isinstance(given, Sequence) else (given,)
        for repeat, value in enumerate(repeats):
            outcome = named(an_outcome(f"case-{index}", repeat=repeat), text=text)
            case = replace(
                outcome.trial.cell.case,
                cluster=cluster[index] if cluster else None,
                repeats=len(repeats),
            )
            trial = replace(outcome.trial, cell=replace(outcome.trial.cell, case=case))
            score = Score(scorer="contains", value=value, passed=None)
            found.append(replace(outcome, trial=trial, scores=(score,)))
    return tuple(found)


def named(
    outcome: Outcome, *, text: str = "Oslo", model: str | None = None, template: str | None = None
) -> Outcome:
    """Return the outcome with another text, model or template."""
    cell = outcome.trial.cell
    cell = replace(cell, model=replace(cell.model, name=model or cell.model.name))
    cell = replace(cell, template=replace(cell.template, name=template or cell.template.name))
    return replace(outcome, trial=replace(outcome.trial, cell=cell), generation=a_generation(text))


def pair(base: Scores, candidate: Scores, *, cluster: Sequence[str] = ()) -> Pair:
    """Return two sides that wrote different texts."""
    return Pair(
        shared="greedy",
        base=scored(base, cluster=cluster),
        candidate=scored(candidate, text="Rome", cluster=cluster),
    )
