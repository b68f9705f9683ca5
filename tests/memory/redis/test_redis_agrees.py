"""After any changes a memory in Redis and one in a file hold and find the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory import tiers
from gemma_eval.memory.redis.store import open_store as open_redis
from gemma_eval.memory.sqlite.store import open_store as open_sqlite
from gemma_eval.protocols import MemoryStore
from gemma_eval.records import Among, Hit, MemoryTier, Piece
from tests.redis_server import RedisServer

EMBEDDER = "axes:3"
RULES = tiers.changed(tiers.DEFAULTS, ["working.capacity=3", "episodic.capacity=2"])
VECTORS = np.array([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8], [0.6, 0, -0.8]], np.float32)
QUERY = np.array([0.36, 0.48, 0.8], np.float32)

NUMBERS = st.integers(0, 7)
IDS = st.lists(NUMBERS.map(str), min_size=1, max_size=4, unique=True)
TIERS = st.sampled_from(("working", "episodic", "semantic"))
PIECES = st.lists(
    st.builds(
        Piece,
        id=NUMBERS.map(str),
        text=st.sampled_from(["a bee", "a bee and a cat", "cats", "oak oak oak"]),
        document=st.sampled_from(["d", "e"]),
        tier=TIERS,
        at_s=st.integers(0, 40).map(float),
        expires_s=st.none() | st.integers(20, 60).map(float),
        importance=st.sampled_from([0.1, 0.5, 0.9]),
        tags=st.sampled_from([(), ("x",), ("x", "y")]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda piece: piece.id,
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), PIECES),
        st.tuples(st.just("embed"), IDS),
        st.tuples(st.just("touch"), IDS),
        st.tuples(st.just("forget"), IDS),
        st.tuples(st.just("expire"), st.just([])),
    ),
    max_size=12,
)
AMONGS = st.builds(
    Among,
    tiers=st.sampled_from([(), ("working",), ("working", "episodic")]),
    tags=st.sampled_from([(), ("y",)]),
    documents=st.sampled_from([(), ("e",)]),
    since_s=st.none() | st.just(20.0),
    now_s=st.none() | st.just(45.0),
)


def change(store: MemoryStore, what: str, given_: Sequence[Piece] | Sequence[str], now_s: float) -> int:
    """Change a store, and return how many passages it said that this was about."""
    ids = [each for each in given_ if isinstance(each, str)]
    if what == "add":
        return store.add([each for each in given_ if isinstance(each, Piece)], now_s=now_s)
    if what == "forget":
        return store.forget(ids)
    if what == "expire":
        return store.expire(now_s=now_s)
    if what == "embed":
        store.add_vectors(ids, VECTORS[: len(ids)], embedder=EMBEDDER)
    else:
        store.touch(ids, now_s=now_s)
    return len(ids)


def held(store: MemoryStore) -> dict[str, Piece]:
    """Return all passages by their ids."""
    return {piece.id: piece for piece in store.each()}


def found(hits: Sequence[Hit]) -> dict[str, float]:
    """Return the scores of what was found, to as many places as both ways of adding them up agree in."""
    return {hit.id: round(hit.score, 5) for hit in hits}


@settings(max_examples=30)
@given(changes=CHANGES, among=AMONGS)
def test_both_stores_hold_and_find_the_same(
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, list[Piece] | list[str]]],
    among: Among,
) -> None:
    """Passages, what is let go where a tier is full, counts, words, vectors, filters."""
    path = tmp_path_factory.mktemp("memory") / "memory.db"
    with closing(open_sqlite(str(path))) as one, closing(open_redis(redis_server.url(uuid4().hex))) as other:
        for store in (one, other):
            store.set_rules(RULES)
        for second, (what, given_) in enumerate(changes):
            now_s = 40.0 + second
            assert change(one, what, given_, now_s) == change(other, what, given_, now_s)
            assert held(one) == held(other)
        assert found(one.lexical("bee cat", k=9, among=among)) == found(
            other.lexical("bee cat", k=9, among=among)
        )
        near = [store.nearest(QUERY, k=9, embedder=EMBEDDER, among=among) for store in (one, other)]
        assert found(near[0]) == found(near[1])
        stats = [replace(store.stats(now_s=50.0), size_bytes=None) for store in (one, other)]
        assert stats[0] == stats[1]


def test_a_difference_would_be_seen(redis_server: RedisServer) -> None:
    """The comparison above tells two memories apart by one access."""
    tier: MemoryTier = "working"
    piece = Piece(id="a", text="a bee", document="d", tier=tier)
    with (
        closing(open_redis(redis_server.url(uuid4().hex))) as one,
        closing(open_redis(redis_server.url(uuid4().hex))) as other,
    ):
        for store in (one, other):
            store.add([piece], now_s=1.0)
        assert held(one) == held(other)
        other.touch(["a"], now_s=2.0)
        assert held(one) != held(other)
