"""A graph of vectors (HNSW, by usearch) and its file, which says what it is of and whether it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from gemma_eval.errors import MissingDependency, StoreError
from gemma_eval.memory.writing import beside

if TYPE_CHECKING:
    from gemma_eval.protocols.memory import Vector
    from gemma_eval.protocols.scorers import Embeddings

_FORMAT = 1
_AT_ONCE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a graph is of: one memory, by its `lineage`, one embedder, and the length of its vectors."""

    lineage: str
    embedder: str
    dim: int


class Graph:
    """Vectors of length 1 by numbers that ascend, kept as float16. Any thread may search.

    It is made by one thread: several make another graph each time, and on the way lose some vectors.
    """

    def __init__(self, origin: Origin) -> None:
        """Begin an empty one. Raises MissingDependency."""
        self.origin = origin
        self.last = 0
        """The greatest number."""
        self._lock = Lock()
        self._index = _usearch(origin.dim)

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return len(self._index)

    def add(self, numbers: Sequence[int], vectors: Embeddings) -> None:
        """Add the vectors [N, D] of some numbers, all greater than those before."""
        self._index.add(np.array(numbers, np.uint64), vectors, threads=1)
        self.last = max(self.last, *numbers)

    def nearest(self, vector: Vector, *, n: int) -> list[int]:
        """Return the numbers of `n` vectors near to `vector` [D]; the more, the fewer are missed."""
        with self._lock:  # it has one list of what it has seen
            self._index.expansion_search = n
            found: list[int] = self._index.search(vector, n, threads=1).keys.tolist()
        return found

    def save(self, path: Path) -> None:
        """Write it in the place of what is there, once it is whole. Raises StoreError."""
        facts = {**asdict(self.origin), "format": _FORMAT, "count": len(self), "last": self.last}
        with beside(path, existing="replace") as place:
            self._index.save(str(place))
            with place.open("r+b") as file:
                file.seek(0, 2)
                file.write(b"\n" + json.dumps(facts).encode())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.write(b"\n" + digest.encode())

    @classmethod
    def load(cls, path: Path, *, origin: Origin) -> Graph:
        """Read the file at `path`.

        Raises StoreError where it is damaged, not of `origin`, or of another version; MissingDependency.
        """
        graph = cls(origin)
        facts = _facts(path)
        if facts != {
            **asdict(origin),
            "format": _FORMAT,
            "count": facts.get("count"),
            "last": facts.get("last"),
        }:
            raise StoreError(f"{path}: is of another memory, embedder or version; {ANEW}")
        try:
            graph._index.load(str(path))
        except (OSError, RuntimeError, ValueError) as error:
            raise StoreError(f"{path}: usearch cannot read it ({error}); {ANEW}") from error
        if len(graph) != facts["count"]:
            raise StoreError(f"{path}: has {len(graph)} vectors where {facts['count']} were kept; {ANEW}")
        graph.last = facts["last"]
        return graph


ANEW = "gemma-eval memory index makes it anew"


def _usearch(dim: int) -> Any:  # noqa: ANN401 - of an optional package
    try:
        index = import_module("usearch.index").Index
    except ImportError:
        raise MissingDependency("an index of vectors", extra="ann") from None
    return index(ndim=dim, metric="ip", dtype="f16")


def _facts(path: Path) -> dict[str, Any]:
    """Return what a file says of itself, where every byte is as it was written. Raises StoreError."""
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            end = content.rfind(b"\n")
            digest = hashlib.sha256()
            for begin in range(0, end, _AT_ONCE):
                digest.update(content[begin : min(begin + _AT_ONCE, end)])
            if digest.hexdigest().encode() == content[end + 1 :]:
                facts: dict[str, Any] = json.loads(content[content.rfind(b"\n", 0, end) + 1 : end])
                return facts
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:  # an empty file, or one that holds no JSON
        pass
    raise StoreError(f"{path}: is damaged; {ANEW}")
