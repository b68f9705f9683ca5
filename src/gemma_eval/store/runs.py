"""The rows of a run and of its engines: written once, and guarded when the run is taken up again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from gemma_eval.errors import StoreError
from gemma_eval.records import EngineInfo, Host, Microbenchmark, Noise, Run
from gemma_eval.store import scorings
from gemma_eval.store.columns import Column, from_plain, from_text, readable, to_plain, to_text
from gemma_eval.wire import Plain, dump, load

_INSERT = """
INSERT INTO run(id, started_utc, state, suites, planned, host, arguments, "commit", definitions_version,
  skipped, harness, clock_offset_ns, base, selection)
VALUES(?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT = "SELECT * FROM run ORDER BY number DESC"  # a file of an earlier version lacks some columns
_LISTS = ("skipped", "microbenchmarks")


def insert(connection: sqlite3.Connection, run: Run, *, n_trials: int) -> None:
    """Write the row of a new run, in the state *running*."""
    if run.planned != n_trials:
        raise StoreError(f"run {run.id} says {run.planned} planned trials, and {n_trials} were given")
    row = (
        run.id,
        run.started_utc,
        from_plain(list(run.suites)),
        run.planned,
        from_plain(dump(run.host)),
        from_plain(list(run.arguments)),
        None if run.commit is None else from_text(run.commit),
        run.definitions_version,
        from_plain([dump(each) for each in run.skipped]),
        None if run.harness is None else from_plain(dump(run.harness)),
        run.clock_offset_ns,
        run.base,
        run.selection,
    )
    connection.execute(_INSERT, row)


def select(connection: sqlite3.Connection) -> tuple[Run, ...]:
    """Return all runs with their engines, newest first: in the order written, whatever the clock said."""
    cursor = connection.execute(_SELECT)
    names = [column[0] for column in cursor.description]
    return tuple(_run(connection, dict(zip(names, row, strict=True))) for row in cursor.fetchall())


def is_known(connection: sqlite3.Connection, run_id: str) -> bool:
    """Say whether a run of that id was begun."""
    return connection.execute("SELECT 1 FROM run WHERE id = ?", (run_id,)).fetchone() is not None


def set_state(
    connection: sqlite3.Connection, run_id: str, state: Literal["running", "interrupted", "done"]
) -> None:
    """Change the state of a run."""
    connection.execute("UPDATE run SET state = ? WHERE id = ?", (state, run_id))


def note_end(connection: sqlite3.Connection, run_id: str, ended_utc: str | None) -> None:
    """Write when a run ended, the last time of one that was taken up again; `None` while it goes on."""
    connection.execute("UPDATE run SET ended_utc = ? WHERE id = ?", (ended_utc, run_id))


def note_noise(connection: sqlite3.Connection, run_id: str, noise: Noise | None) -> None:
    """Write how busy the machine was; a run that was taken up again keeps the reasons of its first part."""
    if noise is None:
        return
    (column,) = connection.execute("SELECT noise FROM run WHERE id = ?", (run_id,)).fetchone()
    earlier = () if column is None else load(Noise, to_plain(column)).reasons
    kept = replace(noise, reasons=tuple(dict.fromkeys((*earlier, *noise.reasons))))
    row = (from_plain(dump(kept)), int(bool(kept.reasons)), run_id)
    connection.execute("UPDATE run SET noise = ?, noisy = ? WHERE id = ?", row)


def note_microbenchmarks(
    connection: sqlite3.Connection, run_id: str, measured: Sequence[Microbenchmark]
) -> None:
    """Write the micro-benchmarks of a run; one taken up again keeps those of before that have other names."""
    if not measured:
        return
    (column,) = connection.execute("SELECT microbenchmarks FROM run WHERE id = ?", (run_id,)).fetchone()
    plain = [] if column is None else cast(list[Plain], to_plain(column))
    before = [load(Microbenchmark, each) for each in plain]
    kept = {each.name: each for each in (*before, *measured)}
    row = (from_plain([dump(each) for each in kept.values()]), run_id)
    connection.execute("UPDATE run SET microbenchmarks = ? WHERE id = ?", row)


def set_definitions(connection: sqlite3.Connection, run_id: str, version: int) -> None:
    """Change the version of the formulas that a run's measurements were made by."""
    connection.execute("UPDATE run SET definitions_version = ? WHERE id = ?", (version, run_id))


def add_planned(connection: sqlite3.Connection, run_id: str, count: int) -> int:
    """Raise the number of planned trials, and return what it was."""
    (before,) = connection.execute("SELECT planned FROM run WHERE id = ?", (run_id,)).fetchone()
    connection.execute("UPDATE run SET planned = ? WHERE id = ?", (before + count, run_id))
    return int(before)


def refuse_unknown(connection: sqlite3.Connection, run_id: str) -> None:
    """Raise StoreError when a run was never begun."""
    if not is_known(connection, run_id):
        raise StoreError(f'run "{run_id}" was never begun')


def end_abandoned(connection: sqlite3.Connection) -> None:
    """Set *interrupted* where *running* is said: there is one writer at a time, and it has just begun."""
    connection.execute("UPDATE run SET state = 'interrupted' WHERE state = 'running'")


def refuse_unfinished(connection: sqlite3.Connection, run_id: str) -> None:
    """Raise StoreError when a planned trial has no outcome."""
    query = "SELECT planned, planned - recorded FROM v_run WHERE run_id = ?"
    planned, missing = connection.execute(query, (run_id,)).fetchone() or (0, 0)
    if missing:
        raise StoreError(f"run {run_id} is not done: {missing} of its {planned} trials are not recorded")


def refuse_other_host(connection: sqlite3.Connection, run: Run) -> None:
    """Raise StoreError when the run was begun on another machine than it is taken up on."""
    (column,) = connection.execute("SELECT host FROM run WHERE id = ?", (run.id,)).fetchone()
    host = load(Host, to_plain(column))
    if (host.cpu, host.logical_cores) != (run.host.cpu, run.host.logical_cores):
        raise StoreError(
            f"run {run.id} cannot be resumed here: it was begun on {host.cpu} "
            f"({host.logical_cores} cores), and timings of two machines do not mix; "
            "resume it there or start a new run"
        )


def note_engine(connection: sqlite3.Connection, run_id: str, model: str, info: EngineInfo) -> None:
    """Write what drives a model. Raises StoreError when the run began with something else."""
    known = engines(connection, run_id).get(model)
    if known is None:
        columns = (readable(info.engine), readable(info.version), info.model_sha256, info.parameters)
        row = (run_id, from_text(model), *columns, info.threads, from_plain(dump(info)))
        connection.execute("INSERT INTO engine VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)
    elif _identity(known) != _identity(info):
        was, now = _described(known), _described(info)
        raise StoreError(
            f"run {run_id}: model {model} was {was} and is now {now}; "
            "restore that engine and those weights, or start a new run"
        )


def engines(connection: sqlite3.Connection, run_id: str) -> dict[str, EngineInfo]:
    """Return what drives each model of a run."""
    rows = connection.execute("SELECT model, info FROM engine WHERE run_id = ?", (run_id,))
    return {to_text(model): load(EngineInfo, to_plain(info)) for model, info in rows}


def _run(connection: sqlite3.Connection, row: Mapping[str, Column | None]) -> Run:
    fields: dict[str, Plain] = dict(row)
    for derived in ("number", "noisy"):
        fields.pop(derived, None)
    for name in ("suites", "host", "arguments", "noise", "harness", *_LISTS):
        column = row.get(name)
        fields[name] = to_plain(column) if column is not None else [] if name in _LISTS else None
    commit = row["commit"]
    fields["commit"] = None if commit is None else to_text(commit)
    fields["scorings"] = [dump(each) for each in scorings.select(connection, cast(str, row["id"]))]
    fields["engines"] = {
        model: dump(info) for model, info in engines(connection, cast(str, row["id"])).items()
    }
    return load(Run, fields)


def _identity(info: EngineInfo) -> tuple[str, str, str | None]:
    return info.engine, info.version, info.model_sha256


def _described(info: EngineInfo) -> str:
    weights = f"weights {info.model_sha256[:12]}" if info.model_sha256 else "unknown weights"
    return f"{info.engine} {info.version}, {weights}"
