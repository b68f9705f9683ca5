"""A search by a graph finds what the exact search finds, and a graph that would not is refused."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.errors import MissingDependency, StoreError
from gemma_eval.memory.approximate import Approximate, build, opened, path_of
from gemma_eval.memory.graph import Graph, Origin
from gemma_eval.memory.vectors import VectorMatrix
from tests import required
from tests.contract.store_contract import vectors_of

required.module("usearch.index", extra="ann")

N, DIM = 800, 16
ORIGIN = Origin(lineage="00ff", embedder="letters", dim=DIM)
VECTORS = vectors_of(N, dim=DIM)
ASKED = vectors_of(20, dim=DIM, seed=9)


class Memory:
    """Passages p0, p1, … whose vectors have the numbers 1, 2, …."""

    def __init__(self, n: int = N) -> None:
        """Keep the first `n` of the vectors."""
        self.ids: dict[int, str] = {}
        self.matrix = VectorMatrix(DIM)
        self.put(range(n))

    def put(self, which: Iterable[int]) -> None:
        """Keep some more."""
        for at in which:
            self.ids[at + 1] = f"p{at}"
            self.matrix.put([f"p{at}"], VECTORS[at : at + 1])

    def forget(self, which: Iterable[int]) -> None:
        """Remove some."""
        for at in which:
            del self.ids[at + 1]
            self.matrix.remove([f"p{at}"])

    def numbered(self) -> tuple[Sequence[int], Sequence[str]]:
        """Return all numbers and ids."""
        return tuple(self.ids), tuple(self.ids.values())

    def known(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the ids of those that are there."""
        return tuple(self.ids[number] for number in numbers if number in self.ids)

    def after(self, number: int, *, most: int) -> tuple[str, ...]:
        """Return the ids of some later ones."""
        return tuple(id_ for each, id_ in self.ids.items() if each > number)[:most]


@pytest.fixture
def memory() -> Memory:
    """Return a memory of all vectors but the last ten."""
    return Memory(N - 10)


@pytest.fixture
def path(memory: Memory, tmp_path: Path) -> Path:
    """Return the file of a graph of `memory`."""
    assert build(tmp_path / "graph", memory.matrix, memory, origin=ORIGIN) == 1.0
    return tmp_path / "graph"


def reopened(path: Path, memory: Memory, origin: Origin = ORIGIN) -> Approximate:
    """Return a search by the file."""
    return opened(path, memory.matrix, memory, origin=origin)


def test_the_nearest_and_their_scores_are_those_of_the_exact_search(memory: Memory, path: Path) -> None:
    """To the last bit, though the graph has numbers of 16 bits."""
    found = reopened(path, memory)
    assert len(found) == N - 10
    for vector in ASKED:
        assert found.nearest(vector, k=10) == memory.matrix.nearest(vector, k=10)


def test_the_graph_is_what_proposes(memory: Memory, path: Path) -> None:
    """A graph of other vectors finds others: the test above would notice one that is never asked."""
    other = Memory(N - 10)
    other.matrix.put([f"p{at}" for at in range(N - 10)], VECTORS[N - 11 :: -1])
    mistaken = Approximate(Graph.load(path, origin=ORIGIN), other.matrix, other)
    assert mistaken.recall() < 0.5
    assert mistaken.nearest(ASKED[0], k=10) != other.matrix.nearest(ASKED[0], k=10)


def test_a_graph_of_other_vectors_is_refused(memory: Memory, path: Path) -> None:
    """By what it finds, for it has as many and of the same numbers."""
    other = Memory(N - 10)
    other.matrix.put([f"p{at}" for at in range(N - 10)], VECTORS[N - 11 :: -1])
    with pytest.raises(StoreError, match=r"finds 0\.\d\d of the nearest 10, and 0\.95 is asked for"):
        reopened(path, other)
    assert reopened(path, memory).recall() == 1.0


def test_a_graph_that_finds_too_little_is_not_kept(memory: Memory, path: Path) -> None:
    """And the one that was there stays: what is asked for here finds nothing by its number."""

    class Blind(Memory):
        def known(self, numbers: Iterable[int]) -> tuple[str, ...]:
            return super().known([1 + number // 2 for number in numbers])

    before, blind = path.read_bytes(), Blind(N - 10)
    with pytest.raises(StoreError, match="of the nearest 10"):
        build(path, blind.matrix, blind, origin=ORIGIN)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_came_and_went_since_is_reckoned_with(memory: Memory, path: Path) -> None:
    """Up to one in a hundred; then the exact search serves, and at the next opening the graph is refused."""
    found = reopened(path, memory)
    memory.put(range(N - 10, N - 6))
    memory.forget([3, 4, 5])
    assert found.flaw() is None
    for vector in (*VECTORS[:10], *VECTORS[-10:]):
        assert found.nearest(vector, k=10) == memory.matrix.nearest(vector, k=10)
    memory.forget(range(100, 150))
    assert "not those of the memory any more" in str(found.flaw())
    assert found.nearest(ASKED[0], k=10) == memory.matrix.nearest(ASKED[0], k=10)
    with pytest.raises(StoreError, match="not those of the memory any more; gemma-eval memory index"):
        reopened(path, memory)


def test_a_graph_of_fewer_vectors_than_there_are_is_refused(path: Path) -> None:
    """Those that it lacks are not later ones: it is of another memory."""
    more = Memory(N - 10)
    more.ids = {0: "p799", **more.ids}
    more.matrix.put(["p799"], VECTORS[-1:])
    with pytest.raises(StoreError, match="its 790 vectors are not those of the memory"):
        reopened(path, more)


@pytest.mark.parametrize("at", [0, 100, 20_000, -200, -70, -1])
def test_one_bit_that_is_another_is_found(memory: Memory, path: Path, at: int) -> None:
    """Of the graph, of what is said about it, or of the digest; usearch is not given what is damaged."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged; gemma-eval memory index makes it anew"):
        reopened(path, memory)


@pytest.mark.parametrize("size", [0, 1, 64, 5_000])
def test_a_file_that_was_cut_is_found(memory: Memory, path: Path, size: int) -> None:
    """Also one of nothing at all."""
    os.truncate(path, size)
    with pytest.raises(StoreError, match="is damaged"):
        reopened(path, memory)


def said(path: Path, **facts: object) -> None:
    """Let a file say something else of itself, with the digest of that."""
    graph, said_, _ = path.read_bytes().rsplit(b"\n", 2)
    content = graph + b"\n" + json.dumps({**json.loads(said_), **facts}).encode()
    path.write_bytes(content + b"\n" + hashlib.sha256(content).hexdigest().encode())


def test_a_wrong_count_is_found(memory: Memory, path: Path) -> None:
    """It is held to what the graph has."""
    said(path)
    assert reopened(path, memory).recall() == 1.0
    said(path, count=791)
    with pytest.raises(StoreError, match="has 790 vectors where 791 were kept"):
        reopened(path, memory)


@pytest.mark.parametrize(
    "origin",
    [replace(ORIGIN, lineage="00fe"), replace(ORIGIN, embedder="letters:2"), replace(ORIGIN, dim=8)],
)
def test_a_graph_of_another_origin_is_refused(memory: Memory, path: Path, origin: Origin) -> None:
    """Of another memory, embedder or length."""
    with pytest.raises(StoreError, match="is of another memory, embedder or version"):
        reopened(path, memory, origin)


def test_a_graph_that_is_no_graph_is_refused(memory: Memory, path: Path) -> None:
    """A file that is whole by its digest, and that usearch cannot read."""
    facts = path.read_bytes().rsplit(b"\n", 2)[1]
    path.write_bytes(b"no graph\n" + facts + b"\n")
    said(path)
    with pytest.raises(StoreError, match="usearch cannot read it"):
        reopened(path, memory)
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        reopened(path, memory)


def test_with_a_filter_or_when_most_are_asked_for_nothing_is_missed(path: Path) -> None:
    """Those searches are exact, by whatever graph: here by one of other vectors."""
    other = Memory(N - 10)
    other.matrix.put([f"p{at}" for at in range(N - 10)], VECTORS[N - 11 :: -1])
    mistaken = Approximate(Graph.load(path, origin=ORIGIN), other.matrix, other)
    allowed = [f"p{at}" for at in range(0, N, 3)]
    exact = other.matrix.nearest(ASKED[0], k=10, allowed=allowed)
    assert mistaken.nearest(ASKED[0], k=10, allowed=allowed) == exact
    for k in (0, N // 2, N):
        assert mistaken.nearest(ASKED[0], k=k) == other.matrix.nearest(ASKED[0], k=k)


def test_a_wrong_vector_is_told_as_the_exact_search_tells_it(memory: Memory, path: Path) -> None:
    """Of another length, or not finite."""
    found = reopened(path, memory)
    with pytest.raises(StoreError, match="those that are kept have 16"):
        found.nearest(ASKED[0, :8], k=3)
    with pytest.raises(StoreError, match="is not finite"):
        found.nearest(np.full(DIM, np.nan, np.float32), k=3)


def test_threads_that_search_at_once_find_what_one_finds(memory: Memory, path: Path) -> None:
    """They share the graph."""
    found = reopened(path, memory)
    alone = [found.nearest(vector, k=10) for vector in ASKED]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            assert list(threads.map(lambda vector: found.nearest(vector, k=10), ASKED)) == alone


def test_the_same_vectors_have_the_same_graph(memory: Memory, path: Path) -> None:
    """So that who makes it anew finds and misses the same."""
    before = path.read_bytes()
    build(path, memory.matrix, memory, origin=ORIGIN)
    assert path.read_bytes() == before


def test_progress_is_told_and_equal_vectors_stand_for_each_other(tmp_path: Path) -> None:
    """Of a thousand that are the same any ten are the nearest."""
    same, told = Memory(0), list[int]()
    same.ids = {at: f"p{at}" for at in range(2_500)}
    same.matrix.put(list(same.ids.values()), np.repeat(VECTORS[:1], 2_500, axis=0))
    assert build(tmp_path / "graph", same.matrix, same, origin=ORIGIN, progress=told.append) == 1.0
    assert told == [2_000, 2_500]


def test_each_embedder_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Whose name no id of an embedder makes longer."""
    one, other = (path_of(tmp_path / "m.db", "mini/" + letter * 300) for letter in "ab")
    assert one != other
    assert one.parent == tmp_path
    assert one.name.startswith("m.db.ann-")
    assert len(one.name) < 40


def test_without_usearch_the_extra_is_named(
    memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is missing, nothing is built and nothing is opened."""
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingDependency, match=r"gemma_eval\[ann\]"):
        reopened(path, memory)
