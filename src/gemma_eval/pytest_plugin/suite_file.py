"""Suite files as pytest sees them: collectors of their cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.errors import GemmaEvalError
from gemma_eval.logs.events import emit
from gemma_eval.pytest_plugin.case_item import CaseItem
from gemma_eval.pytest_plugin.dataset_item import DatasetItem
from gemma_eval.pytest_plugin.evaluation import EVALUATION
from gemma_eval.pytest_plugin.ids import cell_id, suite_id
from gemma_eval.pytest_plugin.problems import lines_of
from gemma_eval.records import Cell


class SuiteFile(pytest.File):
    """A suite file; its items are its cells."""

    def collect(self) -> list[CaseItem]:
        """Return an item for each cell that was asked for. Raises CollectError with all problems."""
        try:
            loaded = self.config.stash[EVALUATION].suite(self.path)
        except GemmaEvalError as error:
            emit("error", failure_kind=error.kind, failure_message=str(error))
            text = "\n".join(lines_of(error, here=self.config.invocation_params.dir))
            raise self.CollectError(text) from error
        return [self._item(cell, loaded.refused.get(cell.label)) for cell in loaded.cells]

    def _item(self, cell: Cell, refusal: str | None) -> CaseItem:
        kind = CaseItem if cell.case.dataset is None else DatasetItem
        item = kind.from_parent(self, name=cell.label, nodeid=cell_id(self.nodeid, cell), cell=cell)
        item.refusal = refusal
        if refusal is not None:
            item.add_marker(pytest.mark.skip(reason=refusal))
        return item


def collect(path: Path, parent: pytest.Collector) -> SuiteFile:
    """Return the collector of a suite file, with an id that is never empty."""
    name = suite_id(path, rootdir=parent.config.rootpath)
    return SuiteFile.from_parent(parent, path=path, nodeid=name)
