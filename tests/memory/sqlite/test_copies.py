"""Copies of a memory's file are whole, and are put back without losing what is there unasked."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError, UsageError
from gemma_eval.memory.sqlite.copies import backup, is_copy, restore
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among
from tests.contract.store_contract import EMBEDDER, NOW_S, five, piece, vectors_of

EVERYTHING = Among()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the memory is."""
    return tmp_path / "m.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Return a memory of five passages that stays open."""
    opened = SqliteStore(path)
    opened.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
    yield opened
    opened.close()


def near(store: SqliteStore, n: int) -> str:
    """Return the passage whose vector is nearest to that of a number."""
    query = vectors_of(5)[n]
    return store.nearest(query, k=1, embedder=EMBEDDER, among=EVERYTHING)[0].id


def test_a_copy_is_taken_while_the_memory_is_in_use(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """What was written before is in it, in one file."""
    assert backup(path, tmp_path / "copy.db") == 5
    assert is_copy(tmp_path / "copy.db")
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert list(copy.each()) == list(store.each())
        assert near(copy, 3) == "p3"
    assert not list(tmp_path.glob("copy.db-*"))
    assert not list(tmp_path.glob(".*"))


def test_who_has_it_open_sees_what_was_put_back(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """Words and vectors, also where numbers of vectors mean others than before."""
    backup(path, tmp_path / "copy.db")
    store.forget(["p3"])
    store.add([piece(6, "Zebras.")], now_s=NOW_S, vectors=vectors_of(5)[3:4], embedder=EMBEDDER)
    assert near(store, 3) == "p6"
    assert restore(tmp_path / "copy.db", path, existing="replace") == 5
    assert store.lexical("zebras", k=1, among=EVERYTHING) == ()
    assert near(store, 3) == "p3"
    store.add([piece(7, "Other.")], now_s=NOW_S, vectors=-vectors_of(5)[3:4], embedder=EMBEDDER)
    assert store.nearest(-vectors_of(5)[3], k=1, embedder=EMBEDDER, among=EVERYTHING)[0].id == "p7"


def test_embedders_that_had_other_numbers_are_not_mixed_up(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """In the copy the one that comes first in the memory comes second."""
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        copy.add(five(), now_s=NOW_S, vectors=vectors_of(5, seed=1), embedder="another")
        copy.add_vectors([each.id for each in five()], vectors_of(5)[::-1], embedder=EMBEDDER)
    assert near(store, 0) == "p0"
    restore(tmp_path / "copy.db", path, existing="replace")
    assert near(store, 0) == "p4"


def test_a_database_of_another_program_is_not_written_over(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """Nor is a newer memory, whoever asks for it."""
    other = tmp_path / "other.db"
    for statement in ("CREATE TABLE places(a)", "PRAGMA application_id = 5"):
        other.unlink(missing_ok=True)
        with closing(sqlite3.connect(other)) as foreign:
            foreign.execute(statement)
            foreign.commit()
        data = other.read_bytes()
        with pytest.raises(StoreError, match="of another program"):
            restore(path, other, existing="replace")
        assert other.read_bytes() == data
    assert len(list(store.each())) == 5


def test_a_memory_is_not_written_over_unasked(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """Neither by a copy that is taken nor by one that is put back."""
    other = tmp_path / "other.db"
    with closing(SqliteStore(other)) as made:
        made.add([piece(9)], now_s=NOW_S)
    with pytest.raises(UsageError, match="--replace"):
        backup(path, other)
    with pytest.raises(UsageError, match="--replace"):
        restore(path, other)
    with closing(SqliteStore(other)) as kept:
        assert [each.id for each in kept.each()] == ["p9"]
    with pytest.raises(UsageError, match="is the memory itself"):
        backup(path, path, existing="replace")
    with pytest.raises(UsageError, match="is the memory itself"):
        restore(path, path, existing="replace")
    assert len(list(store.each())) == 5


def test_a_copy_is_put_where_there_is_none(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """And is another memory from then on."""
    restore(path, tmp_path / "new.db")
    store.forget(["p0"])
    with closing(SqliteStore(tmp_path / "new.db")) as copy:
        assert len(list(copy.each())) == 5


@pytest.mark.parametrize("damage", ["no database", "a torn page"])
def test_a_damaged_memory_is_kept_beside_what_is_put_back(path: Path, tmp_path: Path, damage: str) -> None:
    """For whoever can still save something of it."""
    with closing(SqliteStore(path)) as store:
        store.add([piece(n, f"text {n} " * 50) for n in range(200)], now_s=NOW_S)
    backup(path, tmp_path / "copy.db")
    data = bytearray(path.read_bytes())
    data[: 4096 if damage == "no database" else 0] = b"x" * (4096 if damage == "no database" else 0)
    if damage == "a torn page":
        data[100:4096] = b"\xff" * 3996
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError):
        SqliteStore(path)
    restore(tmp_path / "copy.db", path, existing="replace")
    with closing(SqliteStore(path)) as store:
        assert len(list(store.each())) == 200
    assert path.with_name("m.db.damaged").read_bytes() == bytes(data)


@pytest.mark.parametrize("kind", ["none", "text", "foreign", "truncated"])
def test_what_is_no_copy_is_not_put_back(store: SqliteStore, path: Path, tmp_path: Path, kind: str) -> None:
    """The memory is as it was."""
    copy = tmp_path / "copy.db"
    backup(path, copy)
    if kind == "none":
        copy.unlink()
    elif kind == "text":
        copy.write_text("no database " * 100)
    elif kind == "foreign":
        copy.unlink()
        with closing(sqlite3.connect(copy)) as foreign:
            foreign.execute("CREATE TABLE mine(a)")
    else:
        copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    with pytest.raises(StoreError):
        restore(copy, path, existing="replace")
    assert len(list(store.each())) == 5
    assert near(store, 2) == "p2"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_copy_is_taken_of_what_cannot_be_written(tmp_path: Path) -> None:
    """Also of a memory whose process did not close it."""
    folder, path = tmp_path / "shut", tmp_path / "shut" / "m.db"
    folder.mkdir()
    with closing(SqliteStore(path)) as made:
        made.add(five(), now_s=NOW_S)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    folder.chmod(0o555)
    try:
        assert backup(path, tmp_path / "copy.db") == 5
    finally:
        folder.chmod(0o755)


def test_a_copy_of_nothing_is_none(tmp_path: Path) -> None:
    """And no file is made of it."""
    with pytest.raises(StoreError, match="there is no memory"):
        backup(tmp_path / "none.db", tmp_path / "copy.db")
    assert not list(tmp_path.iterdir())
