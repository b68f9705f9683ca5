"""The vectors of one embedder in memory, brought up to what the file has before each search."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from threading import Lock

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.memory.vectors import VectorMatrix

_AT_ONCE = 2_000


class Mirror:
    """A matrix that can always be made anew from the table `vector`, and is checked by its count.

    Vectors are known by numbers that are never given twice: those above the greatest that was read are new.
    Where the count then differs, some are gone, and their numbers say which.
    """

    def __init__(self, embedder: int, *, dim: int) -> None:
        """Hold the vectors of length `dim` of the embedder of that number; none are read yet."""
        self._embedder = embedder
        self._lock = Lock()
        self._dim = dim
        self._matrix = VectorMatrix(dim)
        self._ids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._last, self._changes = 0, -1
        self._lineage = b""

    def current(self, connection: sqlite3.Connection) -> VectorMatrix:
        """Return the matrix as the file is that `connection` sees, or newer. Raises StoreError."""
        lineage, changes = connection.execute("SELECT lineage, changes FROM state").fetchone()
        with self._lock:
            if lineage != self._lineage:
                self._forget_all()
                self._lineage = lineage
            if changes > self._changes:
                self._read(connection)
                self._changes = changes
            return self._matrix

    def numbered(self) -> tuple[Sequence[int], Sequence[str]]:
        """Return the numbers of all vectors, ascending, and the ids of their passages."""
        with self._lock:
            return tuple(self._ids), tuple(self._ids.values())

    def known(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the ids of the passages whose vectors have these numbers; what is gone is left out."""
        with self._lock:
            return tuple(self._ids[number] for number in numbers if number in self._ids)

    def after(self, number: int, *, most: int) -> tuple[str, ...]:
        """Return the ids of at most `most` passages whose vectors have greater numbers than `number`."""
        with self._lock:
            newest = takewhile(lambda each: each > number, reversed(self._ids))  # they were read in order
            return tuple(self._ids[each] for each in islice(newest, most))

    def _forget_all(self) -> None:
        self._matrix = VectorMatrix(self._dim)
        self._ids, self._numbers = {}, {}
        self._last, self._changes = 0, -1

    def _read(self, connection: sqlite3.Connection) -> None:
        self._read_new(connection)
        count = "SELECT count(*) FROM vector WHERE embedder = ?"
        (n,) = connection.execute(count, (self._embedder,)).fetchone()
        if n != len(self._matrix):
            self._drop_gone(connection)
        if n != len(self._matrix):
            raise StoreError(f"{n} vectors are kept, {len(self._matrix)} can be read; restore a backup")

    def _read_new(self, connection: sqlite3.Connection) -> None:
        select = """
SELECT vector.number, passage.id, vector.value FROM vector JOIN passage USING(seq)
WHERE vector.embedder = ? AND vector.number > ? ORDER BY vector.number
"""
        rows = connection.execute(select, (self._embedder, self._last))
        while some := rows.fetchmany(_AT_ONCE):
            for number, id_, value in some:
                if len(value) != 4 * self._dim:
                    raise StoreError(f"the vector of passage {id_!r} is damaged; restore a backup")
                if (before := self._numbers.get(id_)) is not None:
                    del self._ids[before]
                self._ids[number], self._numbers[id_] = id_, number
            values = np.frombuffer(b"".join(value for _, _, value in some), "<f4").reshape(-1, self._dim)
            self._matrix.put([id_ for _, id_, _ in some], values)
            self._last = some[-1][0]

    def _drop_gone(self, connection: sqlite3.Connection) -> None:
        select = "SELECT number FROM vector WHERE embedder = ?"
        kept = {number for (number,) in connection.execute(select, (self._embedder,))}
        gone = [number for number in self._ids if number not in kept]
        self._matrix.remove([self._ids[number] for number in gone])
        for number in gone:
            del self._numbers[self._ids.pop(number)]
