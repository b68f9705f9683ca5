"""The rows of later scorings: what the answers of a run were worth by other checks than those of then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.records import Case, Gating, ModelSpec, Outcome, Score, Scoring
from gemma_eval.store import gatings
from gemma_eval.store.columns import Column, digest, from_plain, to_plain
from gemma_eval.store.plan import write_case
from gemma_eval.store.rows import score_rows
from gemma_eval.wire import Plain, dump, load

SINCE = 4
"""The version of the schema from which a run may have scorings."""

COLUMNS = """again.scoring, now."case", again.record, again.sha256"""
"""What the scores of a later scoring are rebuilt from."""
JOIN = """
LEFT JOIN rescored AS again ON again.outcome_id = outcome.id AND again.scoring = (
  SELECT max(scoring) FROM rescored WHERE rescored.outcome_id = outcome.id AND scoring <= ?
)
LEFT JOIN asked AS now ON now.sha256 = again.asked
"""
NONE = "NULL, NULL, NULL, NULL"
"""The same of a file that can have no scoring."""

_SCORING = "INSERT INTO scoring VALUES(?, ?, ?, ?, ?, ?)"
_RESCORED = "INSERT INTO rescored VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
_STALE = "these verdicts are by the scores of before; gemma-eval gate judges the run anew"


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """The columns of one outcome that a later scoring is rebuilt from."""

    run_id: str
    trial_key: str
    scoring: int
    case: Column
    record: Column

    @property
    def sha256(self) -> str:
        """The hash over them."""
        return digest(self.run_id, self.trial_key, str(self.scoring), self.case, self.record)

    def of(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the scores and the checks of the scoring. Raises StoreError."""
        plain = cast(Mapping[str, list[Plain]], to_plain(self.record))
        cell = replace(
            outcome.trial.cell,
            case=load(Case, to_plain(self.case)),
            judges=tuple(load(ModelSpec, each) for each in plain["judges"]),
        )
        scores = tuple(load(Score, each) for each in plain["scores"])
        return replace(outcome, trial=replace(outcome.trial, cell=cell), scores=scores)


def insert(
    connection: sqlite3.Connection, run_id: str, scoring: Scoring, outcomes: Mapping[str, Outcome]
) -> None:
    """Write a scoring with the outcomes that it has scored, by the keys of their trials as planned."""
    after = max((each.number for each in select(connection, run_id)), default=0) + 1
    if scoring.number != after:
        raise StoreError(f"run {run_id}: the next scoring is number {after}, and {scoring.number} was given")
    plain = dump(scoring)
    row = (run_id, scoring.number, scoring.at_utc, scoring.answers, scoring.changed, from_plain(plain))
    connection.execute(_SCORING, row)
    last: Case | None = None
    asked: tuple[str, Column] = ("", "")
    for key, outcome in outcomes.items():
        if outcome.trial.cell.case is not last:  # repeats share theirs
            last = outcome.trial.cell.case
            asked = write_case(connection, last)
        _insert_outcome(connection, (run_id, key, scoring.number), outcome, asked=asked)
    _mark_gates(connection, run_id)


def select(connection: sqlite3.Connection, run_id: str) -> tuple[Scoring, ...]:
    """Return the scorings of a run, oldest first; none of a file of an earlier version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SINCE:
        return ()
    rows = connection.execute("SELECT record FROM scoring WHERE run_id = ? ORDER BY number", (run_id,))
    return tuple(load(Scoring, to_plain(record)) for (record,) in rows)


def number_of(connection: sqlite3.Connection, run_id: str, given: int | str) -> int:
    """Return the number of a scoring, that of the newest for "latest", 0 for that of the run itself.

    Raises UnknownName.
    """
    known = [0, *(each.number for each in select(connection, run_id))]
    if given == "latest":
        return known[-1]
    if given not in known:
        raise UnknownName("scoring", str(given), map(str, known))
    return given


def delete_newest(connection: sqlite3.Connection, run_id: str) -> Scoring:
    """Forget the newest scoring of a run, and return what it was. Raises StoreError where there is none."""
    known = select(connection, run_id)
    if not known:
        raise StoreError(f"run {run_id} was never scored again: it has only the scores that it was made with")
    newest = known[-1]
    of = (run_id, newest.number)
    connection.execute(
        "DELETE FROM rescored_score WHERE scoring = ?2 AND outcome_id IN "
        "(SELECT outcome_id FROM rescored WHERE run_id = ?1 AND scoring = ?2)",
        of,
    )
    connection.execute("DELETE FROM rescored WHERE run_id = ? AND scoring = ?", of)
    connection.execute("DELETE FROM scoring WHERE run_id = ? AND number = ?", of)
    _mark_gates(connection, run_id)
    return newest


def refuse_scored_again(connection: sqlite3.Connection, run_id: str) -> None:
    """Raise StoreError when a run has a scoring that answers made from now on would not have."""
    if select(connection, run_id):
        raise StoreError(
            f"run {run_id} cannot be resumed: it was scored again since, by checks that new answers "
            f"would not have; forget those scores with gemma-eval rescore {run_id} --undo, or start a new run"
        )


def _insert_outcome(
    connection: sqlite3.Connection,
    place: tuple[str, str, int],
    outcome: Outcome,
    *,
    asked: tuple[str, Column],
) -> None:
    """Write the scores of one outcome: at its run, key and scoring, for a case by its hash and column."""
    run_id, key, number = place
    found = connection.execute("SELECT id FROM outcome WHERE run_id = ? AND trial_key = ?", (run_id, key))
    row = found.fetchone()
    if row is None:
        raise StoreError(f"trial {key} of run {run_id} is not recorded")
    judges = outcome.trial.cell.judges
    record = from_plain({"scores": list(map(dump, outcome.scores)), "judges": list(map(dump, judges))})
    again = Again(run_id=run_id, trial_key=key, scoring=number, case=asked[1], record=record)
    score = None if outcome.score is None else float(outcome.score)
    scored = (score, int(outcome.passed), asked[0], record, again.sha256)
    connection.execute(_RESCORED, (row[0], number, run_id, *scored))
    for at, columns in enumerate(score_rows(outcome.scores)):
        _insert_score(connection, (row[0], number, at), columns)


def _insert_score(
    connection: sqlite3.Connection, place: tuple[int, int, int], columns: Mapping[str, object]
) -> None:
    names = ("outcome_id", "scoring", "number", *columns)
    statement = f"INSERT INTO rescored_score({', '.join(names)}) VALUES({', '.join('?' * len(names))})"
    connection.execute(statement, (*place, *columns.values()))


def _mark_gates(connection: sqlite3.Connection, run_id: str) -> None:
    """Note with the gates of a run that they were decided by other scores."""
    gating = gatings.select(connection, run_id)
    if gating is not None and gating.notes[-1:] != (_STALE,):
        gatings.replace(connection, replace(gating, notes=tuple(_with_mark(gating))))


def _with_mark(gating: Gating) -> Iterator[str]:
    yield from (note for note in gating.notes if note != _STALE)
    yield _STALE
