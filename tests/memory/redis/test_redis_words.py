"""Words that come and go are scored as those of a fresh index, and worth is counted in Lua as in Python."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory import bm25, tiers
from gemma_eval.memory.redis import shelf as shelves
from gemma_eval.memory.redis.keys import Keys
from gemma_eval.memory.redis.shelf import Shelf
from gemma_eval.memory.redis.store import open_store
from gemma_eval.records import Among, Document, Piece
from tests.redis_server import RedisServer

NOW_S = 1_700_000_000.0
TEXTS = st.lists(st.sampled_from(["bee", "cat", "oak", "the bee", "café", "x_1"]), min_size=1, max_size=6)
CHANGES = st.lists(st.tuples(st.integers(0, 4), st.none() | TEXTS), max_size=20)


def scores(kept: dict[int, str], query: str) -> dict[str, float]:
    """Return the scores of the index of a whole corpus, which is held against the formula elsewhere."""
    documents = [Document(name=str(number), text=text) for number, text in kept.items()]
    return {hit.document: hit.score for hit in bm25.Bm25(documents).search(query, k=99)}


@settings(max_examples=30)
@given(changes=CHANGES, query=TEXTS)
def test_what_is_gone_or_replaced_counts_no_more(
    changes: list[tuple[int, list[str] | None]], query: list[str]
) -> None:
    """After any changes the scores are those of what is there now."""
    shelf, kept = Shelf(), dict[int, str]()
    for number, said in changes:
        if said is None:
            shelf.remove(str(number))
            kept.pop(number, None)
        else:
            kept[number] = " ".join(said)
            shelf.put(Piece(id=str(number), text=kept[number], document="d"))
    found = shelf.lexical(" ".join(query), k=99, among=Among())
    assert {hit.id: hit.score for hit in found} == pytest.approx(scores(kept, " ".join(query)), rel=1e-12)


def test_one_that_still_counted_would_be_noticed() -> None:
    """The comparison above sees a single passage too many."""
    assert scores({0: "bee cat", 1: "oak"}, "bee") != pytest.approx(
        scores({0: "bee cat", 1: "oak", 2: "oak oak"}, "bee"), rel=1e-12
    )


def test_equals_are_ordered_by_id_and_cut_at_k() -> None:
    """So that every process finds the same."""
    shelf = Shelf()
    for number in (3, 1, 2, 0):
        shelf.put(Piece(id=str(number), text="a bee", document="d"))
    assert [hit.id for hit in shelf.lexical("bee", k=3, among=Among())] == ["0", "1", "2"]
    assert shelf.lexical("bee", k=0, among=Among()) == ()


def test_rows_of_what_is_gone_are_left_out_in_the_end(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passage that is replaced over and over does not fill the memory."""
    monkeypatch.setattr(shelves, "_FEW", 10)
    store = open_store(redis_server.url(uuid4().hex))
    for number in range(40):
        store.add([Piece(id="a", text=f"bee {number}", document="d")], now_s=NOW_S)
        assert [hit.id for hit in store.lexical(str(number), k=2, among=Among())] == ["a"]
    assert len(store._mirror._shelf._ids) < 20
    store.close()


PIECES = st.builds(
    Piece,
    id=st.integers(0, 99).map(str),
    text=st.just("a"),
    document=st.just("d"),
    tier=st.sampled_from(["working", "episodic", "semantic"]),
    at_s=st.floats(0, 2e9),
    accessed_s=st.none() | st.floats(0, 2e9),
    importance=st.floats(0, 1),
    accesses=st.integers(0, 10_000),
)


@settings(max_examples=30)
@given(piece=PIECES, touched=st.booleans())
def test_the_server_counts_the_worth_of_a_passage_as_the_rules_do(
    redis_server: RedisServer, piece: Piece, touched: bool
) -> None:
    """Given and used; to 1e-12."""
    assert worth_in_redis(redis_server, piece, touched=touched) == pytest.approx(
        tiers.worth(tiers.given(piece, now_s=NOW_S) if touched else piece), rel=1e-12, abs=1e-12
    )


def test_a_wrong_worth_is_noticed(redis_server: RedisServer) -> None:
    """One access more is another number."""
    piece = Piece(id="a", text="a", document="d", at_s=NOW_S, accesses=9_999)
    more = replace(piece, accesses=10_000)
    assert worth_in_redis(redis_server, piece) != pytest.approx(tiers.worth(more), rel=1e-12, abs=1e-12)


def test_other_rules_give_every_passage_the_worth_it_has_by_them(redis_server: RedisServer) -> None:
    """Else those before and those after could not be compared."""
    name = uuid4().hex
    store = open_store(redis_server.url(name))
    made = [
        Piece(id=str(number), text="a", document="d", tier="episodic", at_s=NOW_S + number, accesses=number)
        for number in range(4)
    ]
    store.add(made, now_s=NOW_S)
    rules = tiers.changed(store.rules(), ["episodic.decay_per_day=24", "episodic.capacity=none"])
    store.set_rules(rules)
    with redis_server.client() as client:
        kept = dict(client.zrange(Keys(name).tier("episodic"), 0, -1, withscores=True))
    want = [tiers.worth(piece, rules=rules) for piece in made]
    np.testing.assert_allclose([kept[piece.id.encode()] for piece in made], want, rtol=1e-12)
    assert store.rules() == rules
    store.close()


def worth_in_redis(server: RedisServer, piece: Piece, *, touched: bool = False) -> float:
    """Keep a passage and return the number beside it."""
    name = uuid4().hex
    store = open_store(server.url(name))
    store.add([piece], now_s=NOW_S)
    if touched:
        store.touch([piece.id], now_s=NOW_S)
    store.close()
    with server.client() as client:
        return float(client.zscore(Keys(name).tier(piece.tier), piece.id))
