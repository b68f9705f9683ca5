"""Cells run one after the other with one engine at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.executors.in_process import Engines, run_cell
from gemma_eval.protocols import Backend
from gemma_eval.records import (
    Case,
    Cell,
    Check,
    EngineInfo,
    Generation,
    Given,
    Load,
    ModelSpec,
    Outcome,
    Prompt,
    Retrieved,
    Score,
    Trial,
)
from gemma_eval.stages import Stages
from tests.examples import a_cell, a_generation, a_run


@dataclass
class Engine:
    """An engine that remembers whether it was closed."""

    name: str
    closed: int = 0

    def info(self) -> EngineInfo:
        """Return what a test run says of its engine."""
        return a_run().engines["scripted"]

    def close(self) -> None:
        """Count the closings."""
        self.closed += 1


@dataclass
class Garage:
    """Loads engines and remembers which."""

    loaded: list[Engine] = field(default_factory=list)
    error: Exception | None = None

    def load(self, spec: ModelSpec) -> Backend:
        """Return a new engine, or raise the error."""
        if self.error is not None:
            raise self.error
        self.loaded.append(Engine(spec.name))
        return cast(Backend, self.loaded[-1])


@dataclass
class Asked:
    """Stages that answer at once and remember the seeds they were asked with."""

    seeds: list[int] = field(default_factory=list)

    def stages(self, backend: Backend) -> Stages:
        """Return the stages."""
        del backend
        return Stages(retrieve=_nothing, build_prompt=_as_it_is, generate=self.generate, score=_no_scores)

    def generate(self, prompt: Prompt, trial: Trial) -> Generation:
        """Answer and remember."""
        del prompt
        self.seeds.append(trial.seed)
        return a_generation()


@dataclass
class Breaking(Asked):
    """Stages that answer so many times, and then raise."""

    what: BaseException = field(kw_only=True)
    after: int = field(kw_only=True)

    def generate(self, prompt: Prompt, trial: Trial) -> Generation:
        """Answer, or raise."""
        if len(self.seeds) == self.after:
            raise self.what
        return super().generate(prompt, trial)


@dataclass
class Together(Asked):
    """Stages with a check that judges all answers at once: its value is how many there were, in tenths."""

    def stages(self, backend: Backend) -> Stages:
        """Return the stages."""
        return replace(
            super().stages(backend),
            score=lambda case, given: (Score(scorer="many", value=None, passed=None),),
            score_repeats=lambda case, generations: (
                Score(scorer="many", value=len(generations) / 10, passed=None),
            ),
        )


def _nothing(trial: Trial) -> Retrieved:
    del trial
    return Retrieved()


def _as_it_is(trial: Trial, retrieved: Retrieved) -> Prompt:
    del retrieved
    return Prompt(messages=trial.cell.case.messages, text=None, n_tokens=None)


def _no_scores(case: Case, given: Given) -> tuple[Score, ...]:
    del case, given
    return ()


def spec(name: str) -> ModelSpec:
    """Return a model of that name."""
    return ModelSpec(name=name, backend="scripted", location="@scripted")


def a_cell_of(*, repeats: int, warmup: int = 0) -> Cell:
    """Return a cell with so many generations."""
    cell = a_cell()
    return replace(cell, case=replace(cell.case, repeats=repeats, warmup=warmup))


def test_an_engine_is_loaded_once_and_closed_for_the_next() -> None:
    """The same model is not loaded again; another model takes its place."""
    garage = Garage()
    engines = Engines(load=garage.load)
    first = engines.get(spec("one"))
    assert engines.get(spec("one")) is first
    engines.get(spec("two"))
    assert [(engine.name, engine.closed) for engine in garage.loaded] == [("one", 1), ("two", 0)]
    engines.close()
    engines.close()
    assert garage.loaded[1].closed == 1


def test_a_model_that_does_not_load_is_tried_once() -> None:
    """Every cell gets the same error."""
    garage = Garage(error=ModelNotFound("no weights"))
    engines = Engines(load=garage.load)
    for _ in range(3):
        with pytest.raises(ModelNotFound, match="no weights"):
            engines.get(spec("one"))
        garage.error = RuntimeError("is not asked again")


def test_a_faulty_backend_shows_its_traceback_once() -> None:
    """The first cell gets the fault itself, the others one line."""
    engines = Engines(load=Garage(error=ZeroDivisionError("of a plugin")).load)
    with pytest.raises(ZeroDivisionError):
        engines.get(spec("one"))
    with pytest.raises(BackendError, match='model "one" did not load: ZeroDivisionError: of a plugin'):
        engines.get(spec("one"))


def test_warm_ups_are_asked_and_not_returned() -> None:
    """Three generations to warm up, two that count."""
    asked = Asked()
    cell = a_cell_of(repeats=2, warmup=3)
    result = run_cell(cell, engines=Engines(load=Garage().load), join=asked.stages, recorded={})
    assert len(asked.seeds) == 5
    assert [outcome.trial for outcome in result.outcomes] == list(trials(cell))
    assert result.fresh == result.outcomes
    assert result.engine is not None


def test_what_is_recorded_is_not_asked_again() -> None:
    """Only the missing repeat is generated, and the outcomes keep their order."""
    asked = Asked()
    cell = a_cell_of(repeats=2)
    second = recorded(trials(cell)[1])
    known = {second.trial.key: second}
    result = run_cell(cell, engines=Engines(load=Garage().load), join=asked.stages, recorded=known)
    assert asked.seeds == [trials(cell)[0].seed]
    assert result.outcomes[1] is second
    assert len(result.fresh) == 1


def test_only_the_missing_repeats_make_a_batch() -> None:
    """Those recorded before keep their outcomes and their places."""
    together: list[list[int]] = []

    def answer_all(prompt: Prompt, batch: Sequence[Trial]) -> tuple[Generation, ...]:
        together.append([trial.repeat for trial in batch])
        return tuple(a_generation(f"new {trial.repeat}") for trial in batch)

    cell = a_cell_of(repeats=4)
    second = recorded(trials(cell)[1])
    result = run_cell(
        cell,
        engines=Engines(load=Garage().load),
        join=lambda backend: replace(Asked().stages(backend), generate_batch=answer_all),
        recorded={second.trial.key: second},
    )
    assert together == [[0, 2, 3]]
    texts = [outcome.generation.text for outcome in result.outcomes if outcome.generation is not None]
    assert texts == ["new 0", "earlier", "new 2", "new 3"]
    assert [outcome.trial.repeat for outcome in result.fresh] == [0, 2, 3]


def test_a_cell_that_is_recorded_needs_no_engine() -> None:
    """Nothing is loaded for it."""
    cell = a_cell_of(repeats=2)
    known = {trial.key: recorded(trial) for trial in trials(cell)}
    engines = Engines(load=Garage(error=ModelNotFound("gone")).load)
    result = run_cell(cell, engines=engines, join=Asked().stages, recorded=known)
    assert (result.fresh, result.engine) == ((), None)
    assert len(result.outcomes) == 2


@pytest.mark.parametrize("what", [KeyboardInterrupt(), ZeroDivisionError("of a plugin")])
def test_what_was_made_before_something_was_raised_is_kept(what: BaseException) -> None:
    """With what was raised, and with the engine that made it."""
    asked = Breaking(what=what, after=2)
    cell = a_cell_of(repeats=4)
    first = recorded(trials(cell)[0])
    known = {first.trial.key: first}
    result = run_cell(cell, engines=Engines(load=Garage().load), join=asked.stages, recorded=known)
    assert result.raised is what
    assert [outcome.trial.repeat for outcome in result.outcomes] == [0, 1, 2]
    assert [outcome.trial.repeat for outcome in result.fresh] == [1, 2]
    assert result.engine is not None


def test_nothing_may_have_been_made_before_something_was_raised() -> None:
    """Then there is nothing but that."""
    asked = Breaking(what=KeyboardInterrupt(), after=0)
    result = run_cell(
        a_cell_of(repeats=4), engines=Engines(load=Garage().load), join=asked.stages, recorded={}
    )
    assert (result.outcomes, type(result.raised)) == ((), KeyboardInterrupt)


def a_load_of(*, repeats: int) -> Cell:
    """Return a cell whose repeats are requests, one after the other."""
    cell = a_cell_of(repeats=repeats)
    return replace(cell, case=replace(cell.case, kind="benchmark", load=Load(concurrency=1)))


def test_a_load_of_which_a_part_is_recorded_is_run_again_as_a_whole() -> None:
    """Two halves would have been made by an engine that was idle in between, each without its warm-up."""
    asked = Asked()
    cell = a_load_of(repeats=3)
    known = {trial.key: recorded(trial) for trial in trials(cell)[:2]}
    result = run_cell(cell, engines=Engines(load=Garage().load), join=asked.stages, recorded=known)
    assert len(asked.seeds) == 3
    assert result.fresh == result.outcomes
    assert [outcome.trial.repeat for outcome in result.fresh] == [0, 1, 2]


def test_a_load_that_is_recorded_is_not_run_again() -> None:
    """All of it was measured."""
    asked = Asked()
    cell = a_load_of(repeats=3)
    known = {trial.key: recorded(trial) for trial in trials(cell)}
    result = run_cell(cell, engines=Engines(load=Garage().load), join=asked.stages, recorded=known)
    assert (asked.seeds, result.fresh) == ([], ())


def test_the_part_of_a_load_that_is_recorded_does_not_fail_with_a_model_that_no_longer_loads() -> None:
    """It stays what it is, and the rest stays missing; of a load that was not begun all requests fail."""
    cell = a_load_of(repeats=3)
    known = {trial.key: recorded(trial) for trial in trials(cell)[:2]}
    engines = Engines(load=Garage(error=ModelNotFound("gone")).load)
    with pytest.raises(ModelNotFound, match="gone"):
        run_cell(cell, engines=engines, join=Asked().stages, recorded=known)
    result = run_cell(cell, engines=engines, join=Asked().stages, recorded={})
    assert [outcome.failure is not None for outcome in result.fresh] == [True] * 3


def test_the_trials_of_a_model_that_does_not_load_fail() -> None:
    """Each is an outcome with the reason, so that nothing is silently missing."""
    engines = Engines(load=Garage(error=ModelNotFound("no weights")).load)
    result = run_cell(a_cell_of(repeats=2), engines=engines, join=Asked().stages, recorded={})
    failures = [outcome.failure for outcome in result.fresh]
    assert [(failure.kind, failure.message) for failure in failures if failure] == [
        ("model_not_found", "no weights")
    ] * 2


def test_what_is_recorded_does_not_fail_with_a_model_that_no_longer_loads() -> None:
    """Only the missing repeat has the failure; the other keeps the answer that it has."""
    cell = a_cell_of(repeats=2)
    second = recorded(trials(cell)[1])
    engines = Engines(load=Garage(error=ModelNotFound("gone")).load)
    result = run_cell(cell, engines=engines, join=Asked().stages, recorded={second.trial.key: second})
    assert [outcome.failure is not None for outcome in result.outcomes] == [True, False]
    assert result.outcomes[1] is second
    assert result.fresh == result.outcomes[:1]


def recorded(trial: Trial) -> Outcome:
    """Return an outcome of the trial from an earlier session."""
    return Outcome(trial=trial, prompt=None, generation=a_generation("earlier"), measurement=None)


def judged_together(*, repeats: int) -> Cell:
    """Return a cell with a check over its repeats."""
    cell = a_cell_of(repeats=repeats)
    check = Check(scorer="many", over_repeats=True)
    return replace(cell, case=replace(cell.case, checks=(check,)))


def test_repeats_that_are_judged_together_have_one_score() -> None:
    """Each outcome carries it, so that any mean over them is that score."""
    result = run_cell(
        judged_together(repeats=3),
        engines=Engines(load=Garage().load),
        join=Together().stages,
        recorded={},
    )
    assert [outcome.score for outcome in result.outcomes] == [0.3] * 3


def test_repeats_that_are_judged_together_are_resumed_together() -> None:
    """Two of three that were recorded say nothing of all three, and are asked again."""
    cell, asked = judged_together(repeats=3), Together()
    engines = Engines(load=Garage().load)
    before = run_cell(cell, engines=engines, join=asked.stages, recorded={}).outcomes[:2]
    recorded = {outcome.trial.key: outcome for outcome in before}
    result = run_cell(cell, engines=engines, join=asked.stages, recorded=recorded)
    assert len(result.fresh) == 3
    assert [outcome.score for outcome in result.outcomes] == [0.3] * 3


def test_repeats_of_which_one_failed_are_not_judged_together() -> None:
    """A share of what is left would not be the share of all."""

    @dataclass
    class BreakingTogether(Together):
        def generate(self, prompt: Prompt, trial: Trial) -> Generation:
            if trial.repeat == 1:
                raise BackendError("broken")
            return super().generate(prompt, trial)

    result = run_cell(
        judged_together(repeats=3),
        engines=Engines(load=Garage().load),
        join=BreakingTogether().stages,
        recorded={},
    )
    assert [outcome.score for outcome in result.outcomes] == [None] * 3
