"""Which cells a gate is about."""

from __future__ import annotations

from fnmatch import fnmatchcase

from gemma_eval.records import Cell, Where


def fits(where: Where, cell: Cell) -> bool:
    """Whether a cell has all that is asked for; upper and lower case differ on every system."""
    case = cell.case
    asked = (
        (where.suite, (cell.suite,)),
        (where.case, (case.id,)),
        (where.tag, case.tags),
        (where.kind, (case.kind,)),
        (where.model, (cell.model.name,)),
        (where.profile, (cell.profile.name,)),
        (where.template, (cell.template.name,)),
        (where.retrieval, (cell.retrieval.name,)),
    )
    return all(glob is None or any(fnmatchcase(name, glob) for name in names) for glob, names in asked)
