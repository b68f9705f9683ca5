"""The straight line of a trial: passages, prompt, generation, measurement, scores, outcome; then a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from gemma_eval.errors import BackendError, PluginError, StoreError, TemplateError, UsageError
from gemma_eval.logs import cleared
from gemma_eval.logs.context import About
from gemma_eval.measure.events import icl_s, itl_s, made_how
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.measure.resources import watch
from gemma_eval.records import (
    Cached,
    Failure,
    Gating,
    Generation,
    Given,
    Outcome,
    Phase,
    Prompt,
    Report,
    Resources,
    Retrieved,
    Run,
    Trial,
)
from gemma_eval.stages import Stages
from gemma_eval.stats.summary import summarise

T = TypeVar("T")

_FAILS_A_TRIAL = (BackendError, TemplateError, PluginError, UsageError, StoreError)
"""What may go wrong with one trial; a profile that asks a model for a token it does not have is among it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What the model is to read, and how the passages in it were found."""

    prompt: Prompt
    retrieved: Retrieved


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """An answer of which a cache was asked, and what it said."""

    generation: Generation
    cached: Cached


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """What is left of an answer that was not made: why, and what had come of it."""

    failure: Failure
    partial: Generation | None = None


def run_trial(trial: Trial, stage: Stages) -> Outcome:
    """Make one generation, measure and score it; an error of engine, template or plugin is its failure."""
    with About(trial):
        if trial.cell.case.kind == "retrieval":
            return look_up(trial, stage)
        ready = prepare(trial, stage)
        if isinstance(ready, Broken):
            return outcome_of(trial, None, ready, stage=stage)
        with watching(stage) as taken:
            made = attempt(lambda: answered(ready.prompt, trial, stage))
        return outcome_of(trial, ready, made, stage=stage, resources=taken())


def answered(prompt: Prompt, trial: Trial, stage: Stages) -> Generation | Asked:
    """Have an answer made, or given again where the case has a cache. Raises what attempts catch."""
    if stage.answer is None or trial.cell.case.cache is None:
        return stage.generate(prompt, trial)
    generation, cached = stage.answer(prompt, trial, lambda: stage.generate(prompt, trial))
    return Asked(generation=generation, cached=cached)


def look_up(trial: Trial, stage: Stages) -> Outcome:
    """Find the passages of a trial that asks for nothing else, and score them."""
    found = attempt(lambda: stage.retrieve(trial))
    if isinstance(found, Broken):
        return Outcome(trial=trial, prompt=None, generation=None, measurement=None, failure=found.failure)
    prompt = Prompt(messages=(), text=None, n_tokens=None, passages=found.passages)
    return Outcome(
        trial=trial,
        prompt=prompt,
        generation=None,
        measurement=None,
        scores=stage.score(trial.cell.case, Given(passages=found.passages, trace=found.trace)),
        trace=found.trace,
    )


@contextmanager
def watching(stage: Stages) -> Iterator[Callable[[], Resources | Unwatched | None]]:
    """Watch what the engine takes; the result returns it afterwards, or why it cannot be known."""
    if stage.process_ids is not None and not stage.process_ids():
        yield lambda: "elsewhere"
        return
    if stage.is_shared or stage.beside():
        yield lambda: "shared" if stage.is_shared else "judge_loaded"
        return
    with watch(pids=stage.process_ids or ()) as watched:
        yield watched.reading


def prepare(trial: Trial, stage: Stages) -> Prepared | Broken:
    """Return what the model is to read, or why there is nothing."""

    def make() -> Prepared:
        retrieved = stage.retrieve(trial)
        return Prepared(prompt=stage.build_prompt(trial, retrieved), retrieved=retrieved)

    with About(trial):
        return attempt(make)


def attempt(make: Callable[[], T]) -> T | Broken:
    """Return what `make` makes, or what an error of engine, template or plugin has left of it."""
    try:
        return make()
    except _FAILS_A_TRIAL as error:
        partial = error.partial if isinstance(error, BackendError) else None
        return Broken(
            failure=cleared.failure(error.kind, error),
            partial=None if partial is None else cleared.answer(partial),
        )


def outcome_of(
    trial: Trial,
    ready: Prepared | None,
    made: Generation | Asked | Broken,
    *,
    stage: Stages,
    resources: Resources | Unwatched | None = None,
    phase: Phase = "measured",
) -> Outcome:
    """Measure and score what was made; of what broke off the stamps are kept, and nothing is scored."""
    case = trial.cell.case
    made, cached = (made.generation, made.cached) if isinstance(made, Asked) else (made, None)
    how = made_how(case, cached)
    if how == "cached":
        resources = "cached"
    generation = made.partial if isinstance(made, Broken) else made
    measurement = None
    if generation is not None:
        measurement = measure(generation, resources=resources, made=how, phase=phase)
    with About(trial):
        scores = () if isinstance(made, Broken) else stage.score(case, _given(ready, made))
    return Outcome(
        trial=trial,
        prompt=None if ready is None else ready.prompt,
        generation=generation,
        measurement=measurement,
        scores=scores,
        failure=made.failure if isinstance(made, Broken) else None,
        phase=phase,
        trace=None if ready is None else ready.retrieved.trace,
        cached=cached,
    )


def _given(ready: Prepared | None, generation: Generation) -> Given:
    """Return what scorers may judge of an answer and of what was made on the way to it."""
    if ready is None:
        return Given(generation=generation)
    found = ready.retrieved
    return Given(passages=found.passages, trace=found.trace, prompt=ready.prompt, generation=generation)


def make_report(run: Run, outcomes: Sequence[Outcome], *, gating: Gating | None = None) -> Report:
    """Summarise the outcomes of a run, and what became of its gates, for the reporters."""
    summaries = summarise(outcomes, gaps={"icl_s": icl_s, "itl_s": itl_s})
    return Report(run=run, outcomes=tuple(outcomes), summaries=summaries, gating=gating)
