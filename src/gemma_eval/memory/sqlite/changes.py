"""What is written to a memory within one transaction: passages that come, go, are used or crowded out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from gemma_eval.errors import StoreError
from gemma_eval.memory.bm25 import words as words_of
from gemma_eval.memory.sqlite import words
from gemma_eval.memory.sqlite.rows import COLUMNS, groups, piece_of, pieces, row_of, sequence_numbers
from gemma_eval.memory.tiers import Rules, from_table, given, to_table, worth
from gemma_eval.records import MemoryTier, Piece

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

_UPDATE = """
UPDATE passage SET document = ?, tier = ?, at_s = ?, accessed_s = ?, expires_s = ?, importance = ?,
accesses = ?, tags = ?, worth = ? WHERE seq = ?
"""


def put(connection: sqlite3.Connection, admitted: Sequence[Piece], *, rules: Rules) -> int:
    """Write passages and return how many were new; of one whose text is as it was, words and vectors stay."""
    known = _known(connection, [piece.id for piece in admitted])
    same = [piece for piece in admitted if piece.id in known and known[piece.id][1] == piece.text]
    rest = {piece.id for piece in same}
    changed = [piece.id for piece in admitted if piece.id in known and piece.id not in rest]
    remove(connection, [known[id_][0] for id_ in changed])
    new = [piece for piece in admitted if piece.id not in rest]
    _update(connection, [(known[piece.id][0], piece) for piece in same], rules=rules)
    _insert(connection, new, rules=rules)
    return len(admitted) - len(known)


def remove(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Remove passages by their `seq`, with their words, tags and vectors."""
    for some in groups(numbers):
        among = f"seq IN ({', '.join('?' * len(some))})"
        words.remove(connection, connection.execute(f"SELECT seq, text FROM passage WHERE {among}", some))  # noqa: S608
        connection.execute(f"DELETE FROM passage WHERE {among}", some)  # noqa: S608 - marks only
    if numbers:
        note_change(connection)


def expire(connection: sqlite3.Connection, *, now_s: float) -> int:
    """Remove what is past its time, and return how many those were."""
    past = [seq for (seq,) in connection.execute("SELECT seq FROM passage WHERE expires_s < ?", (now_s,))]
    remove(connection, past)
    return len(past)


def crowd_out(
    connection: sqlite3.Connection, tiers: Iterable[MemoryTier], *, rules: Rules, coming: Collection[str]
) -> None:
    """Remove what has no place in these tiers, as `tiers.crowded_out` says."""
    for tier in tiers:
        capacity = rules[tier].capacity
        if capacity is None:
            continue
        (n,) = connection.execute("SELECT count(*) FROM passage WHERE tier = ?", (tier,)).fetchone()
        if n > capacity:
            _remove_least(connection, tier, n=n - capacity, coming=coming)


def touch(connection: sqlite3.Connection, ids: Sequence[str], *, now_s: float, rules: Rules) -> None:
    """Note that passages were given to a model."""
    used = [given(piece, now_s=now_s) for piece in pieces(connection, ids)]
    connection.executemany(
        "UPDATE passage SET accessed_s = ?, accesses = ?, worth = ? WHERE id = ?",
        [(each.accessed_s, each.accesses, worth(each, rules=rules), each.id) for each in used],
    )


def dim_of(connection: sqlite3.Connection, embedder: str) -> int | None:
    """Return the length of the vectors of an embedder, `None` where there never was one."""
    row = connection.execute("SELECT dim FROM embedder WHERE id = ?", (embedder,)).fetchone()
    return None if row is None else cast(int, row[0])


def put_vectors(
    connection: sqlite3.Connection, ids: Sequence[str], vectors: Embeddings, *, embedder: str
) -> None:
    """Write the vectors [N, D] of those passages that are there, in place of those of the same embedder."""
    connection.execute(
        "INSERT INTO embedder(id, dim) VALUES(?, ?) ON CONFLICT(id) DO NOTHING", (embedder, vectors.shape[1])
    )
    (number,) = connection.execute("SELECT number FROM embedder WHERE id = ?", (embedder,)).fetchone()
    numbers = sequence_numbers(connection, ids)
    rows = np.ascontiguousarray(vectors, "<f4")
    connection.executemany(
        "INSERT OR REPLACE INTO vector(embedder, seq, value) VALUES(?, ?, ?)",
        [(number, numbers[id_], row.tobytes()) for id_, row in zip(ids, rows, strict=True) if id_ in numbers],
    )
    note_change(connection)


def note_change(connection: sqlite3.Connection) -> None:
    """Tell who mirrors vectors that they are others now."""
    connection.execute("UPDATE state SET changes = changes + 1")


def rules_of(connection: sqlite3.Connection) -> Rules:
    """Return the rules of the tiers. Raises StoreError where they are damaged."""
    rows = connection.execute("SELECT name, rule FROM tier").fetchall()
    try:
        return from_table({name: json.loads(rule) for name, rule in rows})
    except ValueError as error:
        raise StoreError("the rules of its tiers are damaged; restore a backup") from error


def set_rules(connection: sqlite3.Connection, rules: Rules) -> None:
    """Write the rules of the tiers, and what passages are worth by them."""
    rows = [(tier, json.dumps(rule)) for tier, rule in to_table(rules).items()]
    connection.executemany("INSERT OR REPLACE INTO tier VALUES(?, ?)", rows)
    kept = connection.execute(f"SELECT seq, {COLUMNS} FROM passage").fetchall()  # noqa: S608 - names from here
    connection.executemany(
        "UPDATE passage SET worth = ? WHERE seq = ?",
        [(worth(piece_of(row), rules=rules), seq) for seq, *row in kept],
    )


def _known(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return `seq` and text of the passages that are there, by id."""
    found: dict[str, tuple[int, str]] = {}
    for some in groups(ids):
        select = f"SELECT id, seq, text FROM passage WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update((id_, (seq, text)) for id_, seq, text in connection.execute(select, some))
    return found


def _update(connection: sqlite3.Connection, same: Sequence[tuple[int, Piece]], *, rules: Rules) -> None:
    rows = [(*row_of(piece, rules=rules)[2:], seq) for seq, piece in same]
    connection.executemany(_UPDATE, rows)
    connection.executemany("DELETE FROM tag WHERE seq = ?", [(seq,) for seq, _ in same])
    _tag(connection, same)


def _insert(connection: sqlite3.Connection, new: Sequence[Piece], *, rules: Rules) -> None:
    if not new:
        return
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passage'").fetchone()
    numbered = list(enumerate(new, start=1 + (row[0] if row else 0)))
    found = [(seq, words_of(piece.text)) for seq, piece in numbered]
    connection.executemany(
        f"INSERT INTO passage(seq, {COLUMNS}, worth, n_words) VALUES({', '.join('?' * 13)})",
        [
            (seq, *row_of(piece, rules=rules), len(its))
            for (seq, piece), (_, its) in zip(numbered, found, strict=True)
        ],
    )
    words.add(connection, found)
    _tag(connection, numbered)


def _tag(connection: sqlite3.Connection, numbered: Iterable[tuple[int, Piece]]) -> None:
    rows = [(name, seq) for seq, piece in numbered for name in set(piece.tags)]
    connection.executemany("INSERT INTO tag VALUES(?, ?)", rows)


def _remove_least(
    connection: sqlite3.Connection, tier: MemoryTier, *, n: int, coming: Collection[str]
) -> None:
    """Remove the `n` passages of a tier that are worth least, those that just come last of all."""
    select = "SELECT seq, id FROM passage WHERE tier = ? ORDER BY worth, id LIMIT ?"
    rows = connection.execute(select, (tier, n + len(coming))).fetchall()
    before = [seq for seq, id_ in rows if id_ not in coming]
    late = [seq for seq, id_ in rows if id_ in coming]
    remove(connection, [*before, *late][:n])
