"""The straight line of a trial: prompt, generation, measurement, scores, outcome; of outcomes a report."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from gemma_eval.backends import reading
from gemma_eval.backends.whole import whole
from gemma_eval.errors import BackendError, PluginError, TemplateError, UsageError
from gemma_eval.measure.events import Making, icl_s, itl_s
from gemma_eval.measure.latency import Unwatched, measure
from gemma_eval.measure.resources import watch
from gemma_eval.plugins import Registry
from gemma_eval.prompts.build import build
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.protocols import (
    AnyScorer,
    Backend,
    BatchBackend,
    Clock,
    ConcurrentBackend,
    PrefixCachingBackend,
    ReadingBackend,
    RetryingBackend,
    Services,
    ServingBackend,
    needs_unconditional,
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
from gemma_eval.scoring import check as checks
from gemma_eval.stats.summary import summarise

T = TypeVar("T")

_FAILS_A_TRIAL = (BackendError, TemplateError, PluginError, UsageError)
"""What may go wrong with one trial; a profile that asks a model for a token it does not have is among it."""

_MOST_SCORERS = 32
"""How many scorers are kept at hand; those of a dataset have options of their own in each row."""


def load_backend(spec: ModelSpec, registry: Registry, *, clock: Clock) -> Backend:
    """Load the engine of a model. Raises BackendError, UnknownName."""
    return registry.backends.find(spec.backend)(spec, clock=clock, transforms=registry.transforms)


def _no_scores(case: Case, answers: object) -> tuple[None, ...]:
    return (None,) * len(case.checks)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of one model's trials, as callables that do not know each other.

    `score_repeats` gives the scores of those checks that judge all answers to a case at once, and `None` for
    the others, and `judge` those of checks that ask a model, which waits until nothing is measured any more.
    `beside` says whether engines of judges are in memory. With `is_shared` other trials are made meanwhile,
    and nobody can tell what one of them takes. `generate_batch` answers one prompt for several
    trials at once; `None` when the engine cannot.
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
    score_repeats: Callable[[Case, Sequence[Generation]], tuple[Score | None, ...]] = _no_scores
    judge: Callable[[Case, Generation], tuple[Score | None, ...]] = _no_scores
    beside: Callable[[], bool] = lambda: False
    is_shared: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """What is left of an answer that was not made: why, and what had come of it."""

    failure: Failure
    partial: Generation | None = None


def stages(
    registry: Registry,
    backend: Backend,
    *,
    services: Services | None = None,
    beside: Callable[[], bool] = lambda: False,
    nonce: Callable[[], str] = lambda: secrets.token_hex(4),
) -> Stages:
    """Join the registered stages for one loaded backend.

    `services` are what scorers may use beside an answer, and `beside` says whether that is in memory now,
    where what the engine takes cannot be told from it. `nonce` begins the prompt of a benchmark on an
    engine that keeps what it has read.
    """
    # Asked once: whether an object has the shape of a protocol takes longer than a short prompt.
    keeps = isinstance(backend, PrefixCachingBackend) and backend.caches_prefixes
    once = backend.generate_once if isinstance(backend, RetryingBackend) else backend.generate
    build_scorer = scorer_builder(registry)
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
            _generate(prompt, trial, backend, once=once, build=build_scorer),
            backend=trial.cell.model.backend,
        ),
        score=lambda case, generation: tuple(
            checks.unscored_yet(check, "it was not judged")
            if check.judges
            else checks.score(check, case, generation, build=build_scorer, services=services)
            for check in case.checks
        ),
        judge=lambda case, generation: tuple(
            checks.score(check, case, generation, build=build_scorer, services=services)
            if check.judges
            else None
            for check in case.checks
        ),
        beside=beside,
        score_repeats=lambda case, generations: tuple(
            checks.score_repeats(check, case, generations, build=build_scorer) if check.over_repeats else None
            for check in case.checks
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
    if stage.is_shared or stage.beside():
        yield lambda: "shared" if stage.is_shared else "judge_loaded"
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
    how: Making = "read" if case.is_read else "written"
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


def scorer_builder(registry: Registry) -> checks.Build:
    """Return what builds the scorer of a check, each once."""
    built: list[tuple[Check, AnyScorer]] = []

    def build(check: Check) -> AnyScorer:
        for known, scorer in built:
            if known == check:
                return scorer
        scorer = registry.scorers.find(check.scorer)(check.options)
        built[:0] = [(check, scorer)]
        del built[_MOST_SCORERS:]
        return scorer

    return build


def _generate(
    prompt: Prompt,
    trial: Trial,
    backend: Backend,
    *,
    once: Callable[..., Generation],
    build: checks.Build,
) -> Generation:
    """Have the answer of a trial written, a benchmark's in one attempt, or what its case names be read.

    Raises BackendError.
    """
    case = trial.cell.case
    if case.is_read and not isinstance(backend, ReadingBackend):
        what = "choices" if case.choices else "a continuation"
        name = trial.cell.model.backend
        raise BackendError(f'the backend "{name}" cannot read {what}: it has no method read')
    if case.continuation is not None and isinstance(backend, ReadingBackend):
        return reading.read(backend, prompt, continuation=case.continuation)
    if case.choices and isinstance(backend, ReadingBackend):
        return reading.read_choices(
            backend,
            prompt,
            choices=[case.delimiter + choice for choice in case.choices],
            unconditional=any(needs_unconditional(build(check)) for check in case.checks),
        )
    generate = once if case.kind == "benchmark" else backend.generate
    return generate(prompt, profile=trial.cell.profile, seed=trial.seed)


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
