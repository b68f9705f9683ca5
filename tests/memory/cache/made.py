"""Small trials, engines, embedders and generations for the tests of the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.cache.answers import AnswerCache
from gemma_eval.memory.cache.cache import SemanticCache
from gemma_eval.memory.cache.entry import Entries, Entry, pack
from gemma_eval.memory.cache.key import entry_id, normalised
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.records import CacheMode, Caching, EngineInfo, Generation, Message, Prompt, Trial
from tests.examples import a_case, a_cell, a_generation

T = TypeVar("T")
ENGINE = EngineInfo(
    engine="scripted", version="1", model_sha256="ab" * 32, parameters=None, context_tokens=1024, threads=1
)
PROMPT = Prompt(messages=(Message(role="user", content="x"),), text="x", n_tokens=1)


def a_trial(query: str = "Where does Finn live?", *, seed: int = 1, **changes: object) -> Trial:
    """Return a trial of a case that asks `query`; `changes` are of the case."""
    asked = {"messages": (Message(role="user", content=query),), **changes}
    case = a_case("home", **asked)
    return Trial(cell=replace(a_cell(), case=case), repeat=0, seed=seed)


def with_field(record: T, name: str, value: object) -> T:
    """Return a record with another value in one field."""
    changed: T = replace(record, **{name: value})  # type: ignore[type-var]  # every record is a dataclass
    return changed


@dataclass
class Meaning:
    """An embedder that knows some texts; others lie on an axis of their own."""

    known: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    id: str = "meaning/1"
    asked: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [N, 4]."""
        self.asked += texts
        rows = [self.known.get(text, (0.0, 0.0, 0.0, 1.0)) for text in texts]
        return np.array(rows, np.float32)


@dataclass
class Clock:
    """The time of day, which a test moves."""

    s: float = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.s


def an_entry(query: str, *, partition: str = "p", created_s: float = 0.0, **changes: object) -> Entry:
    """Return an entry with the answer "Oslo"."""
    fields: dict[str, object] = {
        "id": entry_id(partition, query),
        "partition": partition,
        "query": normalised(query),
        "answer": pack(a_generation()),
        "created_s": created_s,
        "expires_s": created_s + 100.0,
        "template": "rag",
        "corpus": "docs",
    }
    return Entry(**(fields | changes))  # type: ignore[arg-type]


def a_cache(
    mode: CacheMode = "exact",
    *,
    embedder: Meaning | None = None,
    entries: Entries | None = None,
    clock: Clock | None = None,
    **changes: object,
) -> AnswerCache:
    """Return a cache of answers."""
    caching = Caching(mode=mode, ttl_s=100.0, **changes)  # type: ignore[arg-type]
    kept = LocalEntries(max_entries=caching.max_entries) if entries is None else entries
    ticks = count(1_000, 10)
    return AnswerCache(
        cache=SemanticCache(caching=caching, entries=kept, embedder=embedder),
        clock=lambda: next(ticks),
        now_s=Clock() if clock is None else clock,
    )


@dataclass
class Maker:
    """Makes answers, and counts them."""

    text: str = "Oslo"
    finish_reason: str = "stop"
    n: int = 0

    def __call__(self) -> Generation:
        """Return another answer."""
        self.n += 1
        return replace(a_generation(self.text), finish_reason=self.finish_reason)  # type: ignore[arg-type]
