"""Passages that are searched in the memory of this process: those of a case's documents or of a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import StoreError
from gemma_eval.memory.among import is_among
from gemma_eval.memory.bm25 import WordIndex
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.protocols import Embedder
from gemma_eval.records import Among, Hit, Piece

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector
    from gemma_eval.protocols.scorers import Embeddings

EVERYTHING = Among()
_WORTH_A_THREAD = 20_000
"""Passages from which a search by words beside that by vectors saves time."""
_MOST_FILTERS = 32
"""How many choices of tiers, tags and documents are kept."""


class InMemory:
    """A source of passages that never change; it is made once and searched from any thread."""

    def __init__(self, pieces: Sequence[Piece], *, embedder: Embedder | None = None) -> None:
        """Index `pieces` by their words, and by their vectors where there is an `embedder`.

        A piece that is there twice is kept once. Raises StoreError where an id names two texts,
        BackendError of the embedder.
        """
        self._pieces = tuple(_once(pieces))
        self._at = {piece.id: place for place, piece in enumerate(self._pieces)}
        self._words = WordIndex([piece.text for piece in self._pieces])
        self._at_s = _times([piece.at_s for piece in self._pieces], unknown=math.nan)
        self._expires_s = _times([piece.expires_s for piece in self._pieces], unknown=math.inf)
        self._chosen: dict[Among, NDArray[np.bool_]] = {}
        self._embedder = embedder
        self._vectors: VectorMatrix | None = None
        if embedder is not None and self._pieces:
            made = embedder.embed([piece.text for piece in self._pieces])
            self._vectors = VectorMatrix(made.shape[1])
            self._vectors.put(list(self._at), made)

    @property
    def is_quick(self) -> bool:
        """Whether a search by words takes less than a second thread costs."""
        return len(self._pieces) < _WORTH_A_THREAD

    def lexical(self, query: str, *, k: int, among: Among = EVERYTHING) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, equals in the order they were given."""
        found = self._words.search(query, k=k, allowed=self._allowed(among))
        return tuple(Hit(id=self._pieces[place].id, score=score) for place, score in found)

    def nearest(self, vector: Vector, *, k: int, embedder: str, among: Among = EVERYTHING) -> tuple[Hit, ...]:
        """Return at most `k` passages by their cosine, best first, equals by id. Raises StoreError."""
        self._check(embedder)
        if self._vectors is None:
            return ()
        allowed = self._allowed(among)
        ids = None if allowed is None else [self._pieces[place].id for place in np.flatnonzero(allowed)]
        return self._vectors.nearest(vector, k=k, allowed=ids)

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return the passages of these ids in that order, without those that there are not."""
        return tuple(self._pieces[self._at[id_]] for id_ in ids if id_ in self._at)

    def vectors(self, ids: Sequence[str], *, embedder: str) -> Embeddings | None:
        """Return the vectors of these passages, [N, D], `None` where one has none. Raises StoreError."""
        self._check(embedder)
        return None if self._vectors is None else self._vectors.vectors(ids)

    def each(self, among: Among = EVERYTHING) -> Iterator[Piece]:
        """Yield the passages in the order they were given."""
        return (piece for piece in self._pieces if is_among(piece, among))

    def _allowed(self, among: Among) -> NDArray[np.bool_] | None:
        """Return which passages may be found, [N], `None` for all."""
        timeless = replace(among, since_s=None, now_s=None)
        allowed = self._chosen.get(timeless)
        if allowed is None:
            if len(self._chosen) >= _MOST_FILTERS:
                self._chosen.clear()
            chosen = (is_among(piece, timeless) for piece in self._pieces)
            self._chosen[timeless] = allowed = np.fromiter(chosen, np.bool_, len(self._pieces))
        if among.since_s is not None:
            allowed = allowed & (self._at_s >= among.since_s)
        if among.now_s is not None:
            allowed = allowed & (self._expires_s >= among.now_s)
        return None if allowed.all() else allowed

    def _check(self, embedder: str) -> None:
        kept = None if self._embedder is None else self._embedder.id
        if kept != embedder:
            made = "no vectors are kept" if kept is None else f"the vectors that are kept are of {kept}"
            raise StoreError(f"a vector of {embedder} is searched, and {made}; both need one embedder")


def _times(times: Sequence[float | None], *, unknown: float) -> NDArray[np.float64]:
    return np.array([unknown if time is None else time for time in times], np.float64)


def _once(pieces: Sequence[Piece]) -> Iterator[Piece]:
    seen: dict[str, Piece] = {}
    for piece in pieces:
        known = seen.get(piece.id)
        if known is None:
            seen[piece.id] = piece
            yield piece
        elif known.text != piece.text:
            where = " and ".join(sorted({known.document, piece.document}))
            raise StoreError(f'two passages have the id "{piece.id}", in {where}; an id names one passage')
