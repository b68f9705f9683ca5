"""What finds passages, and what writes reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gemma_eval.records import Document, Passage, Report


class Retriever(Protocol):
    """Finds the passages of some documents that bear on a query."""

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return at most `k` passages, best first."""


class RetrieverFactory(Protocol):
    """Indexes documents."""

    def __call__(self, documents: Sequence[Document]) -> Retriever: ...


class Reporter(Protocol):
    """Writes one file of a report."""

    @property
    def file_name(self) -> str:
        """The name of the file in the report's folder, as `report.html`."""

    def render(self, report: Report) -> str:
        """Return the whole text of the file."""
