"""The best of several cells, and by how much its score flatters it because it was chosen by that score.

Of cells that are all alike one has the highest mean by luck, and would not have it again. So half of the
cases, drawn from a seed, choose and the other half report: what the chosen cell loses between the two is what
the choice had added. The mean over 200 such halvings is the caveat; one alone would be mostly noise. It is
that of a choice by half of the cases, and so rather too large for one by all of them.
Source: Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning, section 7.10.2.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Cell = TypeVar("Cell", bound=Hashable)

HALVINGS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Best(Generic[Cell]):
    """The cell with the highest `mean` over all cases, and what is left of that where it was not chosen.

    `chosen` is the mean of the cell that half of the cases choose over that half, `reported` over the other,
    and `again` how often it is this cell.
    """

    cell: Cell
    mean: float
    chosen: float
    reported: float
    again: float

    @property
    def flattery(self) -> float:
        """By how much a choice by half of the cases flatters what is chosen."""
        return self.chosen - self.reported


def best(
    cells: Mapping[Cell, Sequence[float]], *, seed: int = 0, halvings: int = HALVINGS
) -> Best[Cell] | None:
    """Return the best cell by the scores of each, one per case and in the same order; more is better.

    The first of equal ones is chosen. `None` where there are not two cells, or fewer than four cases.
    """
    names = tuple(cells)
    sizes = {len(scores) for scores in cells.values()}
    if len(names) < 2 or len(sizes) != 1 or max(sizes) < 4:
        return None
    import numpy as np

    scores = np.array([cells[name] for name in names], dtype=np.float64)  # [cells, cases]
    cases = scores.shape[1]
    winner = int(scores.mean(axis=1).argmax())
    random = np.random.default_rng(seed)
    chosen, reported, again = [], [], []
    for _ in range(halvings):
        order = random.permutation(cases)
        choose, report = order[: cases // 2], order[cases // 2 :]
        means = scores[:, choose].mean(axis=1)
        at = int(means.argmax())
        chosen.append(means[at])
        reported.append(scores[at, report].mean())
        again.append(at == winner)
    return Best(
        cell=names[winner],
        mean=float(scores[winner].mean()),
        chosen=float(np.mean(chosen)),
        reported=float(np.mean(reported)),
        again=float(np.mean(again)),
    )
