"""The models that judge: their engines beside the one that answers, and what each replies to a question.

A reply is held to its labels as firmly as the engine can: by their probabilities, else by a JSON Schema, else
by the words of the question alone. What goes wrong is said in the reply, for it says nothing of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Semaphore

from gemma_eval.backends import reading
from gemma_eval.errors import BackendError, ContextOverflow, GemmaEvalError
from gemma_eval.executors.in_process import Engines
from gemma_eval.logs import redact
from gemma_eval.prompts import chat
from gemma_eval.protocols import (
    Backend,
    ConcurrentBackend,
    ConstrainedBackend,
    ReadingBackend,
    ServingBackend,
)
from gemma_eval.records import Cell, EngineInfo, ModelSpec, Prompt, Question, Reply, SamplingProfile

SEED = 0
"""Judges are greedy; an engine that draws all the same draws alike."""

LEAST_MASS = 0.05
"""Labels less probable than this together are not what a judge would reply, so it is asked in words."""


@dataclass(kw_only=True)
class Judges:
    """The engines of the judges of a cell; one that answers in that cell is not loaded twice.

    `answering` returns the engine in use that is of a model, `None` when none is.
    """

    load: Callable[[ModelSpec], Backend]
    answering: Callable[[ModelSpec], Backend | None]
    _seats: list[_Seat] = field(default_factory=list, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def seat(self, cell: Cell) -> None:
        """Make ready for a cell: engines that do not judge it, or that answer in it, are closed."""
        kept = [each for each in self._seats if each.spec in cell.judges and each.spec != cell.model]
        for each in self._seats:
            if each not in kept:
                each.engines.close()
        self._seats = kept

    def ask(self, cell: Cell) -> Callable[[str, Question], Reply]:
        """Return what asks a judge of the cell by its name; it may be called from several threads."""
        specs = {spec.name: spec for spec in cell.judges}

        def ask(model: str, question: Question) -> Reply:
            try:
                seat, backend = self._engine(specs[model])
                with seat.turn(backend):
                    return reply(backend, specs[model], question)
            except Exception as error:  # noqa: BLE001 - a judge that fails must not cost the answer
                return _failed(error)

        return ask

    def beside(self) -> bool:
        """Whether an engine of a judge is in the memory that is watched."""
        return any(
            each.engines.in_use is not None and not isinstance(each.engines.in_use, ServingBackend)
            for each in self._seats
        )

    def infos(self, cell: Cell) -> dict[str, EngineInfo]:
        """Return what drives the judges of a cell that were asked, by the names of their models."""
        return {
            each.spec.name: each.engines.in_use.info()
            for each in self._seats
            if each.spec in cell.judges and each.engines.in_use is not None
        }

    def close(self) -> None:
        """Free all engines; a second call does nothing."""
        for each in self._seats:
            each.engines.close()
        self._seats = []

    def _engine(self, spec: ModelSpec) -> tuple[_Seat, Backend]:
        """Return the engine of a judge and its seat. Raises GemmaEvalError."""
        with self._lock:
            seat = next((each for each in self._seats if each.spec == spec), None)
            if seat is None:
                seat = _Seat(spec=spec, engines=Engines(load=self.load))
                self._seats.append(seat)
            answering = self.answering(spec)
            return seat, seat.engines.get(spec) if answering is None else answering


@dataclass(kw_only=True, eq=False)
class _Seat:
    """A judge: its own engine, unless another answers for it, and whose turn it is to ask it."""

    spec: ModelSpec
    engines: Engines
    _turns: Semaphore | None = None
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def turn(self, backend: Backend) -> Iterator[None]:
        """Wait until the engine takes another question."""
        most = backend.max_in_flight if isinstance(backend, ConcurrentBackend) else 1
        if most is None:
            yield
            return
        with self._lock:
            self._turns = self._turns or Semaphore(most)
        with self._turns:
            yield


def reply(backend: Backend, spec: ModelSpec, question: Question, *, seed: int = SEED) -> Reply:
    """Have a loaded model reply to a question, greedily. Raises GemmaEvalError."""
    prompt = _prompt(backend, spec, question)
    profile = SamplingProfile(name="judge", temperature=0.0, max_tokens=question.max_tokens)
    if question.labels and isinstance(backend, ReadingBackend) and prompt.text is not None:
        found = _by_labels(backend, prompt, question.labels)
        if found is not None:
            return found
    if question.json_schema is not None and isinstance(backend, ConstrainedBackend):
        try:
            made = backend.generate_constrained(
                prompt, profile=profile, seed=seed, json_schema=question.json_schema
            )
            return Reply(text=made.text, how="constrained")
        except ContextOverflow:
            raise
        except BackendError:  # as of a server that knows no schemas; one that is gone fails again below
            pass
    made = backend.generate(prompt, profile=profile, seed=seed)
    return Reply(text=made.text, how="text")


def _prompt(backend: Backend, spec: ModelSpec, question: Question) -> Prompt:
    template = spec.chat_template or backend.chat_template
    text = None if template is None else chat.render(template, question.messages)
    n_tokens = None if text is None else backend.count_tokens(text)
    return Prompt(messages=question.messages, text=text, n_tokens=n_tokens)


def _by_labels(backend: ReadingBackend, prompt: Prompt, labels: Sequence[str]) -> Reply | None:
    """Return how probable the labels are; `None` where the engine cannot tell or would not say them."""
    try:
        made = reading.read_choices(backend, prompt, choices=labels, unconditional=False)
    except ContextOverflow:
        raise
    except BackendError:
        return None
    sums = {choice.text: math.fsum(choice.log_probabilities) for choice in made.choices}
    if math.fsum(math.exp(min(0.0, each)) for each in sums.values()) < LEAST_MASS:
        return None
    return Reply(text=made.text, how="labels", label_log_probabilities=sums)


def _failed(error: Exception) -> Reply:
    kind = error.kind if isinstance(error, GemmaEvalError) else type(error).__name__
    return Reply(text="", how="text", failure=redact.clear(f"{kind}: {error}"))
