"""What writes reports."""

from __future__ import annotations

from typing import Protocol

from gemma_eval.records import Report


class Reporter(Protocol):
    """Writes one file of a report."""

    @property
    def file_name(self) -> str:
        """The name of the file in the report's folder, as `report.html`."""

    def render(self, report: Report) -> str:
        """Return the whole text of the file."""
