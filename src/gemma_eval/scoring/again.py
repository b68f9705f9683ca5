"""The answers to a case, scored again by other checks than those of then; nothing is generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gemma_eval.protocols import Services
from gemma_eval.records import Case, Check, ModelSpec, Outcome, Score, Source
from gemma_eval.scoring.check import Build, score, score_repeats, unscored_yet, with_demand

NOT_ASKED = "it asks a model, which was not asked when the answers were scored again"


def asks_the_same(then: Case, now: Case) -> bool:
    """Return whether an answer to the one case is one to the other: their prompts are made of the same.

    How a case is judged, how often it is asked, and what it is called beside its id are another matter.
    """
    return _question(then) == _question(now)


def judged_as(then: Case, now: Case) -> Case:
    """Return the case that was asked, judged as the other one says."""
    return replace(then, checks=now.checks, target=now.target, reduce=now.reduce, k=now.k)


def again(
    outcomes: Sequence[Outcome],
    case: Case,
    *,
    build: Build,
    judges: tuple[ModelSpec, ...] = (),
    services: Services | None = None,
) -> tuple[Outcome, ...]:
    """Return the outcomes of all repeats of one cell with the scores that the checks of `case` give them.

    Without `services` a check that asks a model keeps the score that it had, and has none where it is new.
    """
    whole = all(outcome.failure is None and outcome.generation is not None for outcome in outcomes)
    made = [outcome.generation for outcome in outcomes if outcome.generation is not None]
    over = [
        score_repeats(check, case, made, build=build) if check.over_repeats and whole and made else None
        for check in case.checks
    ]
    return tuple(
        replace(
            outcome,
            trial=replace(outcome.trial, cell=replace(outcome.trial.cell, case=case, judges=judges)),
            scores=tuple(_scores(outcome, case, over, build=build, services=services)),
        )
        for outcome in outcomes
    )


def _scores(
    outcome: Outcome,
    case: Case,
    over: Sequence[Score | None],
    *,
    build: Build,
    services: Services | None,
) -> Iterator[Score]:
    if outcome.failure is not None or outcome.generation is None:
        return
    for check, together in zip(case.checks, over, strict=True):
        if together is not None:
            yield together
        elif check.judges and services is None:
            yield _kept(outcome, check) or unscored_yet(check, NOT_ASKED)
        else:
            yield score(check, case, outcome.generation, build=build, services=services)


def _kept(outcome: Outcome, check: Check) -> Score | None:
    """Return the score that the same check gave before, with what is demanded of it now."""
    before = outcome.trial.cell.case.checks
    for known, given in zip(before, outcome.scores, strict=False):
        if _undemanding(known) == _undemanding(check):
            return with_demand(check, given)
    return None


def _undemanding(check: Check) -> Check:
    return replace(check, pass_at=None, weight=1.0, must_pass=False)


def _question(case: Case) -> Case:
    """Return what a case asks, without how it is judged and where it stands."""
    return replace(
        case,
        checks=(),
        target=None,
        reduce="mean",
        k=None,
        source=Source(path="", line=0),
        models=(),
        profiles=(),
        templates=(),
        tags=(),
        repeats=1,
        warmup=0,
        slo=None,
        cluster=None,
        series=None,
        variables={},
        dataset=None,
    )
