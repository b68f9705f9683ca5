"""What is found in the text of an answer, and the scorer made of a function that finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The value of a text in 0..1, the part of it that was judged, and why it is not 1.

    Where `value` is `None`, `why` says what kept the text from being judged. `figures` are what the value
    was made from.
    """

    value: float | None
    answer: str
    why: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def right(answer: str) -> Finding:
    """Return the value 1."""
    return Finding(value=1.0, answer=answer)


def wrong(answer: str, why: str) -> Finding:
    """Return the value 0 and its reason."""
    return Finding(value=0.0, answer=answer, why=why)


def unjudged(answer: str, why: str) -> Finding:
    """Return no value, and what kept the text from having one."""
    return Finding(value=None, answer=answer, why=why)


def scorer_of(name: str, find: Callable[[str], Finding]) -> Scorer:
    """Return the scorer `name` that judges the text of an answer by `find`."""

    def score(case: Case, generation: Generation) -> Score:
        return score_of(name, find(generation.text))

    return score


def score_of(name: str, found: Finding) -> Score:
    """Return what was found as a score of the scorer `name`."""
    return Score(
        scorer=name,
        value=found.value,
        passed=None,
        answer=found.answer,
        explanation="" if found.value is None else found.why,
        unscored=found.why if found.value is None else None,
        figures=found.figures,
    )


def quoted(*texts: str) -> str:
    """Return texts as an explanation names them: quoted, and no longer than a line or two."""
    return ", ".join(f'"{shortened(text)}"' for text in texts)


def shortened(text: str) -> str:
    """Return `text`, the end of a long one left out."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def best(findings: Sequence[Finding]) -> Finding:
    """Return the finding with the highest value, the first of several."""
    return max(findings, key=lambda found: found.value or 0.0)


_LONGEST = 200
