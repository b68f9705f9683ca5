"""What a run was planned with, so that each of its processes can tell that it would run the same.

Workers and blocks read the files by themselves, and the later ones minutes after the run has begun. What is
pinned is a hash of each case, model, profile, template and retrieval, by what a person calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gemma_eval.records import Cell, Suite, identity

Pinned = Mapping[str, str]
"""A hash by the name of a suite and of a thing in it; what stands after a tab is not shown."""


def pinned(suite: Suite, cells: Iterable[Cell]) -> dict[str, str]:
    """Return a hash for each thing that cells of a suite are made of."""
    known: dict[str, object] = {}
    found: dict[str, str] = {}
    for cell in cells:
        for name, record in _parts(suite, cell):
            if name not in known:
                known[name] = record
                found[f"{suite.name}\t{name}"] = identity(record)
    return found


def differing(told: Pinned, here: Pinned) -> tuple[str, ...]:
    """Return what is in use here and is not what was told, as `template "rag"`."""
    names = (name for name, sha256 in here.items() if told.get(name) != sha256)
    return tuple(dict.fromkeys(name.split("\t")[1] for name in names))


def refusal(names: Iterable[str]) -> str:
    """Return the line that says why what differs is not run."""
    first, *more = names
    others = f" and {len(more)} more" if more else ""
    were = "were" if more else "was"
    what = f"{first}{others} {were} changed while the run was under way"
    return f"{what}, and a run measures what it began with; undo the edit, or start a new run"


def touched(cell: Cell, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that are of a cell."""
    ours = {name.partition("\t")[0] for name, _ in _parts(None, cell)}
    return tuple(name for name in names if name in ours)


def unlike(planned: Cell, made: Cell) -> tuple[str, ...]:
    """Return what two cells of one label do not share; the rows of a dataset have cases of their own."""
    ours = dict(_parts(None, planned))
    is_row = planned.case.dataset is not None
    found = {name: record for name, record in _parts(None, made) if not (is_row and name.startswith("case "))}
    return tuple(
        name.partition("\t")[0]
        for name, record in found.items()
        if record != ours.get(name) and identity(record) != identity(ours.get(name))
    )


def _parts(suite: Suite | None, cell: Cell) -> Iterator[tuple[str, object]]:
    """Yield what a cell is made of; a profile is another one where a case limits it otherwise."""
    case, profile = cell.case, cell.profile
    rows = suite.sha256 if suite is not None and case.dataset is not None else ""
    yield f'case "{case.id}"', (case, rows, cell.seed)
    yield f'profile "{profile.name}"\t{profile.max_tokens}\t{profile.ignore_eos}', profile
    yield f'template "{cell.template.name}"', cell.template
    yield f'retrieval "{cell.retrieval.name}"', cell.retrieval
    for spec in (cell.model, *cell.judges, *cell.embedders, *cell.rerankers):
        yield f'model "{spec.name}"', spec
