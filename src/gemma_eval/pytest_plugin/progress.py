"""What is known of a run while it goes on: what is done, how it went, and how long the rest may take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from gemma_eval.records import Cell, Group, Outcome

Key = tuple[str, ...]
"""What cells are alike in, the more of it the better: kind and names of group, kind and model, kind."""


@dataclass(slots=True)
class SoFar:
    """What the cells of a group have come to so far."""

    planned: int = 0
    done: int = 0
    failed: int = 0
    scores: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def score(self) -> float | None:
        """The mean of the scores."""
        return fmean(self.scores) if self.scores else None

    @property
    def tokens_per_s(self) -> float | None:
        """The median of the output tokens per second."""
        return median(self.rates) if self.rates else None


class Progress:
    """Counts items, those that are cells by their groups, and times them.

    `cells` are by node id; of `planned` ids the others are tests of another kind.
    """

    def __init__(self, planned: Sequence[str], cells: Mapping[str, Cell]) -> None:
        self.planned = len(planned)
        self.done = 0
        self.failed: list[str] = []
        self.groups: dict[Group, SoFar] = {}
        self.running: dict[str, float] = {}
        self.latest: str | None = None
        self._cells = cells
        self._left = Counter(_keys(cell)[0] for cell in cells.values() for _ in range(cell.case.n_trials))
        self._took: defaultdict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._first: dict[str, None] = {}
        self._most_at_once = 1
        for cell in cells.values():
            self.groups.setdefault(cell.group, SoFar()).planned += 1

    def kind(self, nodeid: str) -> str:
        """Return the kind of a cell, "" of what is none."""
        cell = self._cells.get(nodeid)
        return "" if cell is None else cell.case.kind

    def begin(self, nodeid: str, *, now_s: float) -> None:
        """Note that an item runs."""
        self.running[nodeid] = now_s
        self.latest = nodeid
        self._most_at_once = max(self._most_at_once, len(self.running))

    def learn(self, nodeid: str, outcomes: Iterable[Outcome]) -> None:
        """Take in what an item has measured."""
        cell = self._cells.get(nodeid)
        if cell is None:
            return
        group = self.groups[cell.group]
        for outcome in outcomes:
            if outcome.score is not None:
                group.scores.append(outcome.score)
            if outcome.measurement is not None and outcome.measurement.output_tokens_per_s is not None:
                group.rates.append(outcome.measurement.output_tokens_per_s)

    def fail(self, nodeid: str) -> None:
        """Note that an item has failed; a second failure of one, as in its tear-down, is not counted."""
        if nodeid in self.failed:
            return
        self.failed.append(nodeid)
        if (cell := self._cells.get(nodeid)) is not None:
            self.groups[cell.group].failed += 1

    def end(self, nodeid: str, *, now_s: float) -> None:
        """Note that an item has ended, and what it took."""
        began_s = self.running.pop(nodeid, None)
        self.done += 1
        cell = self._cells.get(nodeid)
        if cell is None:
            return
        self.groups[cell.group].done += 1
        trials = cell.case.n_trials
        self._left[_keys(cell)[0]] -= trials
        if began_s is not None:
            self._note(cell, took_s=now_s - began_s)

    def expected_s(self, nodeid: str) -> float | None:
        """Return what an item may take, `None` while nothing is known of its like."""
        cell = self._cells.get(nodeid)
        per_trial = None if cell is None else self._per_trial_s(_keys(cell))
        return None if cell is None or per_trial is None else per_trial * cell.case.n_trials

    def remaining_s(self) -> float | None:
        """Return how long the rest may take, `None` before anything is known."""
        total = 0.0
        for key, trials in self._left.items():
            per_trial = self._per_trial_s((key, key[:2], key[:1])) if trials > 0 else 0.0
            if per_trial is None:
                return None
            total += per_trial * trials
        return total / self._most_at_once

    def _note(self, cell: Cell, *, took_s: float) -> None:
        """Keep what a cell took; the first of a model loads its engine, and says little of the others."""
        is_first = cell.model.name not in self._first
        self._first[cell.model.name] = None
        for key in ((), ("first",)) if is_first else (*_keys(cell), ()):
            sums = self._took[key]
            sums[0] += took_s
            sums[1] += cell.case.n_trials

    def _per_trial_s(self, keys: Iterable[Key]) -> float | None:
        for key in (*keys, ()):
            took_s, trials = self._took.get(key, (0.0, 0.0))
            if trials:
                return took_s / trials
        return None


def _keys(cell: Cell) -> tuple[Key, ...]:
    whole = (cell.case.kind, cell.model.name, *cell.group.names[1:])
    return whole, whole[:2], whole[:1]
