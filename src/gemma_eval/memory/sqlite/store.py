"""A memory in one SQLite file: what is kept, searched and forgotten, by threads and processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.files.read import expanded
from gemma_eval.memory import tiers
from gemma_eval.memory.admission import other_embedder, refuse_flawed, refuse_unlike
from gemma_eval.memory.sqlite import changes, rows, words
from gemma_eval.memory.sqlite.connection import Connections
from gemma_eval.memory.sqlite.indexes import Indexes
from gemma_eval.memory.sqlite.mirror import Mirror
from gemma_eval.records import Among, Hit, MemoryStats, Piece

if TYPE_CHECKING:
    import sqlite3

    from gemma_eval.memory.approximate import Approximate
    from gemma_eval.memory.vectors import VectorMatrix
    from gemma_eval.protocols.memory import Vector
    from gemma_eval.protocols.scorers import Embeddings

SCHEME = "sqlite:"
_PAGE = 1_000
_FIRST = (float("-inf"), 0)
_MORE = 100
"""Beyond those that are asked for, so many are looked at before a filter is asked for all it lets through."""

_VECTORS = """
SELECT embedder.id, count(*) FROM vector JOIN embedder ON embedder.number = vector.embedder GROUP BY 1
"""
_LACKING = """
SELECT {columns} FROM passage WHERE NOT EXISTS(
  SELECT 1 FROM vector
  WHERE vector.embedder = (SELECT number FROM embedder WHERE id = ?) AND vector.seq = passage.seq
) ORDER BY seq LIMIT ?
"""
_PAST = "SELECT count(*) FROM passage WHERE expires_s < ?"


def open_store(location: str) -> SqliteStore:
    """Open or make the memory at a path, as `memory.db` or `sqlite:memory.db`. Raises StoreError."""
    return SqliteStore(path_of(location))


def path_of(location: str) -> Path:
    """Return the path that a location names. Raises StoreError where it names none."""
    has_scheme = location.lower().startswith(SCHEME)
    path = location[len(SCHEME) :].removeprefix("//") if has_scheme else location
    if not path.strip() or "\0" in path:
        raise StoreError(f'"{location}" names no file; give a path, as memory.db')
    found = expanded(path)
    try:
        found.exists()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise StoreError(f"{found}: cannot be opened: {error.strerror}") from error
    return found


class SqliteStore:
    """A store of passages, see `protocols.MemoryStore`; its rules are kept in it, see `tiers.KeepsRules`."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StoreError: of another program, a newer version, not to be opened."""
        self._path = path
        self._connections = Connections(path)
        self._mirrors: dict[tuple[int, int], Mirror] = {}
        self._indexes = Indexes(path)
        self._guard = Lock()

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(self._path)

    def add(
        self,
        pieces: Sequence[Piece],
        *,
        now_s: float,
        vectors: Embeddings | None = None,
        embedder: str | None = None,
    ) -> int:
        """Keep passages, all or none, and return how many were new; one known by its id is replaced.

        What is past its time goes, then what a full tier cannot hold.
        """
        refuse_flawed(pieces)
        ids = [piece.id for piece in pieces]
        with self._connections.transaction() as connection:
            dim = changes.dim_of(connection, embedder) if embedder else None
            refuse_unlike(ids, vectors, embedder, dim=dim)
            rules = changes.rules_of(connection)
            changes.expire(connection, now_s=now_s)
            admitted = [tiers.admitted(piece, now_s=now_s, rules=rules) for piece in pieces]
            n_new = changes.put(connection, admitted, rules=rules)
            if vectors is not None and embedder is not None:
                changes.put_vectors(connection, ids, vectors, embedder=embedder)
            tiers_of = {piece.tier for piece in pieces}
            changes.crowd_out(connection, tiers_of, rules=rules, coming=set(ids))
            return n_new

    def add_vectors(self, ids: Sequence[str], vectors: Embeddings, *, embedder: str) -> None:
        """Keep the vectors [N, D] of passages that are there."""
        with self._connections.transaction() as connection:
            refuse_unlike(ids, vectors, embedder, dim=changes.dim_of(connection, embedder))
            changes.put_vectors(connection, ids, vectors, embedder=embedder)

    def forget(self, ids: Sequence[str]) -> int:
        """Remove passages, and return how many were there."""
        with self._connections.transaction() as connection:
            found = rows.sequence_numbers(connection, ids)
            changes.remove(connection, list(found.values()))
            return len(found)

    def touch(self, ids: Sequence[str], *, now_s: float) -> None:
        """Note that passages were given to a model."""
        with self._connections.transaction() as connection:
            changes.touch(connection, ids, now_s=now_s, rules=changes.rules_of(connection))

    def expire(self, *, now_s: float) -> int:
        """Remove what is past its time, and return how many those were."""
        with self._connections.transaction() as connection:
            return changes.expire(connection, now_s=now_s)

    def set_rules(self, rules: tiers.Rules) -> None:
        """Keep other rules of tiers; they hold from the next passage that is added on."""
        with self._connections.transaction() as connection:
            changes.set_rules(connection, rules)

    def rules(self) -> tiers.Rules:
        """Return the rule of every tier."""
        with self._connections.reading() as connection:
            return changes.rules_of(connection)

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, each with a word of `query`."""
        with self._connections.reading() as connection:
            return words.search(connection, query, k=k, among=among)

    def nearest(self, vector: Vector, *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by the cosine of their vectors, best first."""
        with self._connections.reading() as connection:
            mirror = self._mirror(connection, embedder)
            if mirror is None:
                return ()
            searched = self._indexes.over(connection, mirror, embedder=embedder)
            return _nearest(connection, searched, vector, k=k, among=among)

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return the passages of these ids in that order, without those that are not there any more."""
        with self._connections.reading() as connection:
            return rows.pieces(connection, ids)

    def vectors(self, ids: Sequence[str], *, embedder: str) -> Embeddings | None:
        """Return the vectors of these passages, [N, D], `None` where one of them has none."""
        with self._connections.reading() as connection:
            dim = changes.dim_of(connection, embedder)
            if dim is None:
                return None
            found = dict(_vectors(connection, ids, embedder))
        if any(id_ not in found for id_ in ids):
            return None
        values = b"".join(found[id_] for id_ in ids)
        return np.frombuffer(values, "<f4").reshape(len(ids), dim).astype(np.float32)

    def without_vectors(self, *, embedder: str, k: int) -> tuple[Piece, ...]:
        """Return at most `k` passages that have no vector of that embedder."""
        select = _LACKING.format(columns=rows.COLUMNS)
        with self._connections.reading() as connection:
            return tuple(rows.piece_of(row) for row in connection.execute(select, (embedder, k)))

    def each(self, among: Among = Among()) -> Iterator[Piece]:  # noqa: B008 - frozen
        """Yield all passages of a filter, oldest first, as they are when the first is asked for."""
        last = _FIRST
        with self._connections.reading() as connection:
            while True:
                pieces, last = rows.page(connection, among, after=last, n=_PAGE)
                yield from pieces
                if len(pieces) < _PAGE:
                    return

    def stats(self, *, now_s: float) -> MemoryStats:
        """Count what is kept; what is past its time is not counted by its tier."""
        living = "SELECT tier, count(*) FROM passage WHERE expires_s IS NULL OR expires_s >= ? GROUP BY 1"
        with self._connections.reading() as connection:
            counts = dict(connection.execute(living, (now_s,)).fetchall())
            (past,) = connection.execute(_PAST, (now_s,)).fetchone()
            vectors = dict(connection.execute(_VECTORS).fetchall())
        return MemoryStats(
            passages={tier: counts.get(tier, 0) for tier in tiers.DEFAULTS},
            expired=past,
            vectors=vectors,
            size_bytes=self._size_bytes(),
        )

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._connections.close()

    def _mirror(self, connection: sqlite3.Connection, embedder: str) -> Mirror | None:
        """Return the vectors of an embedder, `None` where no passage has any. Raises StoreError."""
        row: tuple[int, int] | None
        row = connection.execute("SELECT number, dim FROM embedder WHERE id = ?", (embedder,)).fetchone()
        has_some = "SELECT EXISTS(SELECT 1 FROM vector WHERE embedder = ?)"
        if row is None or connection.execute(has_some, row[:1]).fetchone() == (0,):
            if kept := dict(connection.execute(_VECTORS).fetchall()):
                raise other_embedder(embedder, tuple(kept))
            return None
        with self._guard:
            # By its number: a backup that is put back may have another for the same embedder.
            return self._mirrors.setdefault(row, Mirror(row[0], dim=row[1]))

    def _size_bytes(self) -> int:
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())


def _nearest(
    connection: sqlite3.Connection,
    matrix: VectorMatrix | Approximate,
    vector: Vector,
    *,
    k: int,
    among: Among,
) -> tuple[Hit, ...]:
    """Return the nearest passages of a filter: of the nearest of all, or else of all that it lets through."""
    if among == Among():
        return matrix.nearest(vector, k=k)
    best = matrix.nearest(vector, k=k + _MORE)
    passed = rows.ids_among(connection, among, [hit.id for hit in best])
    found = tuple(hit for hit in best if hit.id in passed)[:k]
    if len(found) == k or len(best) == len(matrix):
        return found
    return matrix.nearest(vector, k=k, allowed=rows.ids_among(connection, among))


def _vectors(
    connection: sqlite3.Connection, ids: Sequence[str], embedder: str
) -> Iterator[tuple[str, bytes]]:
    for some in rows.groups(ids):
        select = f"""
SELECT passage.id, vector.value FROM passage JOIN vector USING(seq)
JOIN embedder ON embedder.number = vector.embedder
WHERE embedder.id = ? AND passage.id IN ({", ".join("?" * len(some))})
"""  # noqa: S608 - marks only
        yield from connection.execute(select, (embedder, *some))
