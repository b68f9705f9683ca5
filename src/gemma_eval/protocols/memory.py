"""What finds passages: sources and stores of them, retrievers over documents, embedders and rerankers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gemma_eval.protocols.engines import Backend
from gemma_eval.records import Among, Document, Hit, MemoryStats, Message, ModelSpec, Passage, Piece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gemma_eval.protocols.scorers import Embeddings

    Vector = NDArray[np.float32]
    """One vector of length 1, shape [D], float32."""


PLUMBING = "hashing/words+letters/"
"""The id of an embedder without a model begins so: its vectors show that a pipeline works, not how well."""


class Retriever(Protocol):
    """Finds the passages of some documents that bear on a query; it is made once and asked by any thread."""

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return at most `k` passages, best first."""


class RetrieverFactory(Protocol):
    """Indexes documents."""

    def __call__(self, documents: Sequence[Document]) -> Retriever: ...


class Embedder(Protocol):
    """Makes vectors of texts that lie near each other where the texts are about the same."""

    @property
    def id(self) -> str:
        """All that decides the vectors: name, weights, precision, pooling. Two ids never meet in one sum."""

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return one vector of length 1 for each text, [N, D] float32. Raises BackendError."""


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder that can also give a vector for each token, which late interaction compares."""

    def embed_tokens(self, texts: Sequence[str]) -> tuple[Embeddings, ...]:
        """Return for each text the vectors of its T tokens, each of length 1, [T, D] float32."""


def is_plumbing(embedder: str) -> bool:
    """Return whether the embedder of that id has no model: what it finds must not count as a result."""
    return embedder.startswith(PLUMBING)


class EmbedderFactory(Protocol):
    """Loads the embedder of a model spec. Raises BackendError."""

    def __call__(self, spec: ModelSpec) -> Embedder: ...


class Reranker(Protocol):
    """Puts passages in a better order than a search can, at a higher price."""

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return how much each text bears on `query`, higher is more, in any range. Raises BackendError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RerankerParts:
    """What a reranker may be made of: its model, the embedder of the retrieval, the engine under test.

    `load` loads the engine of a model, and whoever gave it closes that. `render` writes a conversation in the
    markup of a chat template, its first argument; without it there is none.
    """

    model: ModelSpec | None = None
    embedder: Embedder | None = None
    backend: Backend | None = None
    load: Callable[[ModelSpec], Backend] | None = None
    render: Callable[[str, Sequence[Message]], str] | None = None


class RerankerFactory(Protocol):
    """Builds a reranker. Raises UsageError where a part it needs is missing, BackendError."""

    def __call__(self, parts: RerankerParts) -> Reranker: ...


class PassageSource(Protocol):
    """Passages that can be searched by words and by vectors; from several threads at once.

    Where its attribute `is_quick` is true, the two searches of one question follow each other, since a thread
    would cost more than it saves.
    """

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by BM25, best first, each with a word of `query`. Raises StoreError."""

    def nearest(self, vector: Vector, *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Return at most `k` passages by the cosine of their vectors, best first.

        `embedder` is the id of what made `vector`. Raises StoreError where other vectors are kept, or of
        another length.
        """

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return the passages of these ids in that order; one that is not there any more is left out."""

    def vectors(self, ids: Sequence[str], *, embedder: str) -> Embeddings | None:
        """Return the vectors of these passages, [N, D], `None` where one of them has none."""


class MemoryStore(PassageSource, Protocol):
    """A source that outlives a process. Each call sees what every earlier call wrote. Raises StoreError.

    Times are seconds since 1970 and given by the caller; a passage whose `expires_s` lies before them is
    never found. What a full tier holds is decided by `memory.tiers`.
    """

    @property
    def location(self) -> str:
        """Where it is, without a password."""

    def add(
        self,
        pieces: Sequence[Piece],
        *,
        now_s: float,
        vectors: Embeddings | None = None,
        embedder: str | None = None,
    ) -> int:
        """Keep passages, all or none, and return how many were new; one known by its id is replaced."""

    def without_vectors(self, *, embedder: str, k: int) -> tuple[Piece, ...]:
        """Return at most `k` passages that have no vector of that embedder."""

    def add_vectors(self, ids: Sequence[str], vectors: Embeddings, *, embedder: str) -> None:
        """Keep the vectors [N, D] of passages that are there."""

    def each(self, among: Among = Among()) -> Iterator[Piece]:  # noqa: B008 - frozen
        """Yield all passages, oldest first, those that are past their time too."""

    def forget(self, ids: Sequence[str]) -> int:
        """Remove passages, and return how many were there."""

    def touch(self, ids: Sequence[str], *, now_s: float) -> None:
        """Note that passages were given to a model."""

    def expire(self, *, now_s: float) -> int:
        """Remove what is past its time, and return how many those were."""

    def stats(self, *, now_s: float) -> MemoryStats:
        """Count what is kept."""

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""


class StoreFactory(Protocol):
    """Opens the store at a location, a path or a URL; makes it where there is none. Raises StoreError."""

    def __call__(self, location: str) -> MemoryStore: ...
