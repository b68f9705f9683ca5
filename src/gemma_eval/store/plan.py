"""The trials that a run intends to make: written once at its start, and compared when it is resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from gemma_eval.errors import StoreError
from gemma_eval.records import Case, Cell, Trial
from gemma_eval.stats.reduction import reduction_name
from gemma_eval.store.columns import Column, digest, from_plain, readable, to_plain
from gemma_eval.wire import Plain, dump

_NUMBERS = "repeat || '/' || seed"
_WITHOUT_BLOCK = f"""trial_key, asked."case", chosen, {_NUMBERS}"""
_WITH_BLOCK = f"""{_WITHOUT_BLOCK} || CASE block WHEN 0 THEN '' ELSE '/' || block END"""

_SELECT = f"""
SELECT {_WITH_BLOCK} FROM plan JOIN asked ON plan.asked = asked.sha256 WHERE run_id = ? AND trial_key = ?
"""  # noqa: S608 - a constant
_INSERT = """
INSERT INTO plan(run_id, position, trial_key, suite, case_id, kind, model, profile, template, repeat, seed,
  asked, chosen, block, retrieval) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_ASKED = """INSERT INTO asked(sha256, case_id, "case", reduce) VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_Asked = tuple[str, Column, str]

_BLOCKS_SINCE = 3
_WAY_OUT = "undo the change to the suite, to what it names or to the selection, or start a new run"


def trial_columns(version: int) -> str:
    """Return what a trial is rebuilt from in a file of that version, in the order its hash takes it."""
    return _WITH_BLOCK if version >= _BLOCKS_SINCE else _WITHOUT_BLOCK


def write_plan(
    connection: sqlite3.Connection, run_id: str, trials: Iterable[Trial], *, first: int = 0
) -> None:
    """Insert planned trials in their order, from position `first` on; each case once however often asked.

    They are taken one by one, for there may be more of them than memory holds.
    """
    last: Cell | None = None
    sha256, chosen = "", from_plain({})
    for position, trial in enumerate(trials, first):
        cell = trial.cell
        if cell is not last:
            sha256, _ = write_case(connection, cell.case)
            chosen = chosen if _is_chosen_alike(cell, last) else _chosen_column(cell)
            last = cell
        names = (cell.suite, cell.case.id, cell.case.kind, cell.model.name, cell.profile.name)
        shown = (readable(name) for name in (*names, cell.template.name))
        row = (run_id, position, trial.key, *shown, trial.repeat, trial.seed, sha256, chosen, trial.block)
        row = (*row, readable(cell.retrieval.name))
        try:
            connection.execute(_INSERT, row)
        except sqlite3.IntegrityError as error:
            if "trial_key" not in str(error):
                raise
            raise StoreError(f"{_label_of(trial)} is planned twice; name each suite once") from error


def write_case(connection: sqlite3.Connection, case: Case) -> tuple[str, Column]:
    """Insert a case unless it is known; return the hash that it goes by, and its column."""
    column = from_plain(dump(case))
    sha256 = digest(column)
    connection.execute(_ASKED, (sha256, *_asked(case, column)))
    return sha256, column


def refuse_changed_plan(connection: sqlite3.Connection, run_id: str, trials: Iterable[Trial]) -> None:
    """Raise StoreError when `trials` are not those that the run was planned with; their order is free."""
    query = (
        "SELECT trial_key, repeat, case_id, model, profile, template, retrieval FROM plan WHERE run_id = ?"
    )
    planned = {
        str(key): _label(names, repeat=repeat) for key, repeat, *names in connection.execute(query, (run_id,))
    }
    given = {trial.key: _label_of(trial) for trial in trials}
    if planned.keys() == given.keys():
        return
    lost = [label for key, label in planned.items() if key not in given]
    new = [label for key, label in given.items() if key not in planned]
    raise StoreError(f"run {run_id} cannot be resumed: {_difference(lost, new)}; {_WAY_OUT}")


def planned_columns(connection: sqlite3.Connection, run_id: str, trial: Trial) -> tuple[Column, ...]:
    """Return the columns that a planned trial is rebuilt from. Raises StoreError when it is not planned."""
    row = columns_of(connection, run_id, trial.key)
    if row is None:
        raise StoreError(f"{_label_of(trial)} is not in the plan of run {run_id}")
    return row


def columns_of(connection: sqlite3.Connection, run_id: str, key: str) -> tuple[Column, ...] | None:
    """Return the columns that the trial of that key is rebuilt from, `None` when there is none."""
    return cast(tuple[Column, ...] | None, connection.execute(_SELECT, (run_id, key)).fetchone())


def rebuild(case: Column, chosen: Column, numbers: str) -> dict[str, Plain]:
    """Return the builtin values of a trial from its columns."""
    cell = {**cast(Mapping[str, Plain], to_plain(chosen)), "case": to_plain(case)}
    repeat, seed, *block = map(int, numbers.split("/"))
    return {"cell": cell, "repeat": repeat, "seed": seed, "block": block[0] if block else 0}


def _difference(lost: Sequence[str], new: Sequence[str]) -> str:
    changed = [label for label in lost if label in set(new)]
    if changed:
        return f"{len(changed)} of its trials have changed, first {changed[0]}"
    if lost:
        return f"{len(lost)} of its trials are no longer asked for, first {lost[0]}"
    return f"{len(new)} trials were not planned then, first {new[0]}"


def _asked(case: Case, column: Column) -> _Asked:
    """Return the columns of a case after its hash."""
    return readable(case.id), column, reduction_name(case)


def _chosen_column(cell: Cell) -> Column:
    """Return what was chosen for a cell beside its case, which many cells share."""
    plain = dump(cell)
    del plain["case"]
    return from_plain(plain)


def _is_chosen_alike(cell: Cell, other: Cell | None) -> bool:
    """Whether two cells differ in nothing but their case, as those of the rows of a dataset do."""
    return other is not None and cell == replace(other, case=cell.case)


def _label_of(trial: Trial) -> str:
    cell = trial.cell
    return _label([readable(name) for name in (cell.case.id, *cell.group.names)], repeat=trial.repeat)


def _label(names: Sequence[str], *, repeat: object) -> str:
    """Return how a trial is told of, by the name of its case and those on each axis, "" for none."""
    case_id, *chosen = names
    return f"{case_id}[{'/'.join(filter(None, chosen))}] repeat {repeat}"
