"""Search vectors exactly: all of them lie in one matrix, and each search looks at every one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gemma_eval.errors import StoreError
from gemma_eval.records import Hit

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector
    from gemma_eval.protocols.scorers import Embeddings

_GROWTH = 1.5
_GATHERED_SHARE = 4
"""Below one in so many, the allowed rows are copied together; above, all are looked at, which is as fast."""


class VectorMatrix:
    """Vectors of length 1 by the ids of their passages, in a float32 matrix that grows, [N, D].

    Any thread may search while another writes: a search sees the rows as they were when it began. For that
    a row is never written twice; one that was removed or replaced stays until there are as many of them as
    there are others.

    The products are made without BLAS, whose threads make a search of this kind slower and whose setting
    belongs to the engine. They do not depend on where a row lies, so that equal vectors score equally.
    """

    def __init__(self, dim: int) -> None:
        """Hold vectors of length `dim`. Raises StoreError when that is below 1."""
        if dim < 1:
            raise StoreError(f"a vector of {dim} numbers cannot be searched; an embedder gives at least 1")
        self._dim = dim
        self._lock = Lock()
        self._rows: NDArray[np.float32] = np.empty((0, dim), np.float32)
        self._live: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._ids: list[str] = []
        self._at: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return len(self._at)

    def __contains__(self, id_: str) -> bool:
        """Whether the passage of that id has a vector."""
        return id_ in self._at

    @property
    def dim(self) -> int:
        """The length D of every vector."""
        return self._dim

    @property
    def nbytes(self) -> int:
        """The memory that is set aside for the vectors."""
        return self._rows.nbytes

    def put(self, ids: Sequence[str], vectors: Embeddings) -> None:
        """Keep the vectors [N, D] of these passages in place of those they had, all or none.

        Of an id that is given twice the last vector counts. Raises StoreError where a vector has another
        length, or is not finite.
        """
        rows = self._checked(ids, vectors)
        last = {id_: at for at, id_ in enumerate(ids)}
        with self._lock:
            self._reserve(len(self._ids) + len(last))
            for id_ in last:
                self._drop(id_)
            self._append(tuple(last), rows[list(last.values())])
            self._compact()

    def remove(self, ids: Sequence[str]) -> None:
        """Forget the vectors of these passages; one that has none is passed over."""
        with self._lock:
            for id_ in ids:
                self._drop(id_)
            self._compact()

    def vectors(self, ids: Sequence[str]) -> Embeddings | None:
        """Return the vectors of these passages, [N, D], `None` where one of them has none."""
        with self._lock:
            rows = [self._at.get(id_, -1) for id_ in ids]
            return None if -1 in rows else self._rows[rows]

    def nearest(self, vector: Vector, *, k: int, allowed: Collection[str] | None = None) -> tuple[Hit, ...]:
        """Return the `k` passages with the greatest cosine to `vector` [D], best first, equals by id.

        `allowed` are the ids that may be found, `None` for all. Raises StoreError as `put` does.
        """
        asked = self._checked(("the query",), np.asarray(vector)[np.newaxis])[0]
        with self._lock:
            n = len(self._ids)
            rows, ids, live = self._rows[:n], self._ids, self._live[:n].copy()
            at = None if allowed is None else [self._at[id_] for id_ in allowed if id_ in self._at]
        among = np.flatnonzero(live) if at is None else np.unique(np.array(at, np.intp))
        if k < 1 or not len(among):
            return ()
        scores = _products(rows, asked, among)
        best = _best(scores, k)
        found = sorted((-float(scores[index]), ids[among[index]]) for index in best)
        return tuple(Hit(id=id_, score=-score) for score, id_ in found[:k])

    def _checked(self, ids: Sequence[str], vectors: Embeddings) -> NDArray[np.float32]:
        rows = np.asarray(vectors, np.float32)
        if rows.ndim == 2 and len(rows) != len(ids):
            raise StoreError(f"{len(rows)} vectors for {len(ids)} passages; each has one")
        if rows.ndim != 2 or (len(rows) and rows.shape[1] != self._dim):
            given = " x ".join(str(size) for size in rows.shape[1:]) or "no"
            raise StoreError(
                f"a vector has {given} numbers, those that are kept have {self._dim}; they were made by "
                "another embedder"
            )
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            first = ids[int(np.flatnonzero(~finite)[0])]
            raise StoreError(f"the vector of {first} is not finite; its embedder is broken")
        return rows

    def _drop(self, id_: str) -> None:
        row = self._at.pop(id_, None)
        if row is not None:
            self._live[row] = False

    def _append(self, ids: Sequence[str], rows: NDArray[np.float32]) -> None:
        begin, end = len(self._ids), len(self._ids) + len(ids)
        self._rows[begin:end] = rows
        self._live[begin:end] = True
        self._ids.extend(ids)
        self._at.update(zip(ids, range(begin, end), strict=True))

    def _reserve(self, n_rows: int) -> None:
        if n_rows <= len(self._rows):
            return
        n, size = len(self._ids), max(n_rows, int(len(self._rows) * _GROWTH))
        grown, live = np.empty((size, self._dim), np.float32), np.zeros(size, np.bool_)
        grown[:n], live[:n] = self._rows[:n], self._live[:n]
        self._rows, self._live = grown, live

    def _compact(self) -> None:
        """Leave out the rows that are gone once they are the greater part."""
        if len(self._ids) <= 2 * len(self._at):
            return
        kept = np.flatnonzero(self._live[: len(self._ids)])
        self._ids = [self._ids[row] for row in kept]
        self._rows, self._live = self._rows[kept], np.ones(len(kept), np.bool_)
        self._at = {id_: row for row, id_ in enumerate(self._ids)}


def _products(
    rows: NDArray[np.float32], vector: NDArray[np.float32], among: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the product of `vector` [D] with each row [N, D] whose index is `among`."""
    few = len(among) * _GATHERED_SHARE < len(rows)
    products: NDArray[np.float32] = np.einsum("nd,d->n", rows[among] if few else rows, vector)
    return products if few or len(among) == len(rows) else products[among]


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the indices of the `k` greatest scores, and of all that equal the last of them."""
    if k >= len(scores):
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -k)[-k])
