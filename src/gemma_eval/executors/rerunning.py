"""Reruns the cells that an edit touches, and says how their answers differ from those that were accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gemma_eval.executors.room import Room
from gemma_eval.executors.sheet import Sheet
from gemma_eval.records import Cell, Compared, Outcome
from gemma_eval.stats.reduction import case_score
from gemma_eval.verdict.compare import compare


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A case with what it was made with, before an edit and after it; a score is `None` without one."""

    label: str
    before: tuple[Outcome, ...]
    after: tuple[Outcome, ...]

    @property
    def scores(self) -> tuple[float | None, float | None]:
        """The score before and that after."""
        return case_score(self.before), case_score(self.after)

    @property
    def moved(self) -> float:
        """By how much the score changed; one that came or went counts as all of it."""
        before, after = self.scores
        if before is None or after is None:
            return 0.0 if before is after else 1.0
        return after - before

    @property
    def answers(self) -> tuple[str, str] | None:
        """The first answer that differs, before and after; `None` where none does."""
        pairs = zip(map(answer, self.before), map(answer, self.after), strict=False)
        return next((pair for pair in pairs if pair[0] != pair[1]), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What an edit came to: the cases that it touched, and how both sides compare, `None` without a pair.

    `new` are those that were not accepted before, `gone` those that were and are no more.
    """

    touched: tuple[Change, ...]
    compared: Compared | None
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[Change, ...]:
        """The cases with another score or another answer, the largest loss first, then the largest gain."""
        found = [each for each in self.touched if each.moved or each.answers is not None]
        return tuple(sorted(found, key=lambda each: (each.moved == 0, each.moved > 0, -abs(each.moved))))


@dataclass(kw_only=True)
class Rerunning:
    """What is known of the cells of a suite: all outcomes so far, and those that were accepted."""

    room: Room
    _known: dict[str, Outcome] = field(default_factory=dict, init=False)
    _accepted: dict[str, tuple[Outcome, ...]] = field(default_factory=dict, init=False)

    def missing(self, sheet: Sheet) -> tuple[Cell, ...]:
        """Return the cells of which not every trial has an outcome, in the order in which they are run."""
        place: dict[str, int] = {}
        for cell in sheet.cells:
            place.setdefault(cell.model.name, len(place))
        ordered = sorted(sheet.cells, key=lambda cell: place[cell.model.name])
        return tuple(cell for cell in ordered if any(key not in self._known for key in sheet.keys(cell)))

    def run(self, cell: Cell, sheet: Sheet) -> None:
        """Run what is missing of a cell."""
        rows = sheet.suite.rows.get(cell.case.id)
        for outcome in self.room.run(cell, recorded=self._known, rows=rows):
            self._known[outcome.trial.key] = outcome

    def outcomes(self, sheet: Sheet) -> dict[str, tuple[Outcome, ...]]:
        """Return the outcomes of all cells by their labels, those of rows by the rows' own."""
        found: dict[str, list[Outcome]] = defaultdict(list)
        for cell in sheet.cells:
            for key in sheet.keys(cell):
                if (outcome := self._known.get(key)) is not None:
                    found[outcome.trial.cell.label].append(outcome)
        return {label: tuple(outcomes) for label, outcomes in found.items()}

    def accept(self, sheet: Sheet) -> None:
        """Hold what comes against what is now, and forget what is neither."""
        self._accepted = self.outcomes(sheet)
        kept = {outcome.trial.key for each in self._accepted.values() for outcome in each}
        self._known = {key: outcome for key, outcome in self._known.items() if key in kept}

    def forget(self) -> None:
        """Have everything run again."""
        self._known.clear()
        self.room.close()
        self.room.renew()

    def difference(self, sheet: Sheet) -> Difference:
        """Return how the cells that are no longer as accepted differ from those that are."""
        now = self.outcomes(sheet)
        both = [label for label in now if label in self._accepted]
        touched = tuple(
            Change(label=label, before=self._accepted[label], after=now[label])
            for label in both
            if not _are_same(self._accepted[label], now[label])
        )
        return Difference(
            touched=touched,
            compared=_compared(touched),
            new=tuple(label for label in now if label not in self._accepted),
            gone=tuple(label for label in self._accepted if label not in now),
        )


def answer(outcome: Outcome) -> str:
    """Return what came of a trial in words: its answer, what failed, or the passages that were found."""
    if outcome.failure is not None:
        return f"failed: {outcome.failure.message}"
    if outcome.generation is not None:
        return outcome.generation.text
    passages = () if outcome.prompt is None else outcome.prompt.passages
    return "passages " + ", ".join(passage.id for passage in passages)


def _are_same(before: Sequence[Outcome], after: Sequence[Outcome]) -> bool:
    """Whether nothing was run again: the outcomes are the very same."""
    return len(before) == len(after) and all(one is other for one, other in zip(before, after, strict=True))


def _compared(touched: Iterable[Change]) -> Compared | None:
    before = [outcome for each in touched for outcome in each.before]
    after = [outcome for each in touched for outcome in each.after]
    return compare(before, after) if before else None
