"""Runs the trials of one cell: one by one, those of one prompt together, or as requests under a load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, PluginError
from gemma_eval.executors.afterwards import is_judged_afterwards, judged
from gemma_eval.logs.context import About
from gemma_eval.logs.redact import clear
from gemma_eval.measure.latency import Unwatched
from gemma_eval.measure.load import REAL, Slot, Time, drive, in_flight, phase
from gemma_eval.records import Case, Cell, Failure, Generation, Load, Outcome, Resources, Trial
from gemma_eval.run import Broken, Prepared, attempt, outcome_of, prepare, run_trial, watching
from gemma_eval.stages import Stages

MOST_TOGETHER = 32
"""How many trials are answered in one batch; each takes memory for what it has read and written."""


def run_trials(planned: Sequence[Trial], stage: Stages, *, time: Time = REAL) -> tuple[Outcome, ...]:
    """Run trials of one cell as `run_each` does, and return their outcomes when all are made."""
    return tuple(run_each(planned, stage, time=time))


def run_each(planned: Sequence[Trial], stage: Stages, *, time: Time = REAL) -> Iterator[Outcome]:
    """Run trials of one cell, and yield their outcomes in that order.

    Those of a case with a load are requests that arrive as it says; an interrupt comes after the outcomes of
    those that were answered before it. Those of a quality case are answered together where the engine can, in
    batches of at most `MOST_TOGETHER`: they share their prompt, and nobody times them. Other benchmarks are
    answered one by one, and so is a text that is read.
    """
    case = planned[0].cell.case if planned else None
    if case is not None and is_judged_afterwards(case):
        yield from _judged_together(_made_each(planned, stage, case=case, time=time), stage)
    else:
        yield from _made_each(planned, stage, case=case, time=time)


def _made_each(
    planned: Sequence[Trial], stage: Stages, *, case: Case | None, time: Time
) -> Iterator[Outcome]:
    if case is not None and case.load is not None:
        yield from _run_under_load(planned, stage, load=case.load, time=time)
    elif case is not None and stage.generate_batch is not None and _may_be_batched(case):
        for batch in _even_batches(planned):
            yield from _run_batch(batch, stage)
    else:
        for trial in planned:
            yield run_trial(trial, stage)


def as_far_as_it_went(made: Iterator[Outcome]) -> tuple[list[Outcome], BaseException | None]:
    """Return what is made before something is raised, and that."""
    outcomes: list[Outcome] = []
    try:
        outcomes.extend(made)  # keeps what came before an exception
    except BaseException as error:  # noqa: BLE001 - raised again by who has kept the outcomes
        return outcomes, error
    return outcomes, None


def warm_up(cell: Cell, stage: Stages) -> Outcome | None:
    """Generate as often as the case asks before it is measured; return the first outcome, which is cold."""
    trial = trials(cell)[0]
    stage = replace(stage, answer=None)  # what the cache knows is for the trials that count
    outcomes = [run_trial(trial, stage) for _ in range(cell.case.warmup)]
    return outcomes[0] if outcomes else None


def _judged_together(made: Iterator[Outcome], stage: Stages) -> Iterator[Outcome]:
    """Yield outcomes with the scores of checks that judge all of them or ask a model; the last is waited for.

    After an interrupt the outcomes made before it come without such scores, and then it.
    """
    outcomes, raised = as_far_as_it_went(made)
    if raised is not None:
        yield from outcomes
        raise raised
    yield from judged(outcomes, stage)


def _may_be_batched(case: Case) -> bool:
    return case.kind == "quality" and not case.is_read and case.cache is None


def _even_batches(planned: Sequence[Trial]) -> Iterator[Sequence[Trial]]:
    """Yield the trials in as few batches as may be, their sizes as equal as may be."""
    n_batches = -(-len(planned) // MOST_TOGETHER)
    for index in range(n_batches):
        yield planned[index * len(planned) // n_batches : (index + 1) * len(planned) // n_batches]


def _run_batch(batch: Sequence[Trial], stage: Stages) -> tuple[Outcome, ...]:
    """Answer trials of one prompt at once; what goes wrong with the batch fails each of them."""
    generate_batch = stage.generate_batch
    if len(batch) < 2 or generate_batch is None:
        return tuple(run_trial(trial, stage) for trial in batch)
    ready = prepare(batch[0], stage)
    if isinstance(ready, Broken):
        return tuple(outcome_of(trial, None, ready, stage=stage) for trial in batch)
    with watching(stage) as taken:
        made = attempt(lambda: generate_batch(ready.prompt, batch))
    resources = taken()
    answers: Sequence[Generation | Broken] = [made] * len(batch) if isinstance(made, Broken) else made
    return tuple(
        outcome_of(trial, ready, answer, stage=stage, resources=resources)
        for trial, answer in zip(batch, answers, strict=True)
    )


def _run_under_load(planned: Sequence[Trial], stage: Stages, *, load: Load, time: Time) -> Iterator[Outcome]:
    """Send the trials as requests; prompts are made before and answers scored after, out of the way.

    Requests of an open loop wait on this side for room on the engine, and that is in their latency. What is
    watched is the whole load. What raised, be it of the watch, goes on when the outcomes of all that was
    answered have been taken.
    """
    made: dict[int, Generation | Broken] = {}
    each_ready = [prepare(trial, stage) for trial in planned]
    most = stage.max_in_flight
    if most is not None and load.rate_per_s is not None:
        load = replace(load, max_in_flight=min(load.max_in_flight, most))
    if most is not None and most < in_flight(load):
        what = f"the load has {in_flight(load)} requests in flight, and the engine takes {most} at once"
        each_ready = [Broken(failure=Failure(kind=BackendError.kind, message=what))] * len(planned)

    def send(slot: Slot) -> None:
        ready, trial = each_ready[slot.index], planned[slot.index]
        made[slot.index] = ready if isinstance(ready, Broken) else _sent(ready, trial, stage, slot)

    raised, resources = _watched(
        lambda: drive(load, n=len(planned), seed=planned[0].cell.seed, send=send, time=time), stage
    )
    for index, (trial, ready) in enumerate(zip(planned, each_ready, strict=True)):
        if index in made:
            yield outcome_of(
                trial,
                ready if isinstance(ready, Prepared) else None,
                made[index],
                stage=stage,
                phase=phase(load, index=trial.repeat, n=trial.cell.case.repeats),
                resources=resources,
            )
    if raised is not None:
        raise raised


def _watched(
    run: Callable[[], object], stage: Stages
) -> tuple[BaseException | None, Resources | Unwatched | None]:
    """Return what `run` or the watch over it raised, and what it took; nobody knows if the watch broke."""
    raised: BaseException | None = None
    try:
        with watching(stage) as taken:
            try:
                run()
            except BaseException as error:  # noqa: BLE001 - raised again by who has kept the answers
                raised = error
        return raised, taken()
    except BaseException as error:  # noqa: BLE001 - so is this; an interrupt of the load comes before it
        return raised or error, "not_watched"


def _sent(ready: Prepared, trial: Trial, stage: Stages, slot: Slot) -> Generation | Broken:
    """Send one request of a load; the fault of a plugin must not cost the others."""
    try:
        with About(trial):
            return _stamped(attempt(lambda: stage.generate(ready.prompt, trial)), slot)
    except Exception as error:  # noqa: BLE001 - any fault of a plugin
        return Broken(
            failure=Failure(kind=PluginError.kind, message=clear(f"{type(error).__name__}: {error}"))
        )


def _stamped(made: Generation | Broken, slot: Slot) -> Generation | Broken:
    """Put on an answer, or on what came of one, when it was due and when it was taken up."""
    if isinstance(made, Broken):
        partial = None if made.partial is None else _with_stamps(made.partial, slot)
        return replace(made, partial=partial)
    return _with_stamps(made, slot)


def _with_stamps(generation: Generation, slot: Slot) -> Generation:
    return replace(generation, scheduled_ns=slot.scheduled_ns, dequeued_ns=slot.dequeued_ns)
