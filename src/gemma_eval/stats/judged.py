"""What is known of the judges of a group: what they could not score, how often order decided, and alpha."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from gemma_eval.records import Outcome, Vote
from gemma_eval.stats.agreement import krippendorff_alpha
from gemma_eval.stats.percentiles import mean

JUDGED = ("unscored", "flip_rate", "alpha")
"""The metrics of judges; groups without judges have none of them."""

_Key = tuple[str, str]


def has_judges(outcomes: Sequence[Outcome]) -> bool:
    """Whether a judge was asked about any of the answers."""
    return any(score.votes for outcome in outcomes for score in outcome.scores)


def unscored_shares(outcomes: Sequence[Outcome]) -> dict[_Key, float]:
    """Return by case which share of its answers has no score; one that failed is no answer.

    Cases without checks and those without an answer are not among them.
    """
    cases: dict[_Key, list[float]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.trial.cell.case.checks and outcome.failure is None:
            cases[_key(outcome)].append(float(outcome.score is None))
    return {key: math.fsum(each) / len(each) for key, each in cases.items()}


def flip_shares(outcomes: Sequence[Outcome]) -> tuple[float, ...]:
    """Return of each case in which share of its comparisons the order decided which text was better."""
    cases: dict[_Key, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for score in outcome.scores:
            cases[_key(outcome)] += _flips(score.votes)
    return tuple(math.fsum(each) / len(each) for each in cases.values() if each)


def alpha(outcomes: Sequence[Outcome]) -> tuple[float | None, int]:
    """Return Krippendorff's alpha of juries (interval level), and of how many answers.

    A comparison counts with the mean of its two orders. Of one judge there is none.
    """
    units = [
        values
        for outcome in outcomes
        for score in outcome.scores
        if len(values := juror_values(score.votes)) > 1
    ]
    return krippendorff_alpha(units, level="interval"), len(units)


def juror_values(votes: Sequence[Vote]) -> list[float]:
    """Return the value of each judge that gave one, in their order; of two orders their mean."""
    judges: dict[str, list[float | None]] = defaultdict(list)
    for vote in votes:
        judges[vote.judge].append(vote.value)
    known = ([value for value in each if value is not None] for each in judges.values() if None not in each)
    return [value for each in known if (value := mean(each)) is not None]


def _flips(votes: Sequence[Vote]) -> Iterator[float]:
    """Yield 1 for each judge whose two orders disagree, 0 for each whose orders agree."""
    swapped = {vote.judge: vote.value for vote in votes if vote.swapped}
    for vote in votes:
        other = swapped.get(vote.judge)
        if not vote.swapped and vote.value is not None and other is not None:
            yield float(vote.value != other)


def _key(outcome: Outcome) -> _Key:
    return outcome.trial.cell.suite, outcome.trial.cell.case.id
