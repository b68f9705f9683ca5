"""What runs of before say of how much a cost differs where nothing does: the prior of its variance.

Noise is that of certain cases, asked of certain engines: the mean over eight cases varies less than one of
them does, and a short answer more than a long one. So a run of before tells something only where all of the
cases that are compared now were asked in it, with the same words, parameters and number of tokens, of engines
that were configured alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gemma_eval.records import EngineInfo, ModelSpec, Outcome, Run, SamplingProfile
from gemma_eval.stats.paired import Prior
from gemma_eval.stats.prior import of_series, of_sessions
from gemma_eval.verdict.cases import CaseKey, cases
from gemma_eval.verdict.comparable import is_engine_alike
from gemma_eval.verdict.costs import Costs, costs
from gemma_eval.verdict.sides import Pair

MOST = 20
"""How many runs of before are looked at: noise of long ago is of another machine."""

Engines = Mapping[str, EngineInfo]
"""Engines by the name of their model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A finished run of before on the same machine, and the outcomes of the base that it was made with.

    `base_engines` are those of that base, empty where they are not known.
    """

    run: Run
    outcomes: tuple[Outcome, ...]
    base: tuple[Outcome, ...] = ()
    base_engines: Engines = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """What is compared now, with the engines of each side, and which cases it is over."""

    pair: Pair
    keys: Collection[CaseKey]
    base_engines: Engines
    engines: Engines


def prior_of(
    earlier: Sequence[Earlier],
    pair: Pair,
    metric: str,
    *,
    together: bool,
    engines: tuple[Engines, Engines] = ({}, {}),
) -> Prior | None:
    """Return what is known of the variance of one difference, `None` where it is too little.

    Of sides that are measured `together` a difference is that of one block, and earlier comparisons of the
    same two groups tell of it. Else it is that of two runs, and earlier runs of the same group do; they are
    given newest first. `engines` are those of the base and of the candidate.
    """
    found = costs(pair, metric, together=together)
    if found is None:
        return None
    now = Now(pair=pair, keys=found.keys, base_engines=engines[0], engines=engines[1])
    if together:
        sessions = [_differences(each, now, metric) for each in earlier if each.base]
        return of_sessions([session for session in sessions if len(session) > 1])
    series = (_value(each, now, metric) for each in reversed(earlier))
    return of_series([value for value in series if value is not None])


def _differences(each: Earlier, now: Now, metric: str) -> tuple[float, ...]:
    """Return how much the blocks of an earlier comparison differed; none where it lacks a case."""
    base = _like(now.pair.base, each.base, now, engines=(now.base_engines, each.base_engines))
    candidate = _like(now.pair.candidate, each.outcomes, now, engines=(now.engines, each.run.engines))
    found = _over(now, replace(now.pair, base=base, candidate=candidate), metric, together=True)
    return found.differences(metric) if found is not None and found.blocks else ()


def _value(each: Earlier, now: Now, metric: str) -> float | None:
    """Return the logarithm of a run's cost over the cases that are compared; `None` where it lacks one."""
    then = _like(now.pair.candidate, each.outcomes, now, engines=(now.engines, each.run.engines))
    found = _over(now, replace(now.pair, base=then), metric, together=False)
    return None if found is None else math.fsum(found.base)


def _over(now: Now, then: Pair, metric: str, *, together: bool) -> Costs | None:
    """Return the costs of a pair of before, `None` where they are not over the cases of now."""
    found = costs(then, metric, together=together)
    return found if found is not None and found.keys == now.keys else None


def _like(
    side: Sequence[Outcome], then: Sequence[Outcome], now: Now, *, engines: tuple[Engines, Engines]
) -> tuple[Outcome, ...]:
    """Return the outcomes of before that ask what a side does, with its parameters, of engines like its."""
    settings = list(_settings(side))
    alike = tuple(
        each
        for each in then
        if _setting(each) in settings
        and is_engine_alike(*(of.get(each.trial.cell.model.name) for of in engines))
    )
    asked = cases(Pair(shared="", base=tuple(side), candidate=alike)).asked
    return tuple(outcome for each in asked if each.key in now.keys for outcome in each.candidate)


_Setting = tuple[ModelSpec, SamplingProfile, str, str]


def _settings(outcomes: Sequence[Outcome]) -> Iterator[_Setting]:
    """Yield how outcomes were made, each way once."""
    seen: list[_Setting] = []
    for setting in map(_setting, outcomes):
        if setting not in seen:
            seen.append(setting)
            yield setting


def _setting(outcome: Outcome) -> _Setting:
    """Return how an outcome was made; where the files of its model lie is no part of that."""
    cell = outcome.trial.cell
    model = replace(cell.model, location="", chat_template=None)
    return model, cell.profile, cell.template.name, cell.retrieval.name
