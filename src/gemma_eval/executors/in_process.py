"""Runs cells in this process, with one loaded engine at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gemma_eval.backends.nobody import NOBODY
from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, GemmaEvalError
from gemma_eval.executors.trials import as_far_as_it_went, run_each, warm_up
from gemma_eval.logs import cleared
from gemma_eval.logs.context import About
from gemma_eval.logs.events import emit, is_on
from gemma_eval.measure.clock import clock as monotonic
from gemma_eval.protocols import Backend, Clock
from gemma_eval.records import Cell, EngineInfo, ModelSpec, Outcome, Trial
from gemma_eval.stages import Stages


@dataclass(frozen=True, kw_only=True, slots=True)
class CellResult:
    """The outcomes of a cell in the order of its repeats; those that are not `fresh` were recorded before.

    `engine` is `None` when nothing was generated now. Its `cold_ttft_s` is that of the first generation here,
    and means what it says in the first result of an engine, which is the one that is recorded.
    `raised` ended the cell before all of it was run, as Ctrl-C does: the outcomes are those made before.
    """

    outcomes: tuple[Outcome, ...]
    fresh: tuple[Outcome, ...]
    engine: EngineInfo | None
    raised: BaseException | None = None
    judges: Mapping[str, EngineInfo] = field(default_factory=dict)


@dataclass(kw_only=True)
class Engines:
    """The engine in use: loaded when a cell needs it, closed when another model is asked for.

    A model that could not be loaded is not tried again; every later cell gets the same error.
    `load_s` is what loading the engine in use took, in seconds.
    """

    load: Callable[[ModelSpec], Backend]
    clock: Clock = monotonic
    load_s: float | None = field(default=None, init=False)
    _loaded: tuple[ModelSpec, Backend] | None = field(default=None, init=False)
    _failed: list[tuple[ModelSpec, GemmaEvalError]] = field(default_factory=list, init=False)

    def get(self, spec: ModelSpec) -> Backend:
        """Return the engine of a model. Raises BackendError."""
        if self._loaded is not None and self._loaded[0] == spec:
            return self._loaded[1]
        for failed, error in self._failed:
            if failed == spec:
                raise error
        self.close()
        began_ns = self.clock()
        with About(spec):
            backend = self._load(spec)
            self.load_s = (self.clock() - began_ns) / 1e9
            _tell_loaded(backend, self.load_s)
        self._loaded = (spec, backend)
        return backend

    @property
    def in_use(self) -> Backend | None:
        """The engine in use, `None` when none is."""
        return None if self._loaded is None else self._loaded[1]

    def of(self, spec: ModelSpec) -> Backend | None:
        """Return the engine in use if it is that of a model; nothing is loaded or closed."""
        return self._loaded[1] if self._loaded is not None and self._loaded[0] == spec else None

    def close(self) -> None:
        """Free the engine in use; a second call does nothing."""
        if self._loaded is not None:
            _, backend = self._loaded
            self._loaded = None
            backend.close()

    def _load(self, spec: ModelSpec) -> Backend:
        try:
            return self.load(spec)
        except GemmaEvalError as error:
            self._failed.append((spec, error))
            emit("engine_failed", failure_kind=error.kind, failure_message=str(error))
            raise
        except Exception as error:
            # The first cell shows the traceback of a faulty plugin, the others one line.
            what = f'model "{spec.name}" did not load: {type(error).__name__}: {error}'
            self._failed.append((spec, BackendError(what)))
            emit("engine_failed", failure_kind=type(error).__name__, failure_message=what)
            raise


def run_cell(
    cell: Cell,
    *,
    engines: Engines,
    join: Callable[[Backend], Stages],
    recorded: Mapping[str, Outcome],
    is_warm: bool = False,
) -> CellResult:
    """Run the trials of a cell whose keys are not `recorded`; a model that does not load fails them.

    A case that asks for passages alone needs no engine. One is warmed up as the case says, unless it
    `is_warm` from another row of the dataset. A load of which a part is recorded is run again as a whole, for
    two halves are no load, and so are repeats that are judged together; which of the two is kept is for who
    records them. Where its model does not load the part stays as it is, and the error is raised.
    """
    with About(cell):
        return _run_missing(cell, engines=engines, join=join, recorded=recorded, is_warm=is_warm)


def _run_missing(
    cell: Cell,
    *,
    engines: Engines,
    join: Callable[[Backend], Stages],
    recorded: Mapping[str, Outcome],
    is_warm: bool,
) -> CellResult:
    planned = trials(cell)
    # A key takes longer than a short answer, so that none is made when nothing is recorded.
    found = [recorded.get(trial.key) if recorded else None for trial in planned]
    kept = [each for each in found if each is not None]
    missing = [trial for trial, each in zip(planned, found, strict=True) if each is None]
    if not missing:
        return CellResult(outcomes=tuple(kept), fresh=(), engine=None)
    emit("cell_started", kind=cell.case.kind, planned=len(missing))
    is_begun_whole = cell.case.is_whole and bool(kept)
    if cell.case.kind == "retrieval":
        made, raised = as_far_as_it_went(run_each(missing, join(NOBODY)))
        return _result(kept, made, raised=raised)
    try:
        backend = engines.get(cell.model)
    except GemmaEvalError as error:
        if is_begun_whole:
            raise
        return _result(kept, [_not_loaded(trial, error) for trial in missing])
    if is_begun_whole:
        kept, missing = [], list(planned)
    stage = join(backend)
    first = None if is_warm else warm_up(cell, stage)
    fresh, raised = as_far_as_it_went(run_each(missing, stage))
    cold_ttft_s = _ttft_s(first or next(iter(fresh), None))
    engine = replace(backend.info(), load_s=engines.load_s, cold_ttft_s=cold_ttft_s)
    return _result(kept, fresh, engine=engine, raised=raised)


def _tell_loaded(backend: Backend, load_s: float) -> None:
    if is_on():
        info = backend.info()
        emit("engine_loaded", engine=info.engine, version=info.version, load_s=load_s)


def _result(
    kept: Sequence[Outcome],
    fresh: Sequence[Outcome],
    *,
    engine: EngineInfo | None = None,
    raised: BaseException | None = None,
) -> CellResult:
    fresh = tuple(map(cleared.outcome, fresh))
    if is_on():
        emit("cell_finished", trials=len(fresh), failed=sum(each.failure is not None for each in fresh))
    outcomes = sorted((*kept, *fresh), key=lambda outcome: outcome.trial.repeat)
    engine = None if engine is None else cleared.engine(engine)
    return CellResult(outcomes=tuple(outcomes), fresh=fresh, engine=engine, raised=raised)


def _ttft_s(outcome: Outcome | None) -> float | None:
    """Return the time to first token of an outcome: that of a cold engine, where it is the first of all."""
    return None if outcome is None or outcome.measurement is None else outcome.measurement.ttft_s


def _not_loaded(trial: Trial, error: GemmaEvalError) -> Outcome:
    failure = cleared.failure(error.kind, error)
    return Outcome(trial=trial, prompt=None, generation=None, measurement=None, failure=failure)
