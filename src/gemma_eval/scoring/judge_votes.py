"""The votes of judges become one score: their mean, or what most of them say.

A judge that gave no verdict has no vote that counts; where none gave one there is no score, and never a 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gemma_eval.records import Score, Vote
from gemma_eval.stats.percentiles import mean

Rule = Literal["mean", "majority"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ballot:
    """The verdict of one judge, made of one vote or of one in each order.

    `value` and `label` are what counts; `probability` is how sure the judge was of its label, and `mass` how
    probable it found it to reply with any of them, `None` where nobody knows.
    """

    judge: str
    votes: tuple[Vote, ...]
    value: float | None
    label: str = ""
    reason: str | None = None
    probability: float | None = None
    mass: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What was judged, for the score: the scorer, the answer, and figures that are known beside the votes."""

    scorer: str
    answer: str
    figures: Mapping[str, float] = field(default_factory=dict)


def score_of(judged: Judged, ballots: Sequence[Ballot], *, rule: Rule) -> Score:
    """Return the score of an answer by the ballots of its judges."""
    known = [ballot for ballot in ballots if ballot.value is not None]
    silent = [f"{ballot.judge}: {ballot.reason}" for ballot in ballots if ballot.value is None]
    value, tie = _value(known, rule)
    said = [_said(ballot) for ballot in known] + ([tie] if tie else [])
    said += [f"no verdict of {each}" for each in silent]
    return Score(
        scorer=judged.scorer,
        value=value,
        passed=None,
        answer=judged.answer,
        explanation="" if value is None else "; ".join(said),
        unscored="; ".join(silent) if value is None else None,
        figures={**judged.figures, **_figures(known)},
        votes=tuple(vote for ballot in ballots for vote in ballot.votes),
    )


def _value(known: Sequence[Ballot], rule: Rule) -> tuple[float | None, str]:
    """Return the value of the ballots and what to say of a tie, of which the value is the mean."""
    values = [ballot.value for ballot in known if ballot.value is not None]
    if not values or rule == "mean":
        return mean(values), ""
    counts = Counter(values)
    most = max(counts.values())
    winners = sorted(value for value, count in counts.items() if count == most)
    tie = f"a tie of {' and '.join(f'{value:g}' for value in winners)}" if len(winners) > 1 else ""
    return mean(winners), tie


def _said(ballot: Ballot) -> str:
    sure = "" if ballot.probability is None else f" ({ballot.probability:.2f})"
    return f"{ballot.judge} says {ballot.label}{sure}"


def _figures(known: Sequence[Ballot]) -> dict[str, float]:
    """Return how sure the judges were: the mean of those that tell, and the least mass of their labels."""
    probabilities = [ballot.probability for ballot in known if ballot.probability is not None]
    masses = [ballot.mass for ballot in known if ballot.mass is not None]
    figures = {"probability": math.fsum(probabilities) / len(probabilities)} if probabilities else {}
    return figures | ({"label_mass": min(masses)} if masses else {})
