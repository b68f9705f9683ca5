"""A scorer of the passages that were found for a case, and what the judgements of the case say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.protocols import Need
from gemma_eval.records import Case, Given, Judgement, Passage, Score
from gemma_eval.scoring.findings import Finding, quoted, score_of, unjudged
from gemma_eval.stats.judgements import first_places, fits, grades

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class OfPassages:
    """A scorer that goes by what was found; `needs` is without what it can judge nothing."""

    name: str
    find: Callable[[Case, Given], Finding]
    needs: tuple[Need, ...] = ()
    subject: Literal["passages"] = "passages"

    def __call__(self, case: Case, given: Given) -> Score:
        """Judge the passages, or say why they cannot be judged."""
        if "answer" in self.needs and given.generation is None:
            return score_of(self.name, unjudged("", "there is no answer"))
        if "relevant" in self.needs and not any(each.grade > 0 for each in case.relevant):
            return score_of(self.name, unjudged("", "the case says of no passage that it is relevant"))
        return score_of(self.name, self.find(case, given))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is known of passages in their order.

    `grades` are theirs, where each judgement counts for the first passage that fits it; `every` are the
    highest grades that fit them, whether or not they fit a better passage too. `known` are the grades of all
    that there is to find: judgements of one passage that was found are one, and each other one is another.
    """

    grades: tuple[int, ...]
    every: tuple[int, ...]
    known: tuple[int, ...]


def judged(passages: Sequence[Passage], relevant: Sequence[Judgement]) -> Judged:
    """Hold passages to the judgements of their case."""
    found = grades(passages, relevant)
    places = first_places(passages, relevant)
    missed = [each.grade for each, at in zip(relevant, places, strict=True) if at is None]
    return Judged(
        grades=found,
        every=tuple(grade_of(each, relevant) for each in passages),
        known=(*(grade for grade in found if grade > 0), *missed),
    )


def grade_of(passage: Passage, relevant: Sequence[Judgement]) -> int:
    """Return the highest grade of the judgements that are about a passage, 0 of none."""
    fitting = (
        judgement.grade
        for judgement in relevant
        if fits(judgement, id=passage.id, document=passage.document, text=passage.text)
    )
    return max(fitting, default=0)


def in_prompt(given: Given) -> tuple[Passage, ...]:
    """Return the passages that the model read; those that were found where it is not asked."""
    return given.passages if given.prompt is None else given.prompt.passages


def unreached(given: Given) -> Finding | None:
    """Return why nothing was found, where that says nothing of how passages are found: no store was there."""
    if given.passages or given.trace is None or given.trace.degraded is None:
        return None
    return unjudged("", given.trace.degraded)


def named(judgements: Sequence[Judgement]) -> str:
    """Return judgements as an explanation names them."""
    texts = [each.passage or each.text or "" for each in judgements[:_MOST_NAMED]]
    more = len(judgements) - len(texts)
    return f"{quoted(*texts)} and {more} more" if more > 0 else quoted(*texts)
