"""The cells of a suite that are looked at, as its files have them now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from gemma_eval.cases.expand import trials
from gemma_eval.cases.load_tables import misfit
from gemma_eval.config.live_choices import paths
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.executors.refusals import refuse_malformed, refuse_unknown_backends, refused, skipped
from gemma_eval.executors.rows import row_cells
from gemma_eval.plugins import Registry
from gemma_eval.records import CaseKind, Cell, Choice, Skipped, Suite
from gemma_eval.suite import load_suite

_NAME_ON: Mapping[str, Callable[[Cell], str]] = {
    "model": lambda cell: cell.model.name,
    "profile": lambda cell: cell.profile.name,
    "template": lambda cell: cell.template.name,
    "retrieval": lambda cell: cell.retrieval.name,
    "case": lambda cell: cell.case.id,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which cells of a suite: of one kind, with names that fit the globs of each axis; all where it has none.

    `repeats` is how often each case is asked, `None` as often as it says.
    """

    kind: CaseKind = "quality"
    globs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    repeats: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A suite with the cells that are looked at and can run, and those that cannot."""

    suite: Suite
    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...] = ()
    _keys: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def keys(self, cell: Cell) -> tuple[str, ...]:
        """Return the keys of the trials of one of its cells, or of those of its rows; made once."""
        if cell.label not in self._keys:
            self._keys[cell.label] = tuple(self._made(cell))
        return self._keys[cell.label]

    def _made(self, cell: Cell) -> Iterator[str]:
        if cell.case.dataset is None:
            yield from (trial.key for trial in trials(cell))
            return
        for row in row_cells(cell, self.suite.rows[cell.case.id]):
            yield from (trial.key for trial in trials(row.cell))


def read(
    path: Path,
    registry: Registry,
    wanted: Wanted,
    *,
    say: Callable[[str], object],
    damaged: Literal["recover", "refuse"] = "recover",
) -> Sheet:
    """Return the cells of a suite file as it is now. Raises UsageError with all that is wrong.

    `say` and `damaged` are for `suite.load_suite`.
    """
    models = wanted.globs.get("model", ())
    suite, everything = load_suite(path, registry, models=models, say=say, damaged=damaged)
    refuse_unknown_backends(everything, registry)
    _refuse_what_fits_nothing(everything, wanted)
    cells = [_repeated(cell, wanted.repeats) for cell in everything if _is_wanted(cell, wanted)]
    if not cells:
        raise UsageError(f"{path.name} has no case of the kind {wanted.kind} that is asked for")
    refuse_malformed(cells, registry, suite=path)
    reasons = refused(cells, registry)
    return Sheet(
        suite=suite,
        cells=tuple(cell for cell in cells if cell.label not in reasons),
        skipped=skipped(cells, reasons),
    )


def choices(sheet: Sheet) -> Mapping[Choice, object]:
    """Return what the cells are made of, by kind and name."""
    found: dict[Choice, object] = {}
    for cell in sheet.cells:
        found["case", cell.case.id] = replace(cell.case, source=sheet.cells[0].case.source)
        found["profile", cell.profile.name] = cell.profile
        found["template", cell.template.name] = cell.template
        for spec in (cell.model, *cell.judges, *cell.embedders, *cell.rerankers):
            found["model", spec.name] = spec
    return found


def files(path: Path, sheet: Sheet | None, *, folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files and folders that cells are read from: the suite, what it names, and all choices."""
    named: set[str] = set()
    for case in () if sheet is None else sheet.suite.cases:
        named |= {document.name for document in case.documents}
        named |= {case.corpus.path} if case.corpus else set()
        named |= {case.dataset.path} if case.dataset else set()
    inside = [path.parent / name for name in sorted(named)]
    return (path, *(each for each in inside if _is_there(each)), *paths(folders))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _refuse_what_fits_nothing(cells: Iterable[Cell], wanted: Wanted) -> None:
    for axis, globs in wanted.globs.items():
        names = {_NAME_ON[axis](cell) for cell in cells}
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                raise UnknownName(axis, glob, names)


def _is_wanted(cell: Cell, wanted: Wanted) -> bool:
    fits = (
        not globs or any(fnmatchcase(_NAME_ON[axis](cell), glob) for glob in globs)
        for axis, globs in wanted.globs.items()
    )
    return cell.case.kind == wanted.kind and all(fits)


def _repeated(cell: Cell, repeats: int | None) -> Cell:
    if repeats is None:
        return cell
    load = cell.case.load
    if load is not None and (what := misfit(load, repeats=repeats)):
        raise UsageError(f'case "{cell.case.id}" with {repeats} repeats: {what}')
    return replace(cell, case=replace(cell.case, repeats=repeats))
