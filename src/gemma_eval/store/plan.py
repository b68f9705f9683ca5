"""The trials that a run intends to make: written once at its start, and compared when it is resumed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from gemma_eval.errors import StoreError
from gemma_eval.records import Cell, Trial
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
  asked, chosen, block) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_BLOCKS_SINCE = 3
_WAY_OUT = "undo the change to the suite, model, profile, template or selection, or start a new run"


def trial_columns(version: int) -> str:
    """Return what a trial is rebuilt from in a file of that version, in the order its hash takes it."""
    return _WITH_BLOCK if version >= _BLOCKS_SINCE else _WITHOUT_BLOCK


def write_plan(
    connection: sqlite3.Connection, run_id: str, trials: Sequence[Trial], *, first: int = 0
) -> None:
    """Insert planned trials in their order, from position `first` on; each case once however often asked."""
    asked: dict[str, tuple[str, Column]] = {}
    rows = list(_rows(run_id, trials, asked, first))
    _refuse_twice(trials)
    cases = [(sha256, case_id, case) for sha256, (case_id, case) in asked.items()]
    connection.executemany("INSERT INTO asked VALUES(?, ?, ?) ON CONFLICT DO NOTHING", cases)
    connection.executemany(_INSERT, rows)


def refuse_changed_plan(connection: sqlite3.Connection, run_id: str, trials: Sequence[Trial]) -> None:
    """Raise StoreError when `trials` are not those that the run was planned with; their order is free."""
    query = "SELECT trial_key, case_id, model, profile, template, repeat FROM plan WHERE run_id = ?"
    planned = {
        str(key): _label(*names[:4], repeat=names[4]) for key, *names in connection.execute(query, (run_id,))
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


def _rows(
    run_id: str, trials: Sequence[Trial], asked: dict[str, tuple[str, Column]], first: int
) -> Iterator[tuple[Column | int, ...]]:
    """Yield the rows of `plan`, and note in `asked` the cases that they refer to by hash."""
    last: Cell | None = None
    sha256, chosen = "", from_plain({})
    for position, trial in enumerate(trials, first):
        cell = trial.cell
        if cell is not last:
            last = cell
            case, chosen = _split(cell)
            sha256 = digest(case)
            asked[sha256] = (readable(cell.case.id), case)
        names = (cell.suite, cell.case.id, cell.case.kind, cell.model.name, cell.profile.name)
        shown = (readable(name) for name in (*names, cell.template.name))
        yield (run_id, position, trial.key, *shown, trial.repeat, trial.seed, sha256, chosen, trial.block)


def _split(cell: Cell) -> tuple[Column, Column]:
    """Return the case, which many cells share, and what was chosen for this cell."""
    plain = dump(cell)
    case = plain.pop("case")
    return from_plain(case), from_plain(plain)


def _refuse_twice(trials: Sequence[Trial]) -> None:
    seen: set[str] = set()
    for trial in trials:
        if trial.key in seen:
            raise StoreError(f"{_label_of(trial)} is planned twice; name each suite once")
        seen.add(trial.key)


def _label_of(trial: Trial) -> str:
    cell = trial.cell
    names = (cell.case.id, cell.model.name, cell.profile.name, cell.template.name)
    return _label(*(readable(name) for name in names), repeat=trial.repeat)


def _label(case_id: object, model: object, profile: object, template: object, *, repeat: object) -> str:
    return f"{case_id}[{model}/{profile}/{template}] repeat {repeat}"
