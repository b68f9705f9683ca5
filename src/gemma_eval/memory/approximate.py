"""Search a large memory by a graph of its vectors: a file beside it, which can always be made anew.

Nothing is believed of that file: it must be of this memory and embedder, whole, of as many vectors as there
are, and find what the exact search finds. It proposes candidates alone; their scores are those of the exact
search, and vectors that came since it was made are looked at beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.memory.graph import ANEW, Graph, Origin
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.records import Hit

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector

FEWEST = 100_000
"""Among fewer vectors the exact search takes some milliseconds, and a graph is not worth its making."""
LEAST_RECALL = 0.95
"""A graph that finds a smaller share of the nearest ten is not used."""
_NEAREST, _SAMPLE = 10, 64
_CANDIDATES, _TIMES = 256, 2
"""So many vectors at least are taken from the graph and scored, or so many times as many as are asked for."""
_CHANGED = 100
"""A graph is too old when more than one in so many of its vectors went, or came since."""
_AT_ONCE = 2_000


class Numbered(Protocol):
    """Vectors that are known by numbers which are never given twice."""

    def numbered(self) -> tuple[Sequence[int], Sequence[str]]:
        """Return the numbers of all vectors, ascending, and the ids of their passages."""

    def known(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the ids of the passages whose vectors have these numbers; what is gone is left out."""

    def after(self, number: int, *, most: int) -> tuple[str, ...]:
        """Return the ids of at most `most` passages whose vectors have greater numbers than `number`."""


class Approximate:
    """Searches a matrix by a graph of it; exactly where only some may be found, or most are asked for."""

    def __init__(self, graph: Graph, matrix: VectorMatrix, numbers: Numbered) -> None:
        """Search `matrix`, whose vectors are `numbers`."""
        self._graph, self._matrix, self._numbers = graph, matrix, numbers

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return len(self._matrix)

    def nearest(self, vector: Vector, *, k: int, allowed: Collection[str] | None = None) -> tuple[Hit, ...]:
        """Return the `k` passages with the greatest cosine to `vector` [D], as `VectorMatrix.nearest` does.

        Some of them may be missed, and others stand in their place. `allowed` are the ids that may be found,
        `None` for all; with them nothing is missed. Raises StoreError.
        """
        candidates = self._candidates(vector, k=k) if allowed is None else None
        if candidates is not None:
            hits = self._matrix.nearest(vector, k=k, allowed=candidates)
            if len(hits) == k:
                return hits
        return self._matrix.nearest(vector, k=k, allowed=allowed)

    def flaw(self) -> str | None:
        """Return why the graph is not to be used, `None` where it holds."""
        if self._came() is None:
            return f"its {len(self._graph):,} vectors are not those of the memory any more; {ANEW}"
        recall = self.recall()
        if recall < LEAST_RECALL:
            return f"finds {recall:.2f} of the nearest {_NEAREST}, and {LEAST_RECALL} is asked for"
        return None

    def recall(self) -> float:
        """Return which share of the nearest ten it finds for some of the vectors themselves, in [0, 1].

        Of vectors that are equally near one may stand for another.
        """
        _, ids = self._numbers.numbered()
        reached = wanted = 0
        for id_ in Random(0).sample(ids, min(_SAMPLE, len(ids))):  # noqa: S311 - the same at each opening
            vectors = self._matrix.vectors((id_,))
            if vectors is not None:
                exact, found = (self._scores(way, vectors[0], id_) for way in (self._matrix, self))
                reached += sum(score >= min(exact, default=0.0) for score in found)
                wanted += len(exact)
        return reached / wanted if wanted else 1.0

    def _scores(self, way: VectorMatrix | Approximate, vector: Vector, id_: str) -> list[float]:
        """Return the scores of the nearest ten beside the passage of that vector."""
        hits = way.nearest(vector, k=_NEAREST + 1)
        return [hit.score for hit in hits if hit.id != id_][:_NEAREST]

    def _candidates(self, vector: Vector, *, k: int) -> set[str] | None:
        """Return the ids among which the nearest are, `None` where the exact search is to be used."""
        n, came, asked = max(_CANDIDATES, _TIMES * k), self._came(), np.asarray(vector, np.float32)
        fits = asked.shape == (self._matrix.dim,) and bool(np.isfinite(asked).all())
        if came is None or not fits or k < 1 or n > len(self._graph):
            return None
        return {*self._numbers.known(self._graph.nearest(asked, n=n)), *came}

    def _came(self) -> tuple[str, ...] | None:
        """Return the passages that the graph does not have, `None` where it is too old or of others."""
        most = len(self._graph) // _CHANGED
        came = self._numbers.after(self._graph.last, most=most + 1)
        n_gone = len(self._graph) + len(came) - len(self._matrix)
        return came if n_gone >= 0 and len(came) + n_gone <= most else None


def path_of(memory: Path, embedder: str) -> Path:
    """Return where the graph of the vectors of an embedder is kept: beside the memory."""
    return memory.with_name(f"{memory.name}.ann-{hashlib.sha256(embedder.encode()).hexdigest()[:16]}")


def build(
    path: Path,
    matrix: VectorMatrix,
    numbers: Numbered,
    *,
    origin: Origin,
    progress: Callable[[int], None] = lambda _: None,
) -> float:
    """Make the graph of all vectors of `matrix` and keep it at `path`; return which share of ten it finds.

    Raises StoreError where it finds too little or cannot be written: what was there stays. MissingDependency.
    """
    graph = Graph(origin)
    all_, ids = numbers.numbered()
    for begin in range(0, len(all_), _AT_ONCE):
        vectors = matrix.vectors(ids[begin : begin + _AT_ONCE])
        if vectors is None:
            raise StoreError(f"{path}: the memory has changed meanwhile; try again")
        graph.add(all_[begin : begin + _AT_ONCE], vectors)
        progress(min(begin + _AT_ONCE, len(all_)))
    made = Approximate(graph, matrix, numbers)
    if flaw := made.flaw():
        raise StoreError(f"{path}: {flaw}")
    graph.save(path)
    return made.recall()


def opened(path: Path, matrix: VectorMatrix, numbers: Numbered, *, origin: Origin) -> Approximate:
    """Return a search by the graph at `path`, which was held to the exact search of `matrix`.

    Raises StoreError where it is damaged, of another memory or embedder, too old, or finds too little;
    MissingDependency.
    """
    found = Approximate(Graph.load(path, origin=origin), matrix, numbers)
    if flaw := found.flaw():
        raise StoreError(f"{path}: {flaw}")
    return found
