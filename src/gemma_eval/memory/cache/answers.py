"""Answers trials from a cache: one generation for all who ask the same; what is not whole is not kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event, Lock

from gemma_eval.errors import BackendError, StoreError, UsageError, suggestion
from gemma_eval.memory.cache.cache import Found, SemanticCache
from gemma_eval.memory.cache.code import code_sha256
from gemma_eval.memory.cache.entry import Entries, Entry, pack, unpack
from gemma_eval.memory.cache.key import entry_id, normalised, partition
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.memory.cache.same import Ask
from gemma_eval.protocols import Clock, Embedder
from gemma_eval.records import Cached, Caching, EngineInfo, Generation, Prompt, Trial

WHOLE = ("stop", "tool_calls")
"""How an answer ends that is kept; one that broke off, was cut or refused would be given for good."""
SCHEMES = ("redis", "rediss")


@dataclass(kw_only=True)
class AnswerCache:
    """Gives an answer again, or has it made and keeps it; any thread may ask.

    `clock` stamps, in nanoseconds, and `now_s` is the time since 1970. What goes wrong with the cache costs
    an answer nothing but time: it is a miss, which says why.
    """

    cache: SemanticCache
    clock: Clock = time.perf_counter_ns
    now_s: Callable[[], float] = time.time
    namespace: str = ""
    _lock: Lock = field(default_factory=Lock, init=False)
    _flights: dict[str, _Flight] = field(default_factory=dict, init=False)

    def answer(
        self,
        trial: Trial,
        prompt: Prompt,
        engine: EngineInfo,
        make: Callable[[], Generation],
        *,
        ask: Ask | None = None,
    ) -> tuple[Generation, Cached]:
        """Return the answer to a trial and how it was had; `ask` reaches the model for mode *verified*.

        Raises what `make` raises.
        """
        if trial.cell.case.is_read or not trial.cell.case.query.strip():
            return make(), Cached(use="miss", reason="what is read is not kept, only what is written")
        began_ns = self.clock()
        embedder = None if self.cache.embedder is None else self.cache.embedder.id
        place = partition(trial, prompt, engine, embedder=embedder, namespace=self.namespace).digest
        found = self._find(place, trial.cell.case.query, ask)
        if (given := self._given(found, began_ns)) is not None:
            return given
        return self._made_once(trial, place, found, make)

    def close(self) -> None:
        """Let go of the entries; a second call does nothing."""
        self.cache.entries.close()

    def _made_once(
        self,
        trial: Trial,
        place: str,
        found: Found,
        make: Callable[[], Generation],
    ) -> tuple[Generation, Cached]:
        """Make an answer, or wait for who makes it; if that is not kept, everybody makes one."""
        query = trial.cell.case.query
        key = entry_id(place, query)
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            flight = flight or self._flights.setdefault(key, _Flight())
        if not leads:
            return self._waited(flight, trial, place, found, make)
        try:
            # Another may have landed between the lookup and here.
            given = self._given(self._again(place, query), self.clock())
            if given is not None:
                flight.kept = True
                return given
            generation = make()
            cached, flight.kept = self._kept(generation, trial, place, found)
            return generation, cached
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.landed.set()

    def _waited(
        self, flight: _Flight, trial: Trial, place: str, found: Found, make: Callable[[], Generation]
    ) -> tuple[Generation, Cached]:
        """Return the answer that another has made meanwhile, or make one where that was not kept."""
        flight.landed.wait()
        began_ns = self.clock()
        given = self._given(self._again(place, trial.cell.case.query), began_ns) if flight.kept else None
        if given is not None:
            return given
        generation = make()
        return generation, self._kept(generation, trial, place, found)[0]

    def _find(self, place: str, query: str, ask: Ask | None) -> Found:
        try:
            return self.cache.find(place, query, now_s=self.now_s(), ask=ask)
        except (StoreError, BackendError) as error:
            return Found(use="miss", reason=str(error))

    def _again(self, place: str, query: str) -> Found:
        """Look for the same question alone, which takes no vector."""
        exact = replace(self.cache, caching=replace(self.cache.caching, mode="exact"))
        try:
            return exact.find(place, query, now_s=self.now_s())
        except StoreError as error:
            return Found(use="miss", reason=str(error))

    def _given(self, found: Found, began_ns: int) -> tuple[Generation, Cached] | None:
        if found.entry is None:
            return None
        try:
            generation = unpack(found.entry.answer, began_ns=began_ns, ended_ns=self.clock())
        except StoreError:
            return None
        cached = Cached(use=found.use, similarity=found.similarity, query=found.entry.query)
        return generation, cached

    def _kept(self, generation: Generation, trial: Trial, place: str, found: Found) -> tuple[Cached, bool]:
        """Keep an answer that is whole; return the miss that it was, and whether it was kept."""
        if generation.finish_reason not in WHOLE:
            reason = f"an answer that ended with {generation.finish_reason} is not kept"
            return Cached(use="miss", reason=reason), False
        if not (generation.text.strip() or generation.tool_calls):
            return Cached(use="miss", reason="an answer without text is not kept"), False
        now_s = self.now_s()
        try:
            self.cache.keep(self._entry(generation, trial, place, found, now_s=now_s), now_s=now_s)
        except StoreError as error:
            return Cached(use="miss", reason=str(error)), False
        return Cached(use="miss", reason=found.reason), True

    def _entry(
        self, generation: Generation, trial: Trial, place: str, found: Found, *, now_s: float
    ) -> Entry:
        case = trial.cell.case
        return Entry(
            id=entry_id(place, case.query),
            partition=place,
            query=normalised(case.query),
            answer=pack(generation),
            created_s=now_s,
            expires_s=now_s + self.cache.caching.ttl_s,
            template=trial.cell.template.name,
            corpus="" if case.corpus is None else case.corpus.path,
            vector=found.vector,
        )


@dataclass(eq=False)
class _Flight:
    """An answer that is being made; `kept` says whether who waited finds it in the cache."""

    landed: Event = field(default_factory=Event)
    kept: bool = False


def open_cache(
    caching: Caching,
    *,
    embedder: Embedder | None = None,
    clock: Clock = time.perf_counter_ns,
    now_s: Callable[[], float] = time.time,
    environment: Mapping[str, str] | None = None,
) -> AnswerCache:
    """Return the cache that a case asks for. Raises UsageError on a location that is none, StoreError."""
    entries = open_entries(caching, environment=os.environ if environment is None else environment)
    cache = SemanticCache(caching=caching, entries=entries, embedder=embedder)
    # An entry in a server outlives this program, and another version of it may answer otherwise.
    namespace = "" if caching.location is None else code_sha256()
    return AnswerCache(cache=cache, clock=clock, now_s=now_s, namespace=namespace)


def open_entries(caching: Caching, *, environment: Mapping[str, str]) -> Entries:
    """Return where the entries of a cache are: in this process, or in the server at its location.

    Raises UsageError, StoreError, MissingDependency.
    """
    if caching.location is None:
        return LocalEntries(max_entries=caching.max_entries)
    scheme = caching.location.partition("://")[0]
    if scheme not in SCHEMES:
        what = f'cache.location "{caching.location}" is no address of a server'
        raise UsageError(f"{what}{suggestion(scheme, SCHEMES)}; write redis://host:6379/0, or leave it out")
    from gemma_eval.memory.cache.redis import RedisEntries

    return RedisEntries(caching.location, max_entries=caching.max_entries, environment=environment)
