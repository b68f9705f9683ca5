"""The straight line of a trial: prompt, generation, measurement, scores, outcome; of outcomes a report."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from gemma_eval.backends.whole import whole
from gemma_eval.errors import BackendError, PluginError, TemplateError, UsageError
from gemma_eval.measure.events import Making, icl_s, itl_s
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.measure.resources import watch
from gemma_eval.plugins import Registry
from gemma_eval.prompts.build import build
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.protocols import (
    Backend,
    BatchBackend,
    Clock,
    ConcurrentBackend,
    PrefixCachingBackend,
    ReadingBackend,
    RetryingBackend,
    ServingBackend,
)
from gemma_eval.records import (
    Case,
    Check,
    Failure,
    Gating,
    Generation,
    ModelSpec,
    Outcome,
    Passage,
    Phase,
    Prompt,
    Report,
    Resources,
    Run,
    Score,
    Trial,
)
from gemma_eval.stats.summary import summarise

T = TypeVar("T")

_FAILS_A_TRIAL = (BackendError, TemplateError, PluginError, UsageError)
"""What may go wrong with one trial; a profile that asks a model for a token it does not have is among it."""


def load_backend(spec: ModelSpec, registry: Registry, *, clock: Clock) -> Backend:
    """Load the engine of a model. Raises BackendError, UnknownName."""
    return registry.backends.find(spec.backend)(spec, clock=clock, transforms=registry.transforms)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of one model's trials, as callables that do not know each other.

    `generate_batch` answers one prompt for several trials at once; `None` when the engine cannot.
    `max_in_flight` is how many threads may generate at once: 1 unless the engine serves several, `None`
    when nothing limits them. `process_ids` asks for the processes of an engine that runs in others than this
    one and its children, `None` when it does not.
    """

    retrieve: Callable[[Trial], tuple[Passage, ...]]
    build_prompt: Callable[[Trial, tuple[Passage, ...]], Prompt]
    generate: Callable[[Prompt, Trial], Generation]
    score: Callable[[Case, Generation], tuple[Score, ...]]
    generate_batch: Callable[[Prompt, Sequence[Trial]], tuple[Generation, ...]] | None = None
    max_in_flight: int | None = 1
    process_ids: Callable[[], Sequence[int]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """What is left of an answer that was not made: why, and what had come of it."""

    failure: Failure
    partial: Generation | None = None


def stages(
    registry: Registry, backend: Backend, *, nonce: Callable[[], str] = lambda: secrets.token_hex(4)
) -> Stages:
    """Join the registered stages for one loaded backend.

    `nonce` begins the prompt of a benchmark on an engine that keeps what it has read.
    """
    # Asked once: whether an object has the shape of a protocol takes longer than a short prompt.
    keeps = isinstance(backend, PrefixCachingBackend) and backend.caches_prefixes
    once = backend.generate_once if isinstance(backend, RetryingBackend) else backend.generate
    return Stages(
        retrieve=lambda trial: _retrieve(trial, registry),
        build_prompt=lambda trial, passages: build(
            trial.cell,
            passages=passages,
            chat_template=trial.cell.model.chat_template or backend.chat_template,
            count_tokens=backend.count_tokens,
            context_tokens=backend.info().context_tokens,
            nonce=nonce() if keeps and trial.cell.case.kind == "benchmark" else None,
        ),
        generate=lambda prompt, trial: whole(
            _generate(prompt, trial, backend, once=once), backend=trial.cell.model.backend
        ),
        score=lambda case, generation: tuple(
            _score(check, case, generation, registry) for check in case.checks
        ),
        generate_batch=_batch_of(backend) if isinstance(backend, BatchBackend) else None,
        max_in_flight=backend.max_in_flight if isinstance(backend, ConcurrentBackend) else 1,
        process_ids=(lambda: backend.process_ids) if isinstance(backend, ServingBackend) else None,
    )


def run_trial(trial: Trial, stage: Stages) -> Outcome:
    """Make one generation, measure and score it; an error of engine, template or plugin is its failure."""
    prompt = prepare(trial, stage)
    if isinstance(prompt, Broken):
        return outcome_of(trial, None, prompt, stage=stage)
    with watching(stage) as taken:
        made = attempt(lambda: stage.generate(prompt, trial))
    return outcome_of(trial, prompt, made, stage=stage, resources=taken())


@contextmanager
def watching(stage: Stages) -> Iterator[Callable[[], Resources | Unwatched | None]]:
    """Watch what the engine takes; the result returns it afterwards, or why it cannot be known."""
    if stage.process_ids is not None and not stage.process_ids():
        yield lambda: "elsewhere"
        return
    with watch(pids=stage.process_ids or ()) as watched:
        yield watched.reading


def prepare(trial: Trial, stage: Stages) -> Prompt | Broken:
    """Return what the model is to read, or why there is nothing."""
    return attempt(lambda: stage.build_prompt(trial, stage.retrieve(trial)))


def attempt(make: Callable[[], T]) -> T | Broken:
    """Return what `make` makes, or what an error of engine, template or plugin has left of it."""
    try:
        return make()
    except _FAILS_A_TRIAL as error:
        failure = Failure(kind=error.kind, message=str(error))
        return Broken(failure=failure, partial=error.partial if isinstance(error, BackendError) else None)


def outcome_of(
    trial: Trial,
    prompt: Prompt | None,
    made: Generation | Broken,
    *,
    stage: Stages,
    resources: Resources | Unwatched | None = None,
    phase: Phase = "measured",
) -> Outcome:
    """Measure and score what was made; of what broke off the stamps are kept, and nothing is scored."""
    case = trial.cell.case
    how: Making = "written" if case.continuation is None else "read"
    generation = made.partial if isinstance(made, Broken) else made
    measurement = None
    if generation is not None:
        measurement = measure(generation, resources=resources, made=how, phase=phase)
    return Outcome(
        trial=trial,
        prompt=prompt,
        generation=generation,
        measurement=measurement,
        scores=() if isinstance(made, Broken) else stage.score(case, made),
        failure=made.failure if isinstance(made, Broken) else None,
        phase=phase,
    )


def make_report(run: Run, outcomes: Sequence[Outcome], *, gating: Gating | None = None) -> Report:
    """Summarise the outcomes of a run, and what became of its gates, for the reporters."""
    summaries = summarise(outcomes, gaps={"icl_s": icl_s, "itl_s": itl_s})
    return Report(run=run, outcomes=tuple(outcomes), summaries=summaries, gating=gating)


def _generate(
    prompt: Prompt, trial: Trial, backend: Backend, *, once: Callable[..., Generation]
) -> Generation:
    """Have the answer of a trial written, a benchmark's in one attempt, or its continuation read.

    Raises BackendError.
    """
    continuation = trial.cell.case.continuation
    if continuation is None:
        generate = once if trial.cell.case.kind == "benchmark" else backend.generate
        return generate(prompt, profile=trial.cell.profile, seed=trial.seed)
    if not isinstance(backend, ReadingBackend):
        name = trial.cell.model.backend
        raise BackendError(f'the backend "{name}" cannot read a continuation: it has no method read')
    return backend.read(prompt, continuation=continuation)


def _batch_of(backend: BatchBackend) -> Callable[[Prompt, Sequence[Trial]], tuple[Generation, ...]]:
    def generate_batch(prompt: Prompt, batch: Sequence[Trial]) -> tuple[Generation, ...]:
        seeds = [trial.seed for trial in batch]
        made = backend.generate_batch(prompt, profile=batch[0].cell.profile, seeds=seeds)
        if len(made) != len(batch):
            raise PluginError(f"generate_batch gave {len(made)} answers to {len(batch)} seeds")
        return tuple(whole(each, backend=batch[0].cell.model.backend) for each in made)

    return generate_batch


def _retrieve(trial: Trial, registry: Registry) -> tuple[Passage, ...]:
    cell = trial.cell
    if not uses_retrieval(cell.template) or not cell.case.documents:
        return ()
    retriever = registry.retrievers.find(cell.retrieval.retriever)(cell.case.documents)
    return retriever.search(cell.case.query, k=cell.retrieval.top_k)


def _score(check: Check, case: Case, generation: Generation, registry: Registry) -> Score:
    """Score one answer; a demand on an answer that could not be scored is missed."""
    scorer = registry.scorers.find(check.scorer)(check.options)
    try:
        score = _checked(scorer(case, generation))
    except Exception as error:  # noqa: BLE001 - a plugin's fault must not cost the generation that was made
        reason = f"{type(error).__name__}: {error}"
        score = Score(scorer=check.scorer, value=None, passed=None, unscored=reason)
    if check.pass_at is None:
        return replace(score, passed=None)
    return replace(score, passed=score.value is not None and score.value >= check.pass_at)


def _checked(score: Score) -> Score:
    """Return what a scorer gave, its value as a plain float. Raises PluginError when it is no score."""
    if not isinstance(score, Score):
        raise PluginError(f"the scorer returned {score!r}; it should return a Score")
    if score.value is None:
        return score
    value = float(score.value)
    if not 0 <= value <= 1:
        raise PluginError(f"the scorer returned the value {score.value!r}; it should lie in 0..1")
    return replace(score, value=value)
