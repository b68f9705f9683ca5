"""What runs of before say of how much a cost differs where nothing does: the prior of its variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Outcome, Run
from gemma_eval.stats.paired import Prior
from gemma_eval.stats.prior import of_series, of_sessions
from gemma_eval.verdict.costs import costs
from gemma_eval.verdict.sides import AXES, Pair, name_on

MOST = 20
"""How many runs of before are looked at: noise of long ago is of another machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A finished run of before on the same machine, and the outcomes of the base that it was made with."""

    run: Run
    outcomes: tuple[Outcome, ...]
    base: tuple[Outcome, ...] = ()


def prior_of(earlier: Sequence[Earlier], pair: Pair, metric: str, *, together: bool) -> Prior | None:
    """Return what is known of the variance of one difference, `None` where it is too little.

    Of sides that are measured `together` a difference is that of one block, and earlier comparisons of the
    same two groups tell of it. Else it is that of two runs, and earlier runs of the same group do; they are
    given newest first.
    """
    if together:
        sessions = [_differences(each, pair, metric) for each in earlier if each.base]
        return of_sessions([session for session in sessions if len(session) > 1])
    series = (_value(each, pair, metric) for each in reversed(earlier))
    return of_series([value for value in series if value is not None])


def _differences(each: Earlier, pair: Pair, metric: str) -> tuple[float, ...]:
    base, candidate = _like(pair.base, each.base), _like(pair.candidate, each.outcomes)
    found = costs(replace(pair, base=base, candidate=candidate), metric, together=True)
    return found.differences(metric) if found is not None and found.blocks else ()


def _value(each: Earlier, pair: Pair, metric: str) -> float | None:
    """Return the logarithm of a run's cost over the cases that are compared; `None` where it lacks one."""
    now = costs(pair, metric, together=False)
    then = costs(replace(pair, base=_like(pair.candidate, each.outcomes)), metric, together=False)
    if now is None or then is None or then.cases != now.cases:
        return None
    return math.fsum(then.base)


def _like(side: Sequence[Outcome], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return the outcomes with the names that a side has."""
    names = {tuple(name_on(axis, outcome) for axis in AXES) for outcome in side}
    return tuple(each for each in outcomes if tuple(name_on(axis, each) for axis in AXES) in names)
