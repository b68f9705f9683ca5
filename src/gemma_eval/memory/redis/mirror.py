"""What searches need of a store, kept in this process and brought up to date before each search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from threading import RLock
from typing import TYPE_CHECKING

from gemma_eval.errors import StoreError
from gemma_eval.memory.admission import other_embedder
from gemma_eval.memory.redis import scripts
from gemma_eval.memory.redis.keys import Keys
from gemma_eval.memory.redis.payload import to_piece, to_vectors
from gemma_eval.memory.redis.server import Server, pages
from gemma_eval.memory.redis.shelf import Shelf
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.records import Among, Hit

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector


class Mirror:
    """The words and vectors of a store. Any thread may search; one at a time brings it up to date.

    The log says which passages changed, and what they are now is read from the server: whatever order
    changes and reads come in, the last read is right. The entry that was read last must still be in the log;
    where it is not, entries were missed, or the server lost or was emptied of what it had held, and
    everything is read anew.
    """

    def __init__(self, server: Server, keys: Keys) -> None:
        """Hold nothing yet; the first search reads all."""
        self._server = server
        self._keys = keys
        self._lock = RLock()
        self._cursor: bytes | None = None
        self._shelf = Shelf()
        self._embedded: dict[str, _Embedded] = {}

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, equals by id. Raises StoreError."""
        with self._lock:
            self._refresh()
            return self._shelf.lexical(query, k=k, among=among)

    def nearest(self, vector: Vector, *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by cosine, best first, equals by id. Raises StoreError."""
        with self._lock:
            self._refresh()
            matrix = self._vectors_of(embedder).matrix
            excluded, allowed = self._shelf.chosen(among)
        if matrix is None or not len(matrix):
            self._refuse_other(embedder)
            return ()
        if allowed is not None or k < 1:
            return matrix.nearest(vector, k=k, allowed=allowed)
        hits = matrix.nearest(vector, k=k + len(excluded))
        return tuple(hit for hit in hits if hit.id not in excluded)[:k]

    def lacking(self, embedder: str, k: int) -> list[str]:
        """Return the ids of at most `k` passages without a vector of that embedder. Raises StoreError."""
        with self._lock:
            self._refresh()
            lacking = iter(self._vectors_of(embedder).lacking)
            return [id_ for _, id_ in zip(range(k), lacking, strict=False)]

    def _refuse_other(self, embedder: str) -> None:
        """Raise StoreError where there are vectors, of other embedders."""
        fields = self._server.ask("HKEYS", self._keys.about)
        names = [name.decode()[len("dim:") :] for name in fields if name.startswith(b"dim:")]
        counts = self._server.ask_all([("HLEN", self._keys.vectors(name)) for name in names])
        kept = [name for name, count in zip(names, counts, strict=True) if count]
        if kept and embedder not in kept:
            raise other_embedder(embedder, kept)

    def _refresh(self) -> None:
        """Bring everything up to date."""
        if self._cursor is None or self._shelf.is_sparse:
            self._read_all()
        cursor = self._cursor or b"-"
        entries, n_bodies, n_ordered = self._server.run(scripts.CHANGES, self._keys.about, [cursor])
        if n_bodies != n_ordered:
            where = f"Redis at {self._server.location.address}"
            raise StoreError(
                f"{where} holds {n_bodies} of {n_ordered} passages: it threw some away when it was full, "
                "or somebody did; restore a backup and set maxmemory-policy noeviction"
            )
        if not entries or entries[0][0] != self._cursor:
            self._read_all()
        elif len(entries) > 1:
            self._read_again(_changed(entries[1:]))
            self._cursor = entries[-1][0]

    def _read_all(self) -> None:
        newest = self._server.ask("XREVRANGE", self._keys.of("log"), "+", "-", "COUNT", 1)
        ids = self._server.ask("ZRANGE", self._keys.of("order"), 0, -1)
        self._shelf, self._embedded = Shelf(), {}
        for page in pages([id_.decode() for id_ in ids]):
            self._read_pieces(page)
        self._cursor = newest[0][0] if newest else None

    def _read_again(self, ids: list[str]) -> None:
        for page in pages(ids):
            self._read_pieces(page)
            for embedder, embedded in self._embedded.items():
                self._read_vectors(embedder, embedded, page)

    def _read_pieces(self, ids: Sequence[str]) -> None:
        bodies = self._server.ask("HMGET", self._keys.of("pieces"), *ids)
        for id_, body in zip(ids, bodies, strict=True):
            if body is None:
                self._shelf.remove(id_)
            else:
                self._shelf.put(to_piece(id_, body, None))

    def _vectors_of(self, embedder: str) -> _Embedded:
        """Return the vectors of an embedder, read when they are first wanted."""
        if embedder not in self._embedded:
            embedded = _Embedded()
            for page in pages(list(self._shelf)):
                self._read_vectors(embedder, embedded, page)
            self._embedded[embedder] = embedded
        return self._embedded[embedder]

    def _read_vectors(self, embedder: str, embedded: _Embedded, ids: Sequence[str]) -> None:
        rows = self._server.ask("HMGET", self._keys.vectors(embedder), *ids)
        embedded.put({id_: row for id_, row in zip(ids, rows, strict=True) if id_ in self._shelf})
        embedded.remove([id_ for id_ in ids if id_ not in self._shelf])


class _Embedded:
    """The vectors that one embedder has made, and which passages have none."""

    def __init__(self) -> None:
        self.matrix: VectorMatrix | None = None
        self.lacking: dict[str, None] = {}

    def put(self, rows: dict[str, bytes | None]) -> None:
        """Keep what passages have, `None` for no vector."""
        there = {id_: row for id_, row in rows.items() if row is not None}
        self.remove(list(rows))
        if there:
            vectors = to_vectors(list(there.values()))
            if self.matrix is None or not len(self.matrix):
                self.matrix = VectorMatrix(vectors.shape[1])
            self.matrix.put(list(there), vectors)
        self.lacking.update(dict.fromkeys(id_ for id_ in rows if id_ not in there))

    def remove(self, ids: Sequence[str]) -> None:
        """Forget passages."""
        for id_ in ids:
            self.lacking.pop(id_, None)
        if self.matrix is not None:
            self.matrix.remove(ids)


def _changed(entries: Sequence[tuple[bytes, tuple[bytes, bytes]]]) -> list[str]:
    """Return the ids that entries of the log name, each once."""
    ids = (id_ for _, (_, named) in entries for id_ in json.loads(named))
    return list(dict.fromkeys(ids))
