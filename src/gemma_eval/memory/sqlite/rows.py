"""Passages as rows of the table `passage`, and filters of a search as conditions on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

from gemma_eval.errors import StoreError
from gemma_eval.memory.tiers import Rules, worth
from gemma_eval.records import Among, MemoryTier, Piece

T = TypeVar("T")
Value = str | int | float | None

COLUMNS = "id, text, document, tier, at_s, accessed_s, expires_s, importance, accesses, tags"
_AT_ONCE = 500
"""Ids in one statement."""


def row_of(piece: Piece, *, rules: Rules) -> tuple[Value, ...]:
    """Return the values of `COLUMNS` and `worth`; `piece` has been admitted."""
    return (
        piece.id,
        piece.text,
        piece.document,
        piece.tier,
        piece.at_s,
        piece.accessed_s,
        piece.expires_s,
        piece.importance,
        piece.accesses,
        json.dumps(piece.tags, ensure_ascii=False),
        worth(piece, rules=rules),
    )


def piece_of(row: Sequence[object]) -> Piece:
    """Return the passage of a row of `COLUMNS`. Raises StoreError where its tags are damaged."""
    id_, text, document, tier, at_s, accessed_s, expires_s, importance, accesses, tags = row
    try:
        names = json.loads(cast(str, tags))
    except ValueError as error:
        raise StoreError(f"passage {id_!r} is damaged: its tags cannot be read") from error
    return Piece(
        id=cast(str, id_),
        text=cast(str, text),
        document=cast(str, document),
        tier=cast(MemoryTier, tier),
        at_s=cast(float, at_s),
        accessed_s=cast("float | None", accessed_s),
        expires_s=cast("float | None", expires_s),
        importance=cast(float, importance),
        accesses=cast(int, accesses),
        tags=tuple(names),
    )


def condition(among: Among) -> tuple[str, tuple[Value, ...]]:
    """Return the SQL condition that the passages of a filter fulfil, and its values; "1" for all."""
    parts: list[str] = []
    values: list[Value] = []
    for part, chosen in (
        ("passage.tier IN (SELECT value FROM json_each(?))", among.tiers),
        ("passage.document IN (SELECT value FROM json_each(?))", among.documents),
        (
            "passage.seq IN (SELECT tag.seq FROM tag WHERE tag.name IN (SELECT value FROM json_each(?)))",
            among.tags,
        ),
    ):
        if chosen:
            parts.append(part)
            values.append(json.dumps(chosen))
    if among.since_s is not None:
        parts.append("passage.at_s >= ?")
        values.append(among.since_s)
    if among.now_s is not None:
        parts.append("(passage.expires_s IS NULL OR passage.expires_s >= ?)")
        values.append(among.now_s)
    return " AND ".join(parts) or "1", tuple(values)


def is_narrow(among: Among) -> bool:
    """Whether a filter may leave few passages: whether it has more than the time."""
    return bool(among.tiers or among.tags or among.documents or among.since_s is not None)


def ids_among(connection: sqlite3.Connection, among: Among, ids: Sequence[str] | None = None) -> set[str]:
    """Return the ids that a filter lets through, of all passages or of some."""
    where, values = condition(among)
    select = f"SELECT id FROM passage WHERE {where}"  # noqa: S608 - names and marks only
    if ids is None:
        return {id_ for (id_,) in connection.execute(select, values)}
    some = f"{select} AND id IN (SELECT value FROM json_each(?))"  # noqa: S608 - marks only
    return {id_ for (id_,) in connection.execute(some, (*values, json.dumps(ids)))}


def sequence_numbers(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the `seq` of the passages that are there, by id."""
    found: dict[str, int] = {}
    for some in groups(ids):
        select = f"SELECT id, seq FROM passage WHERE id IN ({_places(some)})"  # noqa: S608 - marks only
        found.update(connection.execute(select, some).fetchall())
    return found


def pieces(connection: sqlite3.Connection, ids: Sequence[str]) -> tuple[Piece, ...]:
    """Return the passages of these ids in that order, without those that are not there."""
    found: dict[str, Piece] = {}
    for some in groups(ids):
        select = f"SELECT {COLUMNS} FROM passage WHERE id IN ({_places(some)})"  # noqa: S608 - marks only
        found.update((row[0], piece_of(row)) for row in connection.execute(select, some))
    return tuple(found[id_] for id_ in ids if id_ in found)


def page(
    connection: sqlite3.Connection, among: Among, *, after: tuple[float, int], n: int
) -> tuple[tuple[Piece, ...], tuple[float, int]]:
    """Return the next `n` passages by age `after` the place of another, and the place of the last of them."""
    where, values = condition(among)
    select = f"""
SELECT {COLUMNS}, seq FROM passage
WHERE (at_s, seq) > (?, ?) AND {where} ORDER BY at_s, seq LIMIT ?
"""  # noqa: S608 - names and marks only
    rows = connection.execute(select, (*after, *values, n)).fetchall()
    last = (rows[-1][4], rows[-1][-1]) if rows else after
    return tuple(piece_of(row[:-1]) for row in rows), last


def groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield items in groups that one statement can take."""
    for begin in range(0, len(items), _AT_ONCE):
        yield items[begin : begin + _AT_ONCE]


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
