"""What the error of each pair's score is made of, cases or repeats, and so what to buy more of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gemma_eval.report.effects import interval
from gemma_eval.report.grid import Grid, Pair
from gemma_eval.stats.intervals import ALPHA, Interval
from gemma_eval.stats.percentiles import mean, standard_deviation
from gemma_eval.stats.power import detectable
from gemma_eval.stats.variance import Ledger, judge_error, ledger, standard_error

_NEARLY = 0.8
"""Repeats that save so much of what cases save do as well, for they need no new questions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The standard error of a pair's mean score as it is, and with twice the cases or twice the repeats.

    `of_cases` is the share of its square that only other cases take away, `None` where no case was repeated.
    `twice_repeats` is `None` there, too. `detectable` is the smallest distance from a fixed score that would
    be shown in 80 % of runs. `of_judges` is what the choice of judges adds to the error, which is no part of
    `now`: `None` where there was no jury.
    """

    pair: Pair
    mean: float
    interval: Interval
    repeats: float
    of_cases: float | None
    now: float
    twice_cases: float
    twice_repeats: float | None
    detectable: float | None
    of_judges: float | None = None


def accounts(grid: Grid) -> tuple[Account, ...]:
    """Return the account of each pair, in the grid's order; none for pairs whose scores have no spread.

    Where repeats are reduced by something else than their mean, their part of the error is not told apart.
    """
    return tuple(_accounts(grid))


def advice(found: Sequence[Account], *, clustered: bool, reduced_by: Sequence[str] = ()) -> str:
    """Say in one sentence what to buy more of, by the root mean squares of the pairs' errors."""
    if not found:
        return "no pair's score differs from case to case, so nothing tells what more of them would change."
    now, cases = _together(each.now for each in found), _together(each.twice_cases for each in found)
    text = (
        f"twice as many{' in clusters of their own' if clustered else ''} would take the standard error of a "
    )
    text += f"score from {_error(now)} to {_error(cases)}"
    known = [each.twice_repeats for each in found if each.twice_repeats is not None]
    if reduced_by:
        return f"buy cases: {text}. Repeats are reduced by {' and '.join(reduced_by)}, not averaged."
    if len(known) < len(found):
        return f"buy cases: {text}. Each was asked once, so nobody knows what repeats would change."
    repeats = _together(known)
    text += f", twice the repeats, which cost as many answers, to {_error(repeats)}"
    if now - repeats >= _NEARLY * (now - cases):
        return f"buy repeats or cases: {text}. Repeats need no new questions."
    return f"buy cases: {text}."


def _accounts(grid: Grid) -> Iterator[Account]:
    for pair in grid.pairs:
        means = grid.means(pair)
        of, sd = _ledger(grid, pair), standard_deviation(grid.data_of(means))
        if of is None or not sd:
            continue
        of = _clustered(of, sd * sd / grid.data)
        now = standard_error(of)
        twice_cases = standard_error(of, cases=2 * of.cases)
        if not now or twice_cases is None:
            continue
        yield Account(
            pair=pair,
            mean=mean(means) or 0.0,
            interval=interval(grid, means),
            repeats=of.repeats,
            of_cases=None if of.within is None else of.between / of.cases / now**2,
            now=now,
            twice_cases=twice_cases,
            twice_repeats=standard_error(of, repeats=2 * of.repeats),
            detectable=_found(now * math.sqrt(grid.data), grid.data),
            of_judges=judge_error(grid.votes.get(pair, ())),
        )


def _ledger(grid: Grid, pair: Pair) -> Ledger | None:
    """Return the ledger of a pair, with the part of repeats where these are averaged."""
    of = ledger(grid.scores[pair])
    if of is None or not grid.reduced_by:
        return of
    whole = ledger([(score,) for score in grid.means(pair)])
    return None if whole is None else replace(whole, repeats=of.repeats)


def _clustered(of: Ledger, variance: float) -> Ledger:
    """Return a ledger whose mean has the variance that its clusters have: cases of one go together."""
    within = 0.0 if of.within is None else of.within / of.repeats
    return replace(of, between=max(0.0, of.cases * variance - within))


def _found(sd: float, n: int) -> float | None:
    least = detectable(sd, n, level=ALPHA / 2)
    return least if least <= 1 else None


def _together(errors: Iterator[float] | Sequence[float]) -> float:
    squares = [error * error for error in errors]
    return math.sqrt(mean(squares) or 0.0)


def _error(value: float) -> str:
    return f"{value:.3f}"
