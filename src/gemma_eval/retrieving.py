"""Finds the passages of a trial: its documents, its corpus or a store, searched as its retrieval says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeVar

from gemma_eval.backends.model_files import cache_folder
from gemma_eval.cases.documents import Folder
from gemma_eval.errors import GemmaEvalError, StoreError, UsageError
from gemma_eval.measure.clock import clock as monotonic
from gemma_eval.memory import reading
from gemma_eval.memory.kept_vectors import KeptVectors
from gemma_eval.memory.passages import split
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.memory.source import InMemory
from gemma_eval.memory.sqlite.store import path_of
from gemma_eval.memory.stores import PATH, open_store, scheme_of
from gemma_eval.plugins import Registry
from gemma_eval.protocols import (
    Backend,
    Clock,
    Embedder,
    MemoryStore,
    PassageSource,
    Reranker,
    RerankerParts,
    Retriever,
)
from gemma_eval.records import Cell, Corpus, Document, ModelSpec, Piece, Retrieved, Step, Trace, Trial

T = TypeVar("T")

OWN = ("bm25", "vector", "hybrid", "oracle", "none")
"""The retrievers that the pipeline knows; others are of plugins and search by themselves."""

_MOST_KEPT = 8
"""How many indexes are kept, embedders and rerankers; cases with the same documents share one."""


@dataclass(kw_only=True)
class Retrieving:
    """Finds passages with what is registered; indexes, stores and rerankers are made once and kept.

    `folder_of` gives the folder of a suite by its name, the current one if left out; `embedder` loads that of
    a model spec, and keeps it; `now_s` is the time in seconds since 1970.
    """

    registry: Registry
    clock: Clock = monotonic
    folder_of: Callable[[str], Path] = lambda _: Path()
    embedder: Callable[[ModelSpec], Embedder] | None = None
    now_s: Callable[[], float] = time.time
    _lock: Lock = field(default_factory=Lock, init=False)
    _sources: list[tuple[object, PassageSource | GemmaEvalError]] = field(default_factory=list, init=False)
    _retrievers: list[tuple[object, Retriever | GemmaEvalError]] = field(default_factory=list, init=False)
    _rerankers: list[tuple[object, Reranker | GemmaEvalError]] = field(default_factory=list, init=False)
    _embedders: list[tuple[object, Embedder | GemmaEvalError]] = field(default_factory=list, init=False)
    _corpora: dict[Corpus, tuple[Piece, ...]] = field(default_factory=dict, init=False)
    _embedded: set[tuple[str, str]] = field(default_factory=set, init=False)
    _stores: dict[str, MemoryStore] = field(default_factory=dict, init=False)
    _engines: list[Backend] = field(default_factory=list, init=False)

    def retrieve(self, trial: Trial, backend: Backend | None = None) -> Retrieved:
        """Return the passages for a trial; `backend` is the engine that is asked with them.

        A store elsewhere that cannot be reached leaves the trial without passages, and its trace says why; a
        file that cannot be read is an error. Raises UsageError, StoreError, BackendError, UnknownName.
        """
        cell = trial.cell
        way, case = cell.retrieval, cell.case
        if way.retriever == "none" or not (case.documents or case.corpus or way.memory):
            return Retrieved()
        if way.retriever not in OWN:
            return self._of_plugin(cell)
        embedder = self._embedder_of(cell)
        try:
            return retrieve(
                case.query,
                source=self._source(cell, embedder if way.compares_vectors else None),
                retrieval=way,
                embed=None if embedder is None else embedder.embed,
                embedder_id=None if embedder is None else embedder.id,
                reranker=self._reranker(cell, embedder, backend),
                relevant=case.relevant,
                clock=self.clock,
                now_s=self.now_s(),
            )
        except StoreError as error:
            if way.memory is None or scheme_of(way.memory) == PATH:
                raise
            return Retrieved(trace=Trace(degraded=str(error)))

    def close(self) -> None:
        """Let go of the stores and the rerankers; a second call does nothing."""
        while self._stores:
            _, store = self._stores.popitem()
            store.close()
        self.forget_rerankers()

    def forget_rerankers(self) -> None:
        """Let go of the rerankers and their engines; one may hold the engine that answers, too."""
        self._rerankers.clear()
        while self._engines:
            self._engines.pop().close()

    def _of_plugin(self, cell: Cell) -> Retrieved:
        name, case = cell.retrieval.retriever, cell.case
        factory = self.registry.retrievers.find(name)
        key = (name, case.documents, case.corpus)
        searched = self._kept(self._retrievers, key, lambda: factory(self._documents(cell)))
        began = self.clock()
        found = searched.search(case.query, k=cell.retrieval.top_k)
        step = Step(name="retrieve", began_ns=began, ended_ns=self.clock())
        ids = tuple(passage.id for passage in found)
        return Retrieved(passages=found, trace=Trace(steps=(step,), found={"retrieve": ids}))

    def _documents(self, cell: Cell) -> tuple[Document, ...]:
        """Return the documents that a plugin's retriever indexes: each passage of a corpus is one."""
        corpus = () if cell.case.corpus is None else self._pieces_of(cell.suite, cell.case.corpus)
        return (*cell.case.documents, *(Document(name=each.id, text=each.text) for each in corpus))

    def _source(self, cell: Cell, embedder: Embedder | None) -> PassageSource:
        if cell.retrieval.memory is not None:
            store = self._store(cell.retrieval.memory, folder=self.folder_of(cell.suite))
            if embedder is not None:
                self._refuse_without_vectors(store, embedder)
            return store
        key = (cell.case.documents, cell.case.corpus, None if embedder is None else embedder.id)

        def make() -> PassageSource:
            pieces = [piece for document in cell.case.documents for piece in split(document)]
            if cell.case.corpus is not None:
                pieces += self._pieces_of(cell.suite, cell.case.corpus)
            kept = None if embedder is None else KeptVectors(embedder, cache_folder(os.environ) / "vectors")
            return InMemory(pieces, embedder=kept)

        return self._kept(self._sources, key, make)

    def _store(self, location: str, *, folder: Path) -> MemoryStore:
        """Return the store at a URL, or at a path that is relative to its suite.

        Raises UsageError when there is no such file, StoreError.
        """
        if scheme_of(location) == PATH:
            path = folder / path_of(location)
            if not path.exists():
                what = f"memory {location}: there is no such file in {folder}"
                raise UsageError(f"{what}; fill one: gemma-eval memory add FILE --memory {location}")
            location = str(path)
        with self._lock:
            if location not in self._stores:
                self._stores[location] = open_store(location, self.registry.stores)
            return self._stores[location]

    def _refuse_without_vectors(self, store: MemoryStore, embedder: Embedder) -> None:
        """Raise UsageError when passages lack vectors: a search would not find them, and a run makes none."""
        if (store.location, embedder.id) in self._embedded:
            return
        if store.without_vectors(embedder=embedder.id, k=1):
            what = f"memory {store.location}: passages have no vectors of {embedder.id}"
            raise UsageError(f"{what}; make them: gemma-eval memory embed --embedder NAME --memory LOCATION")
        self._embedded.add((store.location, embedder.id))

    def _pieces_of(self, suite: str, corpus: Corpus) -> tuple[Piece, ...]:
        """Return the passages of a corpus. Raises UsageError when it is another one than was looked at."""
        if corpus not in self._corpora:
            folder = Folder(self.folder_of(suite))
            pieces = reading.read(folder.path_of(corpus.path))
            if folder.digest(corpus.path) != corpus.sha256:
                raise UsageError(f"{corpus.path}: has changed since the suite was read; start the run again")
            self._corpora[corpus] = pieces
        return self._corpora[corpus]

    def _embedder_of(self, cell: Cell) -> Embedder | None:
        spec = next((each for each in cell.embedders if each.name == cell.retrieval.asked_embedder), None)
        if spec is None:
            return None
        if self.embedder is not None:
            return self.embedder(spec)
        load = self.registry.embedders.find(spec.backend)
        return self._kept(self._embedders, spec, lambda: load(spec))

    def _reranker(self, cell: Cell, embedder: Embedder | None, backend: Backend | None) -> Reranker | None:
        name = cell.retrieval.asked_reranker
        if name is None:
            return None
        from gemma_eval.memory.rerankers.sanity import checked
        from gemma_eval.prompts.chat import render

        model = next(iter(cell.rerankers), None)
        parts = RerankerParts(
            model=model, embedder=embedder, backend=backend, load=self._load_engine, render=render
        )
        key = (name, model, None if embedder is None else embedder.id, id(backend))
        factory = self.registry.rerankers.find(name)
        return self._kept(self._rerankers, key, lambda: checked(factory(parts), name=name))

    def _load_engine(self, spec: ModelSpec) -> Backend:
        """Load the engine that a reranker asks. Raises UnknownName, BackendError."""
        factory = self.registry.backends.find(spec.backend)
        made = factory(spec, clock=self.clock, transforms=self.registry.transforms)
        self._engines.append(made)
        return made

    def _kept(self, kept: list[tuple[object, T | GemmaEvalError]], key: object, make: Callable[[], T]) -> T:
        """Return what was made for `key` before, or make it; threads of a load wait for the first.

        What could not be made is not tried again: it raises the same error.
        """
        with self._lock:
            for known, made in kept:
                if known == key:
                    return _unless_failed(made)
            try:
                new: T | GemmaEvalError = make()
            except GemmaEvalError as error:
                new = error.with_traceback(None)  # without what was half made
            kept[:0] = [(key, new)]
            del kept[_MOST_KEPT:]
            return _unless_failed(new)


def _unless_failed(made: T | GemmaEvalError) -> T:
    if isinstance(made, GemmaEvalError):
        raise made.with_traceback(None)  # without what it gathered each time before
    return made
