"""The nearest vectors are those that a loop over all finds, whatever was put, replaced and removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.errors import StoreError
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.records import Hit

IDS = st.sampled_from("abcdefgh")
NUMBERS = st.integers(-3, 3)
"""Small whole numbers, whose products no precision rounds, so that equals are equal."""


def rows(*vectors: Collection[float]) -> NDArray[np.float32]:
    """Return vectors as one matrix."""
    return np.array([list(vector) for vector in vectors], np.float32)


def oracle(
    known: Mapping[str, Collection[float]], vector: Collection[float], *, k: int, allowed: Collection[str]
) -> list[tuple[str, float]]:
    """Multiply one number after the other, and sort all."""
    scores = {
        id_: sum(a * b for a, b in zip(known[id_], vector, strict=True)) for id_ in known if id_ in allowed
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]


def pairs(hits: Collection[Hit]) -> list[tuple[str, float]]:
    """Return hits as plain pairs."""
    return [(hit.id, hit.score) for hit in hits]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5))
def test_the_nearest_are_those_of_a_loop_after_any_history(data: st.DataObject, dim: int) -> None:
    """Puts of several, with ids twice, and removals; with and without a filter."""
    vector = st.lists(NUMBERS, min_size=dim, max_size=dim)
    matrix, known = VectorMatrix(dim), dict[str, list[int]]()
    changes = st.lists(st.tuples(st.booleans(), st.lists(st.tuples(IDS, vector), max_size=4)), max_size=8)
    for keeps, changed in data.draw(changes):
        if keeps:
            matrix.put([id_ for id_, _ in changed], rows(*(v for _, v in changed)).reshape(-1, dim))
            known.update(changed)
        else:
            matrix.remove([id_ for id_, _ in changed])
            known = {id_: v for id_, v in known.items() if id_ not in dict(changed)}
        asked, k = data.draw(vector), data.draw(st.integers(0, 9))
        allowed = data.draw(st.none() | st.sets(IDS))
        found = matrix.nearest(rows(asked)[0], k=k, allowed=allowed)
        assert pairs(found) == oracle(known, asked, k=k, allowed=known if allowed is None else allowed)
        assert (len(matrix), {id_ for id_ in "abcdefgh" if id_ in matrix}) == (len(known), set(known))


def test_the_loop_notices_another_order_of_equals() -> None:
    """The oracle can fail: equals in the order of their arrival, and a best one that is missed."""
    known = {"b": [1], "a": [1]}
    matrix = VectorMatrix(1)
    matrix.put(list(known), rows([1], [1]))
    expected = oracle(known, [1], k=2, allowed=known)
    assert pairs(matrix.nearest(rows([1])[0], k=2)) == expected != [("b", 1.0), ("a", 1.0)]
    assert pairs(matrix.nearest(rows([1])[0], k=1)) != expected


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_a_score_does_not_depend_on_where_a_vector_lies(dim: int, n: int, seed: int) -> None:
    """To the last bit: alone, among others in another order, and gathered by a filter."""
    drawn = np.random.default_rng(seed)
    vectors = drawn.standard_normal((n, dim)).astype(np.float32)
    ids = [f"{at:02}" for at in range(n)]
    one, other = VectorMatrix(dim), VectorMatrix(dim)
    one.put(ids, vectors)
    order = drawn.permutation(n)
    other.put([ids[at] for at in order], vectors[order])
    asked = vectors[0]
    found = one.nearest(asked, k=n)
    assert found == other.nearest(asked, k=n)
    assert set(one.nearest(asked, k=n, allowed=ids[:2])) <= set(found)
    exact = np.sort(vectors.astype(np.float64) @ asked.astype(np.float64))[::-1]
    assert np.abs(exact - [hit.score for hit in found]).max() < 1e-4


def test_vectors_come_back_as_they_were_put() -> None:
    """In the order that is asked for; of one that is not there nothing comes back."""
    matrix = VectorMatrix(2)
    matrix.put(["a", "b"], rows([1, 0], [0, 1]))
    found = matrix.vectors(["b", "a", "b"])
    assert found is not None
    assert found.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert matrix.vectors(["a", "c"]) is None


@pytest.mark.parametrize(
    ("vectors", "what"),
    [
        (rows([1, 0, 0]), "has 3 numbers, those that are kept have 2"),
        (rows([1, 0], [0, 1]), "2 vectors for 1 passages"),
        (rows([np.nan, 0]), "the vector of a is not finite"),
        (rows([np.inf, 0]), "the vector of a is not finite"),
        (np.zeros(2, np.float32), "has no numbers"),
    ],
)
def test_a_vector_that_cannot_be_searched_is_refused_and_nothing_changes(
    vectors: NDArray[np.float32], what: str
) -> None:
    """With what is wrong of it."""
    matrix = VectorMatrix(2)
    matrix.put(["a"], rows([0, 1]))
    with pytest.raises(StoreError, match=what):
        matrix.put(["a"], vectors)
    assert pairs(matrix.nearest(rows([0, 1])[0], k=9)) == [("a", 1.0)]


def test_a_question_of_another_length_or_not_finite_is_refused() -> None:
    """The same as a vector to keep, in an empty matrix too."""
    for wrong in (rows([1, 0, 0])[0], rows([np.nan, 0])[0]):
        with pytest.raises(StoreError):
            VectorMatrix(2).nearest(wrong, k=1)
    with pytest.raises(StoreError, match="at least 1"):
        VectorMatrix(0)


def test_memory_grows_with_the_vectors_and_shrinks_with_them() -> None:
    """At most one and a half times what they need, and twice while removed ones wait."""
    matrix, ids = VectorMatrix(8), [str(at) for at in range(1000)]
    for at in range(0, 1000, 10):
        matrix.put(ids[at : at + 10], np.ones((10, 8), np.float32))
    assert 1000 * 8 * 4 <= matrix.nbytes <= 1.5 * 1000 * 8 * 4 + 8 * 4
    for _ in range(5):
        matrix.put(ids, np.ones((1000, 8), np.float32))
    assert matrix.nbytes <= 3 * 1000 * 8 * 4
    matrix.remove(ids[10:])
    assert matrix.nbytes == 10 * 8 * 4


def test_a_search_sees_whole_vectors_while_they_are_replaced() -> None:
    """Each vector is all ones or all twos, so half of one would have a score between."""
    matrix, ids = VectorMatrix(256), [str(at) for at in range(200)]
    ones = np.ones((200, 256), np.float32)
    matrix.put(ids, ones)

    def write() -> None:
        for turn in range(60):
            matrix.put(ids[:100], ones[:100] * (2 - turn % 2))
            matrix.remove(ids[100:])
            matrix.put(ids[100:], ones[100:])

    writer = Thread(target=write)
    writer.start()
    seen = set[float]()
    while writer.is_alive():
        hits = matrix.nearest(ones[0], k=200)
        seen |= {hit.score for hit in hits}
        assert len({hit.id for hit in hits}) == len(hits) >= 100
    writer.join()
    assert seen <= {256.0, 512.0}
