"""A memory in a file is searched by the graph beside it while that holds, and exactly when it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.memory.approximate import Approximate, path_of
from gemma_eval.memory.sqlite import copies
from gemma_eval.memory.sqlite.connection import Connections
from gemma_eval.memory.sqlite.indexes import Indexes, build
from gemma_eval.memory.sqlite.mirror import Mirror
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.records import Among
from tests import required
from tests.contract.store_contract import EMBEDDER, NOW_S, OTHER, piece, vectors_of

required.module("usearch.index", extra="ann")

N, DIM = 500, 16
VECTORS = vectors_of(N + 20, dim=DIM)
NOW = Among(now_s=NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a memory of 500 passages with vectors, and a few of another embedder."""
    with closing(SqliteStore(tmp_path / "m.db")) as store:
        store.add([piece(at) for at in range(N)], now_s=NOW_S, vectors=VECTORS[:N], embedder=EMBEDDER)
        store.add_vectors(["p1", "p2"], vectors_of(2, dim=4), embedder=OTHER)
    assert build(tmp_path / "m.db", fewest=N) == {EMBEDDER: 1.0}
    return tmp_path / "m.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Return that memory, opened."""
    with closing(SqliteStore(path)) as opened:
        yield opened


def searched(path: Path) -> VectorMatrix | Approximate:
    """Return by what one that opens the memory now would search it."""
    with closing(Connections(path)) as connections, connections.reading() as connection:
        select = "SELECT number, dim FROM embedder WHERE id = ?"
        number, dim = connection.execute(select, (EMBEDDER,)).fetchone()
        return Indexes(path).over(connection, Mirror(number, dim=dim), embedder=EMBEDDER)


def test_a_memory_with_a_graph_is_searched_by_it(path: Path, store: SqliteStore) -> None:
    """Only embedders with enough vectors have one; what is found is what the exact search finds."""
    assert isinstance(searched(path), Approximate)
    assert {file.name for file in path.parent.iterdir()} >= {"m.db", path_of(path, EMBEDDER).name}
    assert not path_of(path, OTHER).exists()
    for vector in VECTORS[-20:]:
        found = store.nearest(vector, k=10, embedder=EMBEDDER, among=NOW)
        scores = VECTORS[:N] @ vector
        assert [hit.id for hit in found] == [f"p{at}" for at in (-scores).argsort()[:10]]


def test_what_changes_while_it_is_searched_is_found_and_not_found(store: SqliteStore) -> None:
    """What comes and what goes, and a passage that has another vector than before."""
    store.nearest(VECTORS[0], k=3, embedder=EMBEDDER, among=NOW)
    store.add([piece(N)], now_s=NOW_S, vectors=VECTORS[N : N + 1], embedder=EMBEDDER)
    store.forget(["p7"])
    store.add_vectors(["p8"], VECTORS[N + 1 : N + 2], embedder=EMBEDDER)
    for at, is_there in ((N, True), (7, False), (8, False), (9, True)):
        (best,) = store.nearest(VECTORS[at], k=1, embedder=EMBEDDER, among=NOW)
        assert (best.score > 0.999) is is_there
    assert store.nearest(VECTORS[N + 1], k=1, embedder=EMBEDDER, among=NOW)[0].id == "p8"


def test_a_graph_that_is_damaged_too_old_or_of_no_use_is_left_alone(path: Path, store: SqliteStore) -> None:
    """The exact search serves, and the file stays as it is."""
    graph = path_of(path, EMBEDDER)
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-5])
    assert isinstance(searched(path), VectorMatrix)
    assert store.nearest(VECTORS[3], k=1, embedder=EMBEDDER, among=NOW)[0].id == "p3"
    graph.write_bytes(whole)
    assert isinstance(searched(path), Approximate)
    store.forget([f"p{at}" for at in range(100)])
    assert isinstance(searched(path), VectorMatrix)
    assert graph.read_bytes() == whole
    assert build(path, fewest=100) == {EMBEDDER: 1.0}
    assert isinstance(searched(path), Approximate)


def test_a_memory_that_was_put_back_is_another(path: Path, tmp_path: Path, store: SqliteStore) -> None:
    """Numbers of its vectors may be given again; also who has it open sees that."""
    copies.backup(path, tmp_path / "monday.db")
    store.nearest(VECTORS[0], k=3, embedder=EMBEDDER, among=NOW)
    copies.restore(tmp_path / "monday.db", path, existing="replace")
    assert isinstance(searched(path), VectorMatrix)
    assert store.nearest(VECTORS[3], k=1, embedder=EMBEDDER, among=NOW)[0].id == "p3"


def test_without_usearch_a_memory_is_searched_exactly(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    assert isinstance(searched(path), VectorMatrix)
