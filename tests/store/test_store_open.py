"""What cannot be opened is refused in one clear line, and left as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.store import connection as connections
from gemma_eval.store.read import open_reader
from gemma_eval.store.schema import APPLICATION_ID, VERSION
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome


def sql(path: Path, *statements: str) -> None:
    """Make or change a database with SQLite alone."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def newer(path: Path) -> None:
    """Make a database of a version that does not exist yet."""
    sql(
        path,
        "CREATE TABLE run(id TEXT)",
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {VERSION + 1}",
    )


def foreign(path: Path) -> None:
    """Make a database of another program."""
    sql(path, "CREATE TABLE bookmarks(url TEXT)")


def text(path: Path) -> None:
    """Make a file that is no database."""
    path.write_text("a,b,c\n" * 200)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (newer, rf"made by a newer gemma_eval \(schema {VERSION + 1}, this one reads up to {VERSION}\)"),
        (foreign, "a database of another program"),
        (text, "not a results database"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_untouched(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """Reading and writing refuse alike, and not a byte of the file or of its folder changes."""
    path = tmp_path / "results.db"
    make(path)
    before = path.read_bytes()
    for open_it in (open_store, open_reader):
        with pytest.raises(StoreError, match=message):
            open_it(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["results.db"]


@pytest.mark.parametrize("length", [100, 1000, 4096, 6000])
def test_a_truncated_database_is_refused(length: int, tmp_path: Path) -> None:
    """What a full disk or a broken copy leaves."""
    path = tmp_path / "results.db"
    write_one(path)
    path.write_bytes(path.read_bytes()[:length])
    with (
        pytest.raises(StoreError, match=r"damaged|not a results database"),
        closing(open_reader(path)) as reader,
    ):
        reader.outcomes(a_run().id)


def test_an_empty_file_is_a_database_to_be(tmp_path: Path) -> None:
    """As SQLite sees it: there is nothing to lose in it."""
    path = tmp_path / "results.db"
    path.touch()
    with pytest.raises(StoreError, match="no run is recorded yet"):
        open_reader(path)
    write_one(path)
    with closing(open_reader(path)) as reader:
        assert len(reader.outcomes(a_run().id)) == 1


def test_a_database_without_runs_says_so(tmp_path: Path) -> None:
    """`latest` of nothing is an error that names the file."""
    path = tmp_path / "results.db"
    open_store(path).close()
    with closing(open_reader(path)) as reader:
        assert reader.runs() == ()
        with pytest.raises(StoreError, match=r"results\.db: no run is recorded yet"):
            reader.run("latest")


def test_the_last_folder_is_made_and_no_tree_of_them(tmp_path: Path) -> None:
    """The default `reports/` need not exist; a mistyped path is an error that creates nothing."""
    open_store(tmp_path / "reports" / "results.db").close()
    with pytest.raises(StoreError, match="its folder cannot be made"):
        open_store(tmp_path / "no" / "such" / "results.db")
    assert [file.name for file in tmp_path.iterdir()] == ["reports"]


def test_a_path_that_cannot_hold_a_database_is_refused(tmp_path: Path) -> None:
    """A folder, or a file where a folder must be."""
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="this is a folder"):
        open_store(tmp_path / "folder.db")
    with pytest.raises(StoreError, match="cannot be"):
        open_store(tmp_path / "file" / "results.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.db"]


def test_reading_what_is_not_there_creates_nothing(tmp_path: Path) -> None:
    """A mistyped path is not an empty database."""
    with pytest.raises(StoreError, match="there is no results database"):
        open_reader(tmp_path / "results.db")
    assert list(tmp_path.iterdir()) == []


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    """Paths become URIs on their way to SQLite."""
    path = tmp_path / "a?b#c%20d é.db"
    write_one(path)
    with closing(open_reader(path)) as reader:
        assert reader.run("latest").id == a_run().id
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_disappears_is_a_clear_error(tmp_path: Path) -> None:
    """The lock file cannot be made."""
    path = tmp_path / "reports" / "results.db"
    (tmp_path / "reports").mkdir(mode=0o700)
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        open_store(path.with_name("x" * 300))
    assert list((tmp_path / "reports").iterdir()) == []


def test_the_pragmas_that_the_promises_rest_on_are_set(tmp_path: Path) -> None:
    """WAL and FULL make a commit durable; foreign keys and the rest guard what is written."""
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }
    with closing(connections.open_to_write(tmp_path / "results.db")) as connection:
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in expected}
    assert found == expected


def write_one(path: Path) -> None:
    """Record one outcome."""
    with closing(open_store(path)) as store:
        store.begin(a_run(planned=1), [an_outcome().trial])
        store.record(a_run().id, an_outcome())


def killed_in_a_change(path: Path) -> Path:
    """Copy a database as a kill leaves it in rollback mode: half of a change, and a journal to undo it."""
    with closing(open_store(path)) as store:
        store.begin(a_run(), (an_outcome().trial,))
        store.record(a_run().id, an_outcome())
    torn = path.with_name("torn.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # so that pages of the open change reach the file
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE outcome SET record = zeroblob(100000)")
        connection.execute("CREATE TABLE filler AS SELECT zeroblob(100000) AS padding")
        for suffix in ("", "-journal"):
            torn.with_name(torn.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
        connection.execute("ROLLBACK")
    return torn


def test_a_change_that_a_kill_cut_short_is_undone_for_a_reader(tmp_path: Path) -> None:
    """A read-only connection cannot undo it, and what was recorded before must stay readable."""
    torn = killed_in_a_change(tmp_path / "results.db")
    refused = sqlite3.connect(f"{torn.as_uri()}?mode=ro", uri=True)
    with closing(refused), pytest.raises(sqlite3.OperationalError, match="readonly"):
        refused.execute("SELECT count(*) FROM outcome")
    with closing(open_reader(torn)) as reader:
        assert reader.outcomes(a_run().id) == (an_outcome(),)


def test_a_change_that_a_kill_cut_short_does_not_stop_a_resume(tmp_path: Path) -> None:
    """The next writer goes on from the state before the change."""
    torn = killed_in_a_change(tmp_path / "results.db")
    with closing(open_store(torn)) as store:
        assert store.recorded(a_run().id) == {an_outcome().trial.key}


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Whatever way it was opened."""
    torn = killed_in_a_change(tmp_path / "results.db")
    with (
        closing(connections.open_to_read(torn)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM outcome")
