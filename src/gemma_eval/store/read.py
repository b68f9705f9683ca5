"""Reading a results database: runs, and the outcomes exactly as they were recorded."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Literal

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.records import Gating, Outcome, Run
from gemma_eval.store import gatings, runs, scorings
from gemma_eval.store.columns import Column
from gemma_eval.store.connection import check, open_to_read, store_errors
from gemma_eval.store.plan import rebuild, trial_columns
from gemma_eval.store.rows import Exact, put_together
from gemma_eval.store.scorings import Again

LATEST: Literal["latest"] = "latest"
_BACK = re.compile(LATEST + r"(?:~(\d{1,6}))?")

_Exact = tuple[str, Column, Column, str, Column, Column | None, Column | None, bytes | None, str]
_Scored = tuple[int | None, Column, Column, str]

_OUTCOMES = """
SELECT {trial}, outcome.record, prompt, text, stamps, outcome.sha256, {again}
FROM outcome
LEFT JOIN plan USING(run_id, trial_key)
LEFT JOIN asked ON plan.asked = asked.sha256
LEFT JOIN transcript ON transcript.outcome_id = outcome.id
{join}
WHERE outcome.run_id = ? ORDER BY position
"""
# Outer joins: an outcome whose plan is damaged must fail its hash and not drop out of the result.


def open_reader(path: Path) -> Reader:
    """Open a database for reading, also while a run is being written and also in a read-only folder.

    Raises StoreError: there is none, it is of another program or a newer version, or damaged.
    """
    return Reader(path, open_to_read(path))


class Reader:
    """The reading side of a results database; every method may raise StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over an open connection: see `open_reader`."""
        self._path = path
        self._connection = connection
        self._is_checked = False

    def runs(self) -> tuple[Run, ...]:
        """Return all runs, newest first."""
        with store_errors(self._path):
            return runs.select(self._connection)

    def run(self, run_id: str) -> Run:
        """Return the run of that id, the newest for "latest", the one before it for "latest~1".

        Raises UnknownName.
        """
        known = self.runs()
        if not known:
            raise StoreError(f"{self._path}: no run is recorded yet")
        if counted := _BACK.fullmatch(run_id):
            back = int(counted[1] or 0)
            if back < len(known):
                return known[back]
            raise StoreError(f"{self._path}: there is no {run_id}: it has {len(known)} runs")
        found = next((run for run in known if run.id == run_id), None)
        if found is None:
            raise UnknownName("run", run_id, (run.id for run in known))
        return found

    def outcomes(self, run_id: str, *, scoring: int | Literal["latest"] = LATEST) -> tuple[Outcome, ...]:
        """Return the recorded outcomes of a run in the order they were planned, or raise if one is damaged.

        Where the run was scored again they have the scores and checks of the `scoring` of that number, or of
        the newest one before it that has scored them; those of 0 are what the run was made with. SQLite's own
        check finds damage to the structure, the hash of each outcome damage to a value. Raises UnknownName
        for a scoring that there is not.
        """
        return tuple(self.outcomes_by_key(run_id, scoring=scoring).values())

    def outcomes_by_key(
        self, run_id: str, *, scoring: int | Literal["latest"] = LATEST
    ) -> dict[str, Outcome]:
        """Return the same by the keys of their trials as they were planned.

        A trial that an earlier version has planned, or that was scored again, may have another key today,
        since a key is made of all that can be chosen.
        """
        with store_errors(self._path):
            if not self._is_checked:
                check(self._connection, "integrity_check")
                self._is_checked = True
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            number = scorings.number_of(self._connection, run_id, scoring)
            has_scorings = version >= scorings.SINCE
            again, join = (scorings.COLUMNS, scorings.JOIN) if has_scorings else (scorings.NONE, "")
            bound: tuple[int | str, ...] = (number, run_id) if has_scorings else (run_id,)
            select = _OUTCOMES.format(trial=trial_columns(version), again=again, join=join)
            rows = self._connection.execute(select, bound).fetchall()
        return {row[0]: self._outcome(run_id, row[:9], row[9:]) for row in rows}

    def gating(self, run_id: str) -> Gating | None:
        """Return what became of the gates of a run, `None` when it was held against nothing."""
        with store_errors(self._path):
            return gatings.select(self._connection, run_id)

    def baselines(self) -> dict[str, str]:
        """Return the runs that were given a name as baselines, by that name."""
        with store_errors(self._path):
            return gatings.baselines(self._connection)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()

    def _outcome(self, run_id: str, row: _Exact, scored: _Scored) -> Outcome:
        key, case, chosen, numbers, record, prompt, text, stamps, sha256 = row
        exact = Exact(record=record, prompt=prompt, text=text, stamps=stamps)
        if exact.sha256(key, case, chosen, numbers) != sha256:
            raise StoreError(f"{self._path}: the outcome of trial {key} is damaged: its hash does not fit")
        outcome = put_together(rebuild(case, chosen, numbers), exact)
        number, case, record, sha256 = scored
        if number is None:
            return outcome
        again = Again(run_id=run_id, trial_key=key, scoring=number, case=case, record=record)
        if again.sha256 != sha256:
            raise StoreError(f"{self._path}: scoring {number} of trial {key} is damaged, by its hash")
        return again.of(outcome)
