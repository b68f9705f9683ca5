"""The cells of suites: narrowed to what was asked for, and put in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pytest

from gemma_eval.cases.load_tables import misfit
from gemma_eval.errors import UsageError, suggestion
from gemma_eval.executors.refusals import in_words, skipped
from gemma_eval.pytest_plugin.options import Settings
from gemma_eval.records import Cell, Selection, Skipped, Suite

T = TypeVar("T")
Axis = tuple[str, tuple[str, ...], Callable[[Cell], str]]


@dataclass(frozen=True, kw_only=True)
class LoadedSuite:
    """A suite with all its cells, those of them that were asked for, and why some of these cannot run.

    `refused` has the reason by the label of the cell.
    """

    path: Path
    suite: Suite
    everything: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    refused: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_label(self) -> Mapping[str, Cell]:
        """The cells that were asked for, by their labels."""
        return {cell.label: cell for cell in self.cells}


def narrow(cells: Iterable[Cell], settings: Settings) -> tuple[Cell, ...]:
    """Keep the cells of the asked kind and of the names asked for on each axis, with the asked repeats."""
    return tuple(_repeated(cell, settings.repeats) for cell in cells if _wanted(cell, settings))


def check(suites: Sequence[LoadedSuite], settings: Settings) -> None:
    """Refuse a glob that fits nothing, a choice that leaves no cell or none that can run, and two suites of
    one name.

    Raises pytest.UsageError.
    """
    paths: dict[str, Path] = {}
    for loaded in suites:
        other = paths.setdefault(loaded.suite.name, loaded.path)
        if other != loaded.path:
            name = loaded.suite.name
            raise pytest.UsageError(f'{other} and {loaded.path} are both named "{name}"; rename one of them')
    cells = [cell for loaded in suites for cell in loaded.everything]
    for noun, globs, name_of in _axes(settings):
        names = {name_of(cell) for cell in cells}
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                known = suggestion(glob, names)
                raise pytest.UsageError(f'--gemma-{noun} "{glob}": the suite has no such {noun}{known}')
    if cells and not any(loaded.cells for loaded in suites):
        options = ", ".join(f"-{noun}" for noun, _, _ in _axes(settings)[1:])
        raise pytest.UsageError(f"the --gemma-model, {options} and -kind given leave no cell to run")
    if cells and all(cell.label in loaded.refused for loaded in suites for cell in loaded.cells):
        raise pytest.UsageError(*map(in_words, left_out(suites)))


def left_out(suites: Iterable[LoadedSuite]) -> tuple[Skipped, ...]:
    """Return the cells that were asked for and cannot run, with their reasons."""
    return tuple(each for loaded in suites for each in skipped(loaded.cells, loaded.refused))


def selection(suites: Sequence[LoadedSuite], cells: Sequence[Cell], settings: Settings) -> Selection:
    """Return how much of the suites the cells that are run are."""
    runnable = sum(cell.label not in loaded.refused for loaded in suites for cell in loaded.cells)
    if len(cells) < runnable:
        return "part"
    narrowed = settings.kind or any(globs for _, globs, _ in _axes(settings))
    return "matrix" if narrowed else "all"


def by_model(items: Sequence[T], model_of: Callable[[T], str | None]) -> list[T]:
    """Return `items` with those of one model together, in the order in which the models first appear.

    Items without a model keep their places.
    """
    ours = [item for item in items if model_of(item) is not None]
    first: dict[str | None, int] = {}
    for item in ours:
        first.setdefault(model_of(item), len(first))
    ordered = iter(sorted(ours, key=lambda item: first[model_of(item)]))
    return [item if model_of(item) is None else next(ordered) for item in items]


def _axes(settings: Settings) -> tuple[Axis, ...]:
    return (
        ("model", settings.models, lambda cell: cell.model.name),
        ("profile", settings.profiles, lambda cell: cell.profile.name),
        ("template", settings.templates, lambda cell: cell.template.name),
        ("retrieval", settings.retrievals, lambda cell: cell.retrieval.name),
    )


def _wanted(cell: Cell, settings: Settings) -> bool:
    if settings.kind not in (None, cell.case.kind):
        return False
    return all(_fits(name_of(cell), globs) for _, globs, name_of in _axes(settings))


def _fits(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _repeated(cell: Cell, repeats: int | None) -> Cell:
    """Return the cell with other repeats. Raises UsageError when those are too few for its load."""
    if repeats is None:
        return cell
    load = cell.case.load
    if load is not None and (what := misfit(load, repeats=repeats)):
        raise UsageError(f'--gemma-repeats {repeats}: case "{cell.case.id}": {what}')
    return replace(cell, case=replace(cell.case, repeats=repeats))
