"""The one writer of a results database: when `record` returns, the outcome survives a `kill -9`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from gemma_eval.errors import StoreError
from gemma_eval.records import EngineInfo, Gating, Microbenchmark, Noise, Outcome, Run, Scoring, Trial
from gemma_eval.store import gatings, runs, scorings
from gemma_eval.store.connection import leave_one_file, open_to_write, store_errors
from gemma_eval.store.lease import Lease, acquire
from gemma_eval.store.plan import columns_of, planned_columns, refuse_changed_plan, write_plan
from gemma_eval.store.rows import Row, Rows, take_apart

_PARTS = ("transcript", "score", "attempt", "step")
"""The tables with what belongs to an outcome."""


def open_store(path: Path) -> Store:
    """Open or create the database at `path` and take the right to write to it.

    The last folder of `path` is made when it is missing. Raises StoreError: another process is writing,
    the file is of another program or of a newer version, or it cannot be written.
    """
    _make_folder(path)
    lease = acquire(path)
    try:
        return Store(path, open_to_write(path), lease)
    except BaseException:
        lease.release()
        raise


class Store:
    """The writing side of a results database; every method is one transaction and may raise StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lease: Lease) -> None:
        """Take over an open connection and the lease that guards it: see `open_store`."""
        self._path = path
        self._connection = connection
        self._lease = lease
        self._has_begun = False

    def begin(self, run: Run, trials: Collection[Trial]) -> None:
        """Write a new run with its plan, or take up the run of that id again.

        A run is taken up only with the trials it was planned with, and on the machine it was begun on.
        """
        with self._transaction():
            if not self._has_begun:
                runs.end_abandoned(self._connection)
                self._has_begun = True
            if runs.is_known(self._connection, run.id):
                scorings.refuse_scored_again(self._connection, run.id)
                runs.refuse_other_host(self._connection, run)
                refuse_changed_plan(self._connection, run.id, trials)
                runs.set_state(self._connection, run.id, "running")
                runs.note_end(self._connection, run.id, None)
            else:
                runs.insert(self._connection, run, n_trials=len(trials))
                write_plan(self._connection, run.id, trials)
            for model, info in run.engines.items():
                runs.note_engine(self._connection, run.id, model, info)

    def extend(self, run_id: str, trials: Sequence[Trial]) -> None:
        """Plan further trials of a run, after those that it has."""
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            before = runs.add_planned(self._connection, run_id, len(trials))
            write_plan(self._connection, run_id, trials, first=before)

    def gate(self, gating: Gating) -> None:
        """Write what became of the gates of a run, in the place of what was written before."""
        with self._transaction():
            runs.refuse_unknown(self._connection, gating.candidate)
            gatings.replace(self._connection, gating)

    def set_baseline(self, name: str, run_id: str) -> None:
        """Give a run a name as a baseline; one that had the name has it no longer."""
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            gatings.set_baseline(self._connection, name, run_id)

    def unset_baseline(self, name: str) -> None:
        """Forget the name of a baseline; its run stays. Raises UnknownName."""
        with self._transaction():
            gatings.unset_baseline(self._connection, name)

    def engine(self, run_id: str, model: str, info: EngineInfo) -> None:
        """Note what drives a model; refuse another engine, version or weights than the run began with."""
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            runs.note_engine(self._connection, run_id, model, info)

    def note_microbenchmarks(self, run_id: str, measured: Sequence[Microbenchmark]) -> None:
        """Note what pytest-benchmark measured in the session of a run, in the place of equal names."""
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            runs.note_microbenchmarks(self._connection, run_id, measured)

    def recorded(self, run_id: str) -> frozenset[str]:
        """Return the keys of the trials that are recorded."""
        with store_errors(self._path):
            rows = self._connection.execute("SELECT trial_key FROM outcome WHERE run_id = ?", (run_id,))
            return frozenset(str(key) for (key,) in rows)

    def record(self, run_id: str, outcome: Outcome) -> bool:
        """Commit an outcome, then return; False, and nothing changed, when its trial was recorded before.

        Only an answer takes a place, that of a failure.
        """
        rows = take_apart(outcome)
        with self._transaction():
            if self._insert_once(run_id, outcome.trial, rows):
                return True
            ((number, is_answered),) = self._of_load(run_id, (outcome.trial.key,))
            if is_answered or outcome.failure is not None:
                return False
            self._forget((number,))
            return self._insert_once(run_id, outcome.trial, rows)

    def record_load(self, run_id: str, outcomes: Sequence[Outcome], *, keys: Collection[str]) -> bool:
        """Commit the outcomes of one load together, in the place of those recorded of it before.

        `keys` are those of all trials of the load. False, and nothing changed, when more of the requests
        before were answered than of these, or as many and these are not the whole load or that is recorded:
        errors take no answer's place.
        """
        taken = [(outcome.trial, take_apart(outcome)) for outcome in outcomes]
        answered = sum(outcome.failure is None for outcome in outcomes)
        with self._transaction():
            before = self._of_load(run_id, keys)
            more = answered - sum(is_answered for _, is_answered in before)
            is_better = more > 0 or (more == 0 and len(taken) == len(keys))
            if before and not (more > 0 if len(before) == len(keys) else is_better):
                return False
            self._forget([outcome_id for outcome_id, _ in before])
            for trial, rows in taken:
                self._insert_once(run_id, trial, rows)
        return True

    def finish(
        self,
        run_id: str,
        state: Literal["interrupted", "done"],
        *,
        noise: Noise | None = None,
        ended_utc: str | None = None,
    ) -> None:
        """End a run, noting when, and how busy the machine was.

        *Done* needs an outcome for every planned trial.
        """
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            if state == "done":
                runs.refuse_unfinished(self._connection, run_id)
            runs.set_state(self._connection, run_id, state)
            runs.note_noise(self._connection, run_id, noise)
            runs.note_end(self._connection, run_id, ended_utc)

    def replace_measurements(
        self, run_id: str, outcomes: Mapping[str, Outcome], *, definitions_version: int
    ) -> None:
        """Write the measurements of recorded outcomes, computed anew by formulas of that version.

        The outcomes are given by the keys of their trials as `Reader.outcomes_by_key` has them.
        """
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            for key, outcome in outcomes.items():
                self._replace_measurement(run_id, key, outcome)
            runs.set_definitions(self._connection, run_id, definitions_version)

    def rescore(self, run_id: str, scoring: Scoring, outcomes: Mapping[str, Outcome]) -> None:
        """Write the scores that recorded outcomes have by other checks, beside those that they had.

        The outcomes are given by the keys of their trials as `Reader.outcomes_by_key` has them, with those
        checks in their cases.
        """
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            scorings.insert(self._connection, run_id, scoring, outcomes)

    def undo_scoring(self, run_id: str) -> Scoring:
        """Forget the newest scoring of a run; what it was made with stays. Raises StoreError without one."""
        with self._transaction():
            runs.refuse_unknown(self._connection, run_id)
            return scorings.delete_newest(self._connection, run_id)

    def close(self) -> None:
        """Leave the database as one plain file and give back the right to write; twice does nothing more."""
        leave_one_file(self._connection)
        self._lease.release()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit on success, roll back on any error; IMMEDIATE, for a deferred lock can fail half-way."""
        with store_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has rolled back when the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def _insert_once(self, run_id: str, trial: Trial, rows: Rows) -> bool:
        planned = planned_columns(self._connection, run_id, trial)
        outcome = {
            "run_id": run_id,
            "trial_key": trial.key,
            **rows.measured,
            "record": rows.exact.record,
            "sha256": rows.exact.sha256(*planned),
        }
        cursor = self._insert("outcome", outcome, "ON CONFLICT(run_id, trial_key) DO NOTHING")
        if cursor.rowcount == 0:
            return False
        outcome_id = cast(int, cursor.lastrowid)
        exact = rows.exact
        texts = {"prompt": exact.prompt, "text": exact.text, "stamps": exact.stamps}
        self._insert("transcript", {"outcome_id": outcome_id, **texts})
        for number, score in enumerate(rows.scores):
            self._insert("score", {"outcome_id": outcome_id, "number": number, **score})
        for number, attempt in enumerate(rows.attempts):
            self._insert("attempt", {"outcome_id": outcome_id, "number": number, **attempt})
        for number, step in enumerate(rows.steps):
            self._insert("step", {"outcome_id": outcome_id, "number": number, **step})
        return True

    def _of_load(self, run_id: str, keys: Collection[str]) -> list[tuple[int, bool]]:
        """Return the id of each recorded outcome of a load, and whether it was answered."""
        select = "SELECT id, failure_kind IS NULL FROM outcome WHERE run_id = ? AND trial_key = ?"
        rows = (self._connection.execute(select, (run_id, key)).fetchone() for key in keys)
        return [(row[0], bool(row[1])) for row in rows if row is not None]

    def _forget(self, ids: Sequence[int]) -> None:
        for table, column in (*((part, "outcome_id") for part in _PARTS), ("outcome", "id")):
            statement = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - names from here
            self._connection.executemany(statement, [(each,) for each in ids])

    def _replace_measurement(self, run_id: str, key: str, outcome: Outcome) -> None:
        rows = take_apart(outcome)
        exact, planned = rows.exact, columns_of(self._connection, run_id, key) or ()
        row = {**rows.measured, "record": exact.record, "sha256": exact.sha256(*planned)}
        places = ", ".join(f"{name} = ?" for name in row)
        statement = f"UPDATE outcome SET {places} WHERE run_id = ? AND trial_key = ? RETURNING id"  # noqa: S608 - column names
        found = self._connection.execute(statement, (*row.values(), run_id, key)).fetchone()
        if found is None:
            raise StoreError(f"trial {key} of run {run_id} is not recorded")
        self._connection.execute(
            "UPDATE transcript SET stamps = ? WHERE outcome_id = ?", (exact.stamps, *found)
        )

    def _insert(self, table: str, row: Row, otherwise: str = "") -> sqlite3.Cursor:
        places = ", ".join("?" * len(row))
        statement = f"INSERT INTO {table}({', '.join(row)}) VALUES({places}) {otherwise}"
        return self._connection.execute(statement, tuple(row.values()))


def _make_folder(path: Path) -> None:
    """Make the folder of the database, but not those above it: a mistyped path is not to grow a tree."""
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: its folder cannot be made ({error.strerror}); give a path in a folder that exists"
        ) from error
