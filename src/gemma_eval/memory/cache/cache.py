"""Finds the answer to an earlier question that a new one asks again; where that is not sure, it misses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gemma_eval.memory.cache import rules, same
from gemma_eval.memory.cache.entry import Entries, Entry
from gemma_eval.memory.cache.key import entry_id, normalised
from gemma_eval.memory.cache.same import Ask
from gemma_eval.protocols import Embedder, is_plumbing
from gemma_eval.records import Caching

if TYPE_CHECKING:
    from gemma_eval.memory.cache.entry import Vector

LEAST_COSINE = 0.85
"""In mode *strict*, whatever a suite says: the rules were measured above it alone."""
NO_MEANING = "vectors without a meaning serve no answers; the mode needs an embedder with a model"
MOST_LOOKED_AT = 8
"""How many of the nearest questions are looked at."""
MOST_ASKED = 2
"""About how many of them the model is asked, each of which it has to read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a lookup found: an entry or none, and the vector of the question where one was made."""

    use: Literal["exact", "semantic", "miss"]
    entry: Entry | None = None
    similarity: float | None = None
    vector: Vector | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """An earlier question beside a new one; `refused_by` is the gate that kept its answer back, and why."""

    entry: Entry
    cosine: float | None
    refused_by: str | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class SemanticCache:
    """Looks questions up in one mode; `embedder` makes vectors where the mode compares them."""

    caching: Caching
    entries: Entries
    embedder: Embedder | None = None

    @property
    def least_cosine(self) -> float:
        """From which cosine on a question is looked at."""
        given = self.caching.min_cosine
        return max(LEAST_COSINE, given) if self.caching.mode == "strict" else given

    def find(self, partition: str, query: str, *, now_s: float, ask: Ask | None = None) -> Found:
        """Return the entry whose answer serves `query`, or a miss. Raises StoreError, BackendError."""
        known = self.entries.get(entry_id(partition, query))
        if known is not None and known.is_alive(now_s, ttl_s=self.caching.ttl_s):
            self.entries.touch(known.id, now_s=now_s)
            return Found(use="exact", entry=known, similarity=1.0)
        if self.caching.mode == "exact":
            return Found(use="miss")
        if self.embedder is None or is_plumbing(self.embedder.id):
            return Found(use="miss", reason=NO_MEANING)
        vector = self.embedder.embed([normalised(query)])[0]
        for each in self._looked_at(partition, query, vector, now_s=now_s, ask=ask):
            if each.refused_by is None:
                self.entries.touch(each.entry.id, now_s=now_s)
                return Found(use="semantic", entry=each.entry, similarity=each.cosine, vector=vector)
        return Found(use="miss", vector=vector)

    def explain(
        self, partition: str, query: str, *, now_s: float, ask: Ask | None = None
    ) -> tuple[Looked, ...]:
        """Return the nearest earlier questions and what keeps each of them from serving, best first.

        Raises StoreError, BackendError.
        """
        known = self.entries.get(entry_id(partition, query))
        exact = () if known is None else (self._exact(known, now_s=now_s),)
        if self.embedder is None or self.caching.mode == "exact":
            return exact
        vector = self.embedder.embed([normalised(query)])[0]
        looked = self._looked_at(partition, query, vector, now_s=now_s, ask=ask)
        return (*exact, *(each for each in looked if known is None or each.entry.id != known.id))

    def keep(self, entry: Entry, *, now_s: float) -> None:
        """Keep an entry. Raises StoreError."""
        self.entries.put(entry, now_s=now_s)

    def invalidate(
        self,
        *,
        entry: str | None = None,
        partition: str | None = None,
        template: str | None = None,
        corpus: str | None = None,
    ) -> int:
        """Remove the entries that all of these name, by the beginning of an id, and return how many.

        What is left out excludes nothing. Raises StoreError.
        """
        return self.entries.remove(
            [
                each.id
                for each in self.entries.each()
                if each.id.startswith(entry or "")
                and each.partition.startswith(partition or "")
                and template in (None, each.template)
                and corpus in (None, each.corpus)
            ]
        )

    def _looked_at(
        self, partition: str, query: str, vector: Vector, *, now_s: float, ask: Ask | None
    ) -> Iterator[Looked]:
        """Yield the nearest questions with what refuses each; the model is asked as they are taken."""
        asked = 0
        for entry, cosine in self.entries.nearest(partition, vector, k=MOST_LOOKED_AT):
            refused = self._refused(entry, cosine, query, now_s=now_s)
            if refused is None and self.caching.mode == "verified":
                refused = ("asked", "enough were asked about") if asked >= MOST_ASKED else None
                refused = refused or self._denied(partition, entry.query, query, ask)
                asked += 1
            by, why = refused or (None, "")
            yield Looked(entry=entry, cosine=cosine, refused_by=by, why=why)

    def _refused(self, entry: Entry, cosine: float, query: str, *, now_s: float) -> tuple[str, str] | None:
        if not entry.is_alive(now_s, ttl_s=self.caching.ttl_s):
            return "time", "its time is over"
        if is_plumbing(self.embedder.id if self.embedder is not None else ""):
            return "embedder", NO_MEANING
        if cosine < self.least_cosine:
            return "cosine", f"{cosine:.3f}, and {self.least_cosine:g} is asked for"
        if self.caching.mode != "strict":
            return None
        refusal = rules.refusal(entry.query, query)
        return None if refusal is None else (refusal.gate, refusal.what)

    def _denied(self, partition: str, first: str, second: str, ask: Ask | None) -> tuple[str, str] | None:
        """Return what the model has against two questions being one; it is asked once about each two."""
        key = same.verdict_key(partition, normalised(first), normalised(second))
        verdict = self.entries.verdict(key)
        if verdict is None:
            if ask is None:
                return "asked", "there is no model to ask"
            verdict = same.is_same(ask(same.question(first, second)))
            if verdict is None:
                return "asked", "the model did not reply"
            self.entries.keep_verdict(key, is_same=verdict, ttl_s=self.caching.ttl_s)
        return None if verdict else ("asked", "the model says that they are not the same")

    def _exact(self, entry: Entry, *, now_s: float) -> Looked:
        dead = not entry.is_alive(now_s, ttl_s=self.caching.ttl_s)
        by, why = ("time", "its time is over") if dead else (None, "")
        return Looked(entry=entry, cosine=None, refused_by=by, why=why)
