"""The graphs of vectors beside the file of a memory: made when asked to, and used while they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Lock

from gemma_eval.errors import MissingDependency, StoreError
from gemma_eval.memory import approximate
from gemma_eval.memory.approximate import FEWEST, Approximate
from gemma_eval.memory.graph import Origin
from gemma_eval.memory.sqlite.connection import Connections
from gemma_eval.memory.sqlite.mirror import Mirror
from gemma_eval.memory.vectors import VectorMatrix

_EMBEDDERS = """
SELECT embedder.id, number, dim FROM embedder
WHERE (SELECT count(*) FROM vector WHERE vector.embedder = embedder.number) >= ? ORDER BY number
"""


class Indexes:
    """What searches the vectors of a memory: each matrix by its graph if that holds, and exactly if not.

    A graph is looked at when its matrix is first searched, and not again.
    """

    def __init__(self, path: Path) -> None:
        """Look beside the memory at `path`."""
        self._path = path
        self._lock = Lock()
        self._searched: dict[str, tuple[VectorMatrix, VectorMatrix | Approximate]] = {}

    def over(
        self, connection: sqlite3.Connection, mirror: Mirror, *, embedder: str
    ) -> VectorMatrix | Approximate:
        """Return what searches the vectors of `mirror`, as `connection` sees the file. Raises StoreError."""
        matrix = mirror.current(connection)
        with self._lock:
            known, searched = self._searched.get(embedder, (None, matrix))
            if known is not matrix:
                path = approximate.path_of(self._path, embedder)
                searched = self._opened(
                    path, matrix, mirror, origin=_origin(connection, embedder, matrix.dim)
                )
                self._searched[embedder] = (matrix, searched)
            return searched

    def _opened(
        self, path: Path, matrix: VectorMatrix, mirror: Mirror, *, origin: Origin
    ) -> VectorMatrix | Approximate:
        try:
            return approximate.opened(path, matrix, mirror, origin=origin) if path.exists() else matrix
        except (StoreError, MissingDependency):
            return matrix  # it is slower, and right


def build(
    path: Path, *, fewest: int = FEWEST, progress: Callable[[int], None] = lambda _: None
) -> dict[str, float]:
    """Make a graph for each embedder that has made `fewest` vectors or more of the memory at `path`.

    Returns which share of the nearest ten each finds, by the id of the embedder. The memory may be in use.
    Raises StoreError, MissingDependency.
    """
    found = {}
    with closing(Connections(path)) as connections, connections.reading() as connection:
        for embedder, number, dim in connection.execute(_EMBEDDERS, (fewest,)).fetchall():
            mirror = Mirror(number, dim=dim)
            found[embedder] = approximate.build(
                approximate.path_of(path, embedder),
                mirror.current(connection),
                mirror,
                origin=_origin(connection, embedder, dim),
                progress=progress,
            )
    return found


def _origin(connection: sqlite3.Connection, embedder: str, dim: int) -> Origin:
    (lineage,) = connection.execute("SELECT lineage FROM state").fetchone()
    return Origin(lineage=lineage.hex(), embedder=embedder, dim=dim)
