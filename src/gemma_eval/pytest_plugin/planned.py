"""The trials of a run in the order of its cells, made one after the other: a dataset may have very many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gemma_eval.cases.expand import trials
from gemma_eval.records import Cell, Trial


@dataclass(frozen=True, kw_only=True)
class Planned(Collection[Trial]):
    """The trials of `cells`; `spread` gives the cells of the rows of one that has a dataset."""

    cells: Sequence[Cell]
    spread: Callable[[Cell], Iterable[Cell]]

    def __len__(self) -> int:
        """Return how many trials there are, without making one."""
        return sum(cell.case.n_trials for cell in self.cells)

    def __iter__(self) -> Iterator[Trial]:
        """Yield each trial. Raises UsageError when the file of a dataset is no longer as it was."""
        for cell in self.cells:
            for each in (cell,) if cell.case.dataset is None else self.spread(cell):
                yield from trials(each)

    def __contains__(self, trial: object) -> bool:
        """Whether there is such a trial."""
        return any(each == trial for each in self)
