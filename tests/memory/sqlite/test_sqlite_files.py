"""What may be wrong with the file of a memory is a clear error, and nothing is lost by it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.errors import StoreError
from gemma_eval.memory.sqlite import connection, schema
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among
from tests.contract.store_contract import EMBEDDER, NOW_S, five, piece, vectors_of

EVERYTHING = Among()
ROOT = Path(__file__).parents[3]


def made(path: Path) -> Path:
    """Make a memory of five passages and return where it is."""
    with closing(SqliteStore(path)) as store:
        store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
    return path


def changed(path: Path, statement: str) -> bytes:
    """Change a database as another program would, and return its bytes."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()
    return path.read_bytes()


def test_a_closed_memory_is_one_file(tmp_path: Path) -> None:
    """That can be copied."""
    made(tmp_path / "m.db")
    assert [path.name for path in tmp_path.iterdir()] == ["m.db"]


def test_an_empty_file_becomes_a_memory(tmp_path: Path) -> None:
    """There is nothing in it that could be lost."""
    (tmp_path / "m.db").touch()
    assert made(tmp_path / "m.db").stat().st_size > 0


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (f"PRAGMA user_version = {schema.VERSION + 1}", "made by a newer gemma_eval"),
        ("PRAGMA application_id = 5", "a database of another program"),
    ],
)
def test_a_file_that_is_not_ours_or_newer_is_left_untouched(
    tmp_path: Path, statement: str, what: str
) -> None:
    """To the last byte."""
    path = made(tmp_path / "m.db")
    before = changed(path, statement)
    with pytest.raises(StoreError, match=what):
        SqliteStore(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.db"]


@pytest.mark.parametrize(
    "data", [b"no database, " * 100, b"\0" * 5_000, b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_what_is_no_database_is_refused(tmp_path: Path, data: bytes) -> None:
    """And left as it is."""
    (tmp_path / "m.db").write_bytes(data)
    with pytest.raises(StoreError, match=r"m\.db: "):
        SqliteStore(tmp_path / "m.db")
    assert (tmp_path / "m.db").read_bytes() == data


def test_a_folder_is_no_memory_and_one_that_is_missing_is_named(tmp_path: Path) -> None:
    """A mistyped path grows no tree."""
    with pytest.raises(StoreError, match="this is a folder"):
        SqliteStore(tmp_path)
    with pytest.raises(StoreError, match="its folder cannot be made"):
        SqliteStore(tmp_path / "no" / "such" / "m.db")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_or_a_device_is_no_memory(tmp_path: Path) -> None:
    """Nothing is written to it, nor beside it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        SqliteStore(tmp_path / "pipe")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """In whatever is asked of it."""
    store = SqliteStore(tmp_path / "m.db")
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.pieces(["a"])
    with pytest.raises(StoreError, match="is closed"):
        store.add(five(), now_s=NOW_S)


def read_all(store: SqliteStore) -> None:
    """Read vectors, a passage and the rules."""
    store.nearest(vectors_of(1)[0], k=1, embedder=EMBEDDER, among=EVERYTHING)
    store.pieces(["p1"])
    store.rules()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE vector SET value = x'00' WHERE number = 2", "the vector of passage 'p1' is damaged"),
        ("UPDATE passage SET tags = '[' WHERE id = 'p1'", "passage 'p1' is damaged"),
        ("INSERT INTO tier VALUES('working', '{')", "rules of its tiers are damaged"),
        ("INSERT INTO vector(embedder, seq, value) VALUES(1, 99, x'00')", "can be read; restore a backup"),
    ],
)
def test_damage_within_is_found_and_named(tmp_path: Path, statement: str, what: str) -> None:
    """Where it is read."""
    path = made(tmp_path / "m.db")
    changed(path, statement)
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match=what):
        read_all(store)


def test_a_change_that_fails_half_way_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passages, words and counts."""
    with closing(SqliteStore(made(tmp_path / "m.db"))) as store:
        before = list(store.each())

        def fail(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        with monkeypatch.context() as patched:
            patched.setattr("gemma_eval.memory.sqlite.changes.put_vectors", fail)
            with pytest.raises(StoreError):
                store.add([piece(0, "Zebra.")], now_s=NOW_S, vectors=vectors_of(1), embedder=EMBEDDER)
        assert list(store.each()) == before
        assert store.lexical("zebra", k=1, among=EVERYTHING) == ()
        assert store.lexical("finn", k=1, among=EVERYTHING)[0].id == "p0"


def test_threads_and_openers_write_beside_each_other(tmp_path: Path) -> None:
    """Every passage of each is there."""
    stores = [SqliteStore(tmp_path / "m.db") for _ in range(2)]
    try:
        with ThreadPoolExecutor(4) as pool:
            done = [
                pool.submit(
                    stores[n % 2].add, [piece(n)], now_s=NOW_S, vectors=vectors_of(1), embedder=EMBEDDER
                )
                for n in range(16)
            ]
        assert sum(each.result() for each in done) == 16
        for store in stores:
            assert len(store.nearest(vectors_of(1)[0], k=99, embedder=EMBEDDER, among=EVERYTHING)) == 16
    finally:
        for store in stores:
            store.close()


def test_who_waits_too_long_for_another_that_writes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a lock that nobody holds any more is no lock, though its file is there."""
    path = made(tmp_path / "m.db")
    lock = tmp_path / "m.db.lock"
    with closing(SqliteStore(path)) as store:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            monkeypatch.setattr(connection, "_WAIT_S", 0.0)
            with pytest.raises(StoreError, match="another process has been writing"):
                store.forget(["p0"])
        assert lock.exists()
        assert store.forget(["p0"]) == 1


def test_a_memory_has_one_lock_by_whatever_link_it_is_reached(tmp_path: Path) -> None:
    """Two who held one each would write at once."""
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "other.db").symlink_to(tmp_path / "m.db")
    with connection.lock(tmp_path / "link" / "other.db"):
        assert (tmp_path / "m.db.lock").exists()
    assert not (tmp_path / "m.db.lock").exists()


def test_a_disk_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of a network may be; without them two who write would damage the file."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    path = made(tmp_path / "m.db")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with closing(SqliteStore(path)) as store:
        with pytest.raises(StoreError, match="cannot be locked: No locks available"):
            store.add([piece(9)], now_s=NOW_S)
        assert len(list(store.each())) == 5


def test_another_process_that_is_killed_leaves_what_it_had_kept(tmp_path: Path) -> None:
    """With its log beside the file, and no lock."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from gemma_eval.memory.sqlite.store import SqliteStore\n"
        "from gemma_eval.records import Piece\n"
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "store.add([Piece(id='a', text='Finn', document='d')], now_s=1.0)\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "m.db")], check=True, cwd=ROOT, timeout=120)
    with closing(SqliteStore(tmp_path / "m.db")) as store:
        store.add([piece(1)], now_s=NOW_S)
        assert [each.id for each in store.each()] == ["a", "p1"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_memory_is_searched_and_not_written(tmp_path: Path) -> None:
    """What it has is found."""
    path = made(tmp_path / "m.db")
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        with closing(SqliteStore(path)) as store:
            assert store.lexical("finn", k=1, among=EVERYTHING)[0].id == "p0"
            with pytest.raises(StoreError, match="cannot be written"):
                store.add([piece(9)], now_s=NOW_S)
    finally:
        tmp_path.chmod(0o755)


needs_mounts = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount file systems (unshare --mount)",
)
_ON_A_DISK = """
import sys
from pathlib import Path
from gemma_eval.errors import StoreError
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among, Piece
kept = 0
try:
    store = SqliteStore(Path(sys.argv[1]))
    print(len(store.lexical("finn", k=1, among=Among())))
    for number in range(2_000):
        store.add([Piece(id=str(number), text=f"text {number} " * 100, document="d")], now_s=1.0)
        kept += 1
except StoreError as error:
    print(error)
    print(kept, len(list(store.each())))
"""


def on(mount: str, path: Path) -> list[str]:
    """Fill the memory at `path` after `mount`, and return what was printed."""
    inside = f'{mount} && exec "$@"'
    command = [
        "unshare",
        "--mount",
        "bash",
        "-c",
        inside,
        "bash",
        sys.executable,
        "-c",
        _ON_A_DISK,
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)
    return done.stdout.splitlines()


@needs_mounts
def test_a_full_disk_is_an_error_and_what_was_kept_is_there(tmp_path: Path) -> None:
    """2 MB of it: some passages fit."""
    printed = on(f'mount -t tmpfs -o size=2m tmpfs "{tmp_path}"', tmp_path / "m.db")
    assert "the disk is full" in printed[1]
    kept, there = printed[2].split()
    assert int(kept) > 5
    assert kept == there


@needs_mounts
def test_a_read_only_disk_is_searched_and_not_written(tmp_path: Path) -> None:
    """As an archived folder is."""
    path = made(tmp_path / "m.db")
    printed = on(f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"', path)
    assert printed[0] == "1"
    assert "Read-only file system" in printed[1]
    assert printed[2] == "0 5"


def test_a_vector_is_what_was_given_to_the_last_bit(tmp_path: Path) -> None:
    """Through the file, and in whatever order of bytes the machine has."""
    with closing(SqliteStore(made(tmp_path / "m.db"))) as store:
        kept = store.vectors([f"p{n}" for n in range(5)], embedder=EMBEDDER)
        assert kept is not None
        assert kept.dtype == np.float32
        assert np.array_equal(kept, vectors_of(5))


def test_a_memory_whose_maker_was_killed_is_made(tmp_path: Path) -> None:
    """There is a file with nothing in it yet."""
    with closing(sqlite3.connect(tmp_path / "m.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert (tmp_path / "m.db").stat().st_size > 0
    with closing(SqliteStore(tmp_path / "m.db")) as store:
        assert store.stats(now_s=NOW_S).expired == 0
    made(tmp_path / "m.db")


def test_who_fails_to_make_a_memory_leaves_the_one_that_another_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have come while this one waited for the right to write."""
    path = tmp_path / "m.db"

    def never(_: Path) -> AbstractContextManager[None]:
        monkeypatch.undo()
        made(path)
        raise StoreError("another process has been writing")

    monkeypatch.setattr(connection, "lock", never)
    with pytest.raises(StoreError, match="another process"):
        SqliteStore(path)
    with closing(SqliteStore(path)) as store:
        assert len(list(store.each())) == 5


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Neither tables nor the version."""
    with closing(sqlite3.connect(tmp_path / "m.db", isolation_level=None)) as database:
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(database, (("CREATE TABLE a(b)", "CREATE NONSENSE"),))
        assert database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        assert database.execute("PRAGMA user_version").fetchone() == (0,)
        schema.migrate(database)
        schema.migrate(database)
        assert database.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
