"""How often a cache gives a right and a wrong answer again, measured on labelled pairs of questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from gemma_eval.errors import UsageError
from gemma_eval.files.read import ReadError, decode, read_bytes
from gemma_eval.memory.cache.cache import SemanticCache
from gemma_eval.memory.cache.entry import Entry
from gemma_eval.memory.cache.key import entry_id, normalised
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.memory.cache.same import Ask
from gemma_eval.protocols import Embedder
from gemma_eval.records import Caching
from gemma_eval.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

Label = Literal["same", "different"]
_KEYS = ("id", "label", "kind", "first", "second")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two questions that want the same answer, or look alike and want different ones; `kind` says how so."""

    id: str
    label: Label
    kind: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How many of `n` pairs were hits, and Wilson's interval of their share."""

    n: int
    hits: int

    @property
    def share(self) -> float | None:
        """Their share, `None` of no pairs."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval:
        """Wilson's interval at 95 %."""
        return wilson(self.hits, self.n) if self.n else Interval(low=None, high=None, method="none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """The hits of one mode: true ones among paraphrases, false ones among near-misses, and each kind's."""

    true: Rate
    false: Rate
    kinds: tuple[tuple[Label, str, Rate], ...]
    wrong: tuple[Pair, ...] = ()
    """The near-misses that were hits."""


@dataclass(kw_only=True)
class Vectors:
    """An embedder that has embedded all texts of the pairs at once."""

    id: str
    known: dict[str, Embeddings] = field(default_factory=dict)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return the vectors of known texts, [N, D]."""
        import numpy as np

        return np.stack([self.known[text] for text in texts])


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Return the pairs of a JSONL file. Raises UsageError with the first line that is none."""
    try:
        lines = decode(read_bytes(path)).splitlines()
    except ReadError as error:
        raise UsageError(f"{path}: {error.what}") from error
    found = tuple(_pair(path, number, line) for number, line in enumerate(lines, start=1) if line.strip())
    if not found:
        raise UsageError(f"{path}: holds no pair; a line is {_EXAMPLE}")
    return found


def measure(
    pairs: Sequence[Pair], caching: Caching, *, embedder: Embedder | None, ask: Ask | None = None
) -> Measured:
    """Keep the first question of each pair in a cache of its own, and ask it the second.

    Raises BackendError.
    """
    hits = {pair.id for pair in pairs if _is_hit(pair, caching, embedder=embedder, ask=ask)}
    n, found = Counter((each.label, each.kind) for each in pairs), Counter[tuple[Label, str]]()
    found.update((each.label, each.kind) for each in pairs if each.id in hits)
    kinds = tuple((label, kind, Rate(n=n[label, kind], hits=found[label, kind])) for label, kind in n)
    return Measured(
        true=_total(kinds, "same"),
        false=_total(kinds, "different"),
        kinds=kinds,
        wrong=tuple(each for each in pairs if each.label == "different" and each.id in hits),
    )


def embedded(pairs: Sequence[Pair], embedder: Embedder) -> Vectors:
    """Return an embedder that knows the vectors of all questions. Raises BackendError."""
    texts = list(dict.fromkeys(normalised(text) for pair in pairs for text in (pair.first, pair.second)))
    return Vectors(id=embedder.id, known=dict(zip(texts, embedder.embed(texts), strict=True)))


def _is_hit(pair: Pair, caching: Caching, *, embedder: Embedder | None, ask: Ask | None) -> bool:
    cache = SemanticCache(caching=caching, entries=LocalEntries(max_entries=2), embedder=embedder)
    entry = Entry(
        id=entry_id(_PLACE, pair.first),
        partition=_PLACE,
        query=normalised(pair.first),
        answer=b"",
        created_s=0.0,
        expires_s=caching.ttl_s,
        vector=None if embedder is None else embedder.embed([normalised(pair.first)])[0],
    )
    cache.keep(entry, now_s=0.0)
    return cache.find(_PLACE, pair.second, now_s=0.0, ask=ask).entry is not None


def _total(kinds: Sequence[tuple[Label, str, Rate]], wanted: Label) -> Rate:
    rates = [rate for label, _, rate in kinds if label == wanted]
    return Rate(n=sum(rate.n for rate in rates), hits=sum(rate.hits for rate in rates))


def _pair(path: Path, number: int, line: str) -> Pair:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or any(not isinstance(row.get(key), str) for key in _KEYS):
        raise UsageError(f"{path}:{number}: is no pair; write {_EXAMPLE}")
    if row["label"] not in ("same", "different"):
        raise UsageError(f'{path}:{number}: label is "{row["label"]}"; it should be same or different')
    return Pair(**{key: cast(Label, row[key]) for key in _KEYS})


_PLACE = "pairs"
_EXAMPLE = '{"id": "1", "label": "different", "kind": "numbers", "first": "2 eggs?", "second": "3 eggs?"}'
