"""The stages that are registered, joined for one loaded engine: callables that do not know each other."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma_eval.backends import reading
from gemma_eval.backends.whole import whole
from gemma_eval.errors import BackendError, PluginError
from gemma_eval.logs import cleared
from gemma_eval.measure.clock import clock
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
    Cached,
    Case,
    Check,
    Generation,
    Given,
    ModelSpec,
    Prompt,
    Retrieved,
    Score,
    Trial,
)
from gemma_eval.retrieving import Retrieving
from gemma_eval.scoring import check as checks

Retrieve = Callable[[Trial, Backend | None], Retrieved]
"""Finds the passages of a trial that a backend is asked with, of which there may be none."""
Answer = Callable[[Prompt, Trial, Callable[[], Generation]], tuple[Generation, Cached]]
"""Gives the answer to a trial again and says so, or has it made."""

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
    one and its children, `None` when it does not. Where the case has a cache, `answer` gives an answer again
    or has it made.
    """

    retrieve: Callable[[Trial], Retrieved]
    build_prompt: Callable[[Trial, Retrieved], Prompt]
    generate: Callable[[Prompt, Trial], Generation]
    score: Callable[[Case, Given], tuple[Score, ...]]
    generate_batch: Callable[[Prompt, Sequence[Trial]], tuple[Generation, ...]] | None = None
    max_in_flight: int | None = 1
    process_ids: Callable[[], Sequence[int]] | None = None
    score_repeats: Callable[[Case, Sequence[Generation]], tuple[Score | None, ...]] = _no_scores
    judge: Callable[[Case, Generation], tuple[Score | None, ...]] = _no_scores
    beside: Callable[[], bool] = lambda: False
    is_shared: bool = False
    answer: Answer | None = None


def stages(
    registry: Registry,
    backend: Backend,
    *,
    retrieve: Retrieve | None = None,
    services: Services | None = None,
    beside: Callable[[], bool] = lambda: False,
    nonce: Callable[[], str] = lambda: secrets.token_hex(4),
) -> Stages:
    """Join the registered stages for one loaded backend.

    `retrieve` finds the passages of a trial, by what is registered where it is left out. `services` are what
    scorers may use beside an answer, and `beside` says whether that is in memory now, where what the engine
    takes cannot be told from it. `nonce` begins the prompt of a benchmark on an engine that keeps what it has
    read.
    """
    find = Retrieving(registry=registry).retrieve if retrieve is None else retrieve
    # Asked once: whether an object has the shape of a protocol takes longer than a short prompt.
    keeps = isinstance(backend, PrefixCachingBackend) and backend.caches_prefixes
    once = backend.generate_once if isinstance(backend, RetryingBackend) else backend.generate
    build_scorer = scorer_builder(registry)
    return Stages(
        retrieve=lambda trial: (
            find(trial, backend if trial.cell.asks_model else None) if _wants_passages(trial) else Retrieved()
        ),
        build_prompt=lambda trial, retrieved: build(
            trial.cell,
            passages=retrieved.passages,
            chat_template=trial.cell.model.chat_template or backend.chat_template,
            count_tokens=backend.count_tokens,
            context_tokens=backend.info().context_tokens,
            nonce=nonce() if keeps and trial.cell.case.kind == "benchmark" else None,
            clock=clock,
        ),
        generate=lambda prompt, trial: _answer(prompt, trial, backend, once=once, build=build_scorer),
        score=lambda case, given: tuple(
            checks.unscored_yet(check, "it was not judged")
            if check.judges
            else _score(check, case, given, build=build_scorer, services=services)
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


def _score(
    check: Check, case: Case, given: Given, *, build: checks.Build, services: Services | None
) -> Score:
    """Score what the check is about: the passages that were found, or the answer."""
    if check.of_passages or given.generation is None:
        return checks.score_passages(check, case, given, build=build)
    return checks.score(check, case, given.generation, build=build, services=services)


def _answer(
    prompt: Prompt,
    trial: Trial,
    backend: Backend,
    *,
    once: Callable[..., Generation],
    build: checks.Build,
) -> Generation:
    """Return an answer with all that it must have, and without the keys that its model was asked with."""
    made = _generate(prompt, trial, backend, once=once, build=build)
    return cleared.answer(whole(made, backend=trial.cell.model.backend))


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


def _wants_passages(trial: Trial) -> bool:
    """Whether passages are asked for: by a case that wants nothing else, or by a template that shows them."""
    return trial.cell.case.kind == "retrieval" or uses_retrieval(trial.cell.template)
