"""What finds passages, what makes vectors of texts, and what writes reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gemma_eval.records import Document, ModelSpec, Passage, Report

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings


class Retriever(Protocol):
    """Finds the passages of some documents that bear on a query."""

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


class EmbedderFactory(Protocol):
    """Loads the embedder of a model spec. Raises BackendError."""

    def __call__(self, spec: ModelSpec) -> Embedder: ...


class Reporter(Protocol):
    """Writes one file of a report."""

    @property
    def file_name(self) -> str:
        """The name of the file in the report's folder, as `report.html`."""

    def render(self, report: Report) -> str:
        """Return the whole text of the file."""
