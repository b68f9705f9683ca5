"""The caches of answers that cases ask for: those of one kind share one, as long as a run takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from gemma_eval.executors.judges import reply
from gemma_eval.memory.cache.answers import AnswerCache, open_cache
from gemma_eval.protocols import Backend, Embedder
from gemma_eval.records import Cached, Caching, Cell, Generation, ModelSpec, Prompt, Question, Reply, Trial
from gemma_eval.stages import Answer


@dataclass(kw_only=True)
class Caches:
    """Opens a cache when first a case asks for it; `embedder` loads that of a model spec, and keeps it."""

    embedder: Callable[[ModelSpec], Embedder]
    _lock: Lock = field(default_factory=Lock, init=False)
    _open: list[tuple[Caching, ModelSpec | None, AnswerCache]] = field(default_factory=list, init=False)

    def answer(self, cell: Cell, backend: Backend) -> Answer | None:
        """Return what answers the trials of a cell with the engine in use; `None` where it has no cache."""
        caching = cell.case.cache
        if caching is None:
            return None

        def ask(question: Question) -> Reply:
            return reply(backend, cell.model, question)

        def answer(prompt: Prompt, trial: Trial, make: Callable[[], Generation]) -> tuple[Generation, Cached]:
            return self._of(caching, cell).answer(trial, prompt, backend.info(), make, ask=ask)

        return answer

    def close(self) -> None:
        """Let go of all caches; a second call does nothing."""
        for _, _, cache in self._open:
            cache.close()
        self._open = []

    def _of(self, caching: Caching, cell: Cell) -> AnswerCache:
        """Return the cache of a cell. Raises UsageError, StoreError, BackendError."""
        spec = next((each for each in cell.embedders if each.name == caching.embedder), None)
        with self._lock:
            for known, known_spec, cache in self._open:
                if (known, known_spec) == (caching, spec):
                    return cache
            cache = open_cache(caching, embedder=None if spec is None else self.embedder(spec))
            self._open.append((caching, spec, cache))
            return cache
