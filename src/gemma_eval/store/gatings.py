"""The rows of what became of a run's gates, and the names that runs have as baselines."""

from __future__ import annotations

import sqlite3

from gemma_eval.errors import UnknownName
from gemma_eval.records import Gated, Gating
from gemma_eval.store.columns import Column, from_plain, from_text, to_plain
from gemma_eval.wire import dump, load

_VERDICT = f"INSERT INTO verdict VALUES({', '.join('?' * 25)})"


def replace(connection: sqlite3.Connection, gating: Gating) -> None:
    """Write the gates of a run, in the place of those written before."""
    for table in ("verdict", "gating"):
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (gating.candidate,))  # noqa: S608 - names from here
    row = (gating.candidate, from_plain(dump(gating)))
    connection.execute("INSERT INTO gating VALUES(?, ?)", row)
    rows = [_row(gating, number, each) for number, each in enumerate(gating.gated)]
    connection.executemany(_VERDICT, rows)


def select(connection: sqlite3.Connection, run_id: str) -> Gating | None:
    """Return what became of the gates of a run, `None` when it was held against nothing."""
    if not _has(connection, "gating"):
        return None
    row = connection.execute("SELECT record FROM gating WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else load(Gating, to_plain(row[0]))


def baselines(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the runs that have a name as baselines, by that name."""
    if not _has(connection, "baseline"):
        return {}
    return dict(connection.execute("SELECT name, run_id FROM baseline ORDER BY name"))


def set_baseline(connection: sqlite3.Connection, name: str, run_id: str) -> None:
    """Give a run the name."""
    connection.execute(
        "INSERT INTO baseline VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET run_id = excluded.run_id",
        (name, run_id),
    )


def unset_baseline(connection: sqlite3.Connection, name: str) -> None:
    """Forget the name. Raises UnknownName."""
    known = baselines(connection)
    if name not in known:
        raise UnknownName("baseline", name, known)
    connection.execute("DELETE FROM baseline WHERE name = ?", (name,))


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether the file has the table; one of an earlier version lacks it."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,))
    return found.fetchone() is not None


def _row(gating: Gating, number: int, each: Gated) -> tuple[Column | int | float | None, ...]:
    found, group = each.comparison, each.group
    names = (from_text(each.gate.id), each.gate.tier, *map(from_text, (group.model, group.profile)))
    decided = (found.metric, found.verdict, found.lean, found.unit, found.n, found.base, found.candidate)
    proof = (found.difference, found.low, found.high, found.margin, found.detectable, found.needed, found.p)
    return (
        *(gating.candidate, number, gating.base, *names, from_text(group.template)),
        *(*decided, *proof, each.p_adjusted, from_text(found.reason), from_text(group.retrieval)),
    )
