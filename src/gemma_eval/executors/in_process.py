"""Runs cells in this process, with one loaded engine at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, GemmaEvalError
from gemma_eval.executors.trials import run_trials, warm_up
from gemma_eval.protocols import Backend, Clock
from gemma_eval.records import Cell, EngineInfo, Failure, ModelSpec, Outcome, Trial
from gemma_eval.run import Stages


@dataclass(frozen=True, kw_only=True, slots=True)
class CellResult:
    """The outcomes of a cell in the order of its repeats; those that are not `fresh` were recorded before.

    `engine` is `None` when nothing was generated now. Its `cold_ttft_s` is that of the first generation here,
    and means what it says in the first result of an engine, which is the one that is recorded.
    """

    outcomes: tuple[Outcome, ...]
    fresh: tuple[Outcome, ...]
    engine: EngineInfo | None


@dataclass(kw_only=True)
class Engines:
    """The engine in use: loaded when a cell needs it, closed when another model is asked for.

    A model that could not be loaded is not tried again; every later cell gets the same error.
    `load_s` is what loading the engine in use took, in seconds.
    """

    load: Callable[[ModelSpec], Backend]
    clock: Clock = time.perf_counter_ns
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
        backend = self._load(spec)
        self.load_s = (self.clock() - began_ns) / 1e9
        self._loaded = (spec, backend)
        return backend

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
            raise
        except Exception as error:
            # The first cell shows the traceback of a faulty plugin, the others one line.
            what = f'model "{spec.name}" did not load: {type(error).__name__}: {error}'
            self._failed.append((spec, BackendError(what)))
            raise


def run_cell(
    cell: Cell,
    *,
    engines: Engines,
    join: Callable[[Backend], Stages],
    recorded: Mapping[str, Outcome],
) -> CellResult:
    """Run the trials of a cell whose keys are not `recorded`; a model that does not load fails them."""
    planned = {trial.key: trial for trial in trials(cell)}
    missing = {key: trial for key, trial in planned.items() if key not in recorded}
    if not missing:
        return CellResult(outcomes=tuple(recorded[key] for key in planned), fresh=(), engine=None)
    try:
        backend = engines.get(cell.model)
    except GemmaEvalError as error:
        fresh, engine = _not_loaded(missing.values(), error), None
    else:
        stage = join(backend)
        first = warm_up(cell, stage)
        fresh = run_trials(tuple(missing.values()), stage)
        cold_ttft_s = _ttft_s(first or fresh[0])
        engine = replace(backend.info(), load_s=engines.load_s, cold_ttft_s=cold_ttft_s)
    made = dict(zip(missing, fresh, strict=True))
    outcomes = tuple(made[key] if key in made else recorded[key] for key in planned)
    return CellResult(outcomes=outcomes, fresh=fresh, engine=engine)


def _ttft_s(outcome: Outcome) -> float | None:
    """Return the time to first token of an outcome: that of a cold engine, where it is the first of all."""
    return None if outcome.measurement is None else outcome.measurement.ttft_s


def _not_loaded(missing: Iterable[Trial], error: GemmaEvalError) -> tuple[Outcome, ...]:
    failure = Failure(kind=error.kind, message=str(error))
    return tuple(
        Outcome(trial=trial, prompt=None, generation=None, measurement=None, failure=failure)
        for trial in missing
    )
