"""Passages in memory are found as Bm25 and as a loop over their vectors find them, within a filter."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import StoreError
from gemma_eval.memory.among import is_among
from gemma_eval.memory.bm25 import Bm25
from gemma_eval.memory.passages import split
from gemma_eval.memory.source import InMemory
from gemma_eval.records import Among, MemoryTier, Piece
from tests.memory.letters import Letters, documents, pieces

WORDS = st.sampled_from(["finn", "ada", "lives", "in", "oslo", "rome", "the"])
TEXT = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
TIMES = st.none() | st.sampled_from([0.0, 5.0, 10.0, math.nan])
TIERS: st.SearchStrategy[MemoryTier] = st.sampled_from(["working", "semantic"])
PIECE = st.builds(
    Piece,
    id=st.just(""),
    text=TEXT,
    document=st.sampled_from(["a", "b"]),
    tier=TIERS,
    at_s=TIMES,
    expires_s=TIMES,
    tags=st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True).map(tuple),
)
AMONG = st.builds(
    Among,
    tiers=st.lists(TIERS, max_size=1).map(tuple),
    tags=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    documents=st.lists(st.sampled_from(["a", "b"]), max_size=1).map(tuple),
    since_s=st.none() | st.sampled_from([0.0, 5.0, 6.0]),
    now_s=st.none() | st.sampled_from([0.0, 5.0, 6.0]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXT, max_size=6), TEXT, st.integers(0, 7))
def test_a_search_by_words_is_that_of_bm25(texts: list[str], query: str, k: int) -> None:
    """The same ids, scores to the last bit, and order."""
    found = Bm25(documents(*texts)).search(query, k=k)
    source = InMemory([piece for document in documents(*texts) for piece in split(document)])
    assert [(hit.id, hit.score) for hit in source.lexical(query, k=k)] == [(p.id, p.score) for p in found]


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECE, max_size=6), AMONG, TEXT)
def test_a_filter_leaves_those_that_it_describes_and_changes_no_score(
    unnamed: list[Piece], among: Among, query: str
) -> None:
    """In both searches and in what is read through."""
    known = [replace(piece, id=f"p{at}") for at, piece in enumerate(unnamed)]
    source, letters = InMemory(known, embedder=Letters()), Letters()
    allowed = {piece.id for piece in known if is_among(piece, among)}
    assert {piece.id for piece in source.each(among)} == allowed
    for all_found, found in (
        (source.lexical(query, k=9), source.lexical(query, k=9, among=among)),
        (
            source.nearest(letters.embed([query])[0], k=9, embedder="letters"),
            source.nearest(letters.embed([query])[0], k=9, embedder="letters", among=among),
        ),
    ):
        assert list(found) == [hit for hit in all_found if hit.id in allowed]


@pytest.mark.parametrize(
    ("among", "expected"),
    [
        (Among(), True),
        (Among(tiers=("working", "episodic")), True),
        (Among(tiers=("semantic",)), False),
        (Among(tags=("x", "z")), True),
        (Among(tags=("z",)), False),
        (Among(documents=("a", "b")), True),
        (Among(documents=("b",)), False),
        (Among(since_s=100.0), True),
        (Among(since_s=100.5), False),
        (Among(now_s=200.0), True),
        (Among(now_s=200.5), False),
        (Among(tiers=("working",), tags=("z",)), False),
    ],
)
def test_a_passage_is_among_those_that_are_described(among: Among, expected: bool) -> None:
    """Any of the tiers, tags and documents, all of the conditions."""
    piece = Piece(
        id="p", text="t", document="a", tier="working", at_s=100.0, expires_s=200.0, tags=("x", "y")
    )
    assert is_among(piece, among) is expected


def test_a_passage_without_a_time_is_older_than_any_and_never_past_it() -> None:
    """Nobody knows that it is young enough, and nobody said that it ends."""
    piece = Piece(id="p", text="t", document="a")
    assert not is_among(piece, Among(since_s=-1e18))
    assert is_among(piece, Among(now_s=1e18))


def test_pieces_and_vectors_come_back_by_their_ids() -> None:
    """In the order that is asked for; a piece that there is not is left out, and makes vectors unknown."""
    known = pieces("abc", "abd", "xyz")
    source = InMemory(known, embedder=Letters())
    assert source.pieces(["p2", "p9", "p0"]) == (known[2], known[0])
    found = source.vectors(["p2", "p0"], embedder="letters")
    assert found is not None
    assert (found == Letters().embed(["xyz", "abc"])).all()
    assert source.vectors(["p2", "p9"], embedder="letters") is None


def test_the_nearest_have_the_greatest_cosine() -> None:
    """Equals by their ids."""
    source = InMemory(pieces("xyz", "abc", "cab"), embedder=Letters())
    hits = source.nearest(Letters().embed(["abc"])[0], k=3, embedder="letters")
    assert [(hit.id, round(hit.score, 6)) for hit in hits] == [("p1", 1.0), ("p2", 1.0), ("p0", 0.0)]


def test_a_vector_of_another_embedder_is_refused() -> None:
    """Two of them never meet in one sum."""
    asked = Letters().embed(["abc"])[0]
    with pytest.raises(
        StoreError, match=r"of others is searched, and the vectors that are kept are of letters"
    ):
        InMemory(pieces("abc"), embedder=Letters()).nearest(asked, k=1, embedder="others")
    with pytest.raises(StoreError, match="no vectors are kept"):
        InMemory(pieces("abc")).vectors(["p0"], embedder="letters")
    with pytest.raises(StoreError, match="has 3 numbers"):
        InMemory(pieces("abc"), embedder=Letters()).nearest(asked[:3], k=1, embedder="letters")


def test_of_nothing_nothing_is_found() -> None:
    """An empty corpus is no error."""
    empty = InMemory((), embedder=Letters())
    assert empty.lexical("abc", k=3, among=Among(now_s=1.0)) == ()
    assert empty.nearest(Letters().embed(["abc"])[0], k=3, embedder="letters") == ()
    assert (empty.pieces(["p0"]), list(empty.each())) == ((), [])


def test_a_piece_that_is_there_twice_is_kept_once() -> None:
    """And an id of two texts is refused, for one of them would be lost."""
    known = pieces("abc", "xyz")
    assert [piece.id for piece in InMemory([*known, known[0]]).each()] == ["p0", "p1"]
    with pytest.raises(StoreError, match=r'two passages have the id "p0", in d0 and d9'):
        InMemory([*known, replace(known[0], text="other", document="d9")])


def test_many_filters_do_not_pile_up() -> None:
    """A question for each of a thousand documents leaves no thousand filters behind."""
    source = InMemory(pieces("abc", "abd"))
    for at in range(1000):
        found = source.lexical("abc", k=1, among=Among(documents=(f"d{at}",)))
        assert len(found) == (at == 0)
    assert len(source._chosen) <= 32
