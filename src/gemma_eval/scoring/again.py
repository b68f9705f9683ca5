"""The answers to a case, scored again by other checks than those of then; nothing is generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gemma_eval.protocols import Services
from gemma_eval.records import Case, Cell, Check, Given, ModelSpec, Outcome, Passage, Score, Source
from gemma_eval.scoring.check import (
    Build,
    score,
    score_passages,
    score_repeats,
    unscored_yet,
    with_demand,
)

NOT_ASKED = "it asks a model, which was not asked when the answers were scored again"


def asks_the_same(then: Cell, now: Case) -> bool:
    """Return whether an answer in a cell is one to the case: their prompts are made of the same.

    How a case is judged, how often it is asked, and what it is called beside its id are another matter. What
    is relevant belongs to the judging, unless it was what the retrieval gave.
    """
    if then.retrieval.retriever == "oracle" and then.case.relevant != now.relevant:
        return False
    return _question(then.case) == _question(now)


def judged_as(then: Case, now: Case) -> Case:
    """Return the case that was asked, judged as the other one says."""
    return replace(
        then, checks=now.checks, target=now.target, relevant=now.relevant, reduce=now.reduce, k=now.k
    )


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


def given_of(outcome: Outcome) -> Given:
    """Return what a scorer of passages judges, of an outcome as it is stored.

    The passages that were found are those of the prompt and those that did not fit it, by their ranks; one
    that was cut to fit has its whole text where that was kept.
    """
    prompt = outcome.prompt
    whole: dict[str, Passage] = {}
    for passage in () if prompt is None else (*prompt.passages, *prompt.dropped):
        known = whole.get(passage.id)
        if known is None or len(passage.text) > len(known.text):
            whole[passage.id] = passage
    return Given(
        passages=tuple(sorted(whole.values(), key=lambda passage: passage.rank)),
        trace=outcome.trace,
        prompt=None if outcome.trial.cell.case.kind == "retrieval" else prompt,
        generation=outcome.generation,
    )


def _scores(
    outcome: Outcome,
    case: Case,
    over: Sequence[Score | None],
    *,
    build: Build,
    services: Services | None,
) -> Iterator[Score]:
    looked_up = case.kind == "retrieval" and outcome.prompt is not None
    if outcome.failure is not None or (outcome.generation is None and not looked_up):
        return
    for check, together in zip(case.checks, over, strict=True):
        if together is not None:
            yield together
        elif check.judges and services is None:
            yield _kept(outcome, check) or unscored_yet(check, NOT_ASKED)
        elif check.of_passages or outcome.generation is None:
            yield score_passages(check, case, given_of(outcome), build=build)
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
        retrievals=(),
        relevant=(),
        tags=(),
        repeats=1,
        warmup=0,
        slo=None,
        cluster=None,
        series=None,
        variables={},
        dataset=None,
    )
