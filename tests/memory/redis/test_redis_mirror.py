"""Mirrors that are searched while others write end up with what the server has."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import numpy as np

from gemma_eval.memory.redis.store import RedisStore, open_store
from gemma_eval.records import Among, Piece
from tests.redis_server import RedisServer

NOW_S = 1_700_000_000.0
EMBEDDER = "axes:4"
AXES = np.eye(4, dtype=np.float32)
ALL = Among()


def write(store: RedisStore, seed: int) -> None:
    """Add, replace, embed and forget passages of a few ids, which others write too."""
    draw = random.Random(seed)  # noqa: S311 - a test's
    for _ in range(25):
        ids = [str(number) for number in draw.sample(range(12), 3)]
        what = draw.choice(("add", "add", "embed", "forget"))
        if what == "add":
            text = f"bee {draw.choice(('oak', 'cat'))}"
            store.add([Piece(id=id_, text=text, document="d") for id_ in ids], now_s=NOW_S)
        elif what == "embed":
            store.add_vectors(ids, AXES[draw.sample(range(4), 3)], embedder=EMBEDDER)
        else:
            store.forget(ids)


def search(store: RedisStore) -> None:
    """Search by words and by vectors."""
    for number in range(25):
        store.lexical("bee", k=5, among=ALL)
        store.nearest(AXES[number % 4], k=5, embedder=EMBEDDER, among=ALL)


def test_after_writers_and_searchers_every_mirror_is_what_the_server_has(redis_server: RedisServer) -> None:
    """Four connections, of which each also writes; words and vectors of each passage."""
    url = redis_server.url(uuid4().hex)
    stores = [open_store(url) for _ in range(4)]
    stores[0].add([Piece(id="first", text="bee", document="d")], now_s=NOW_S)
    stores[0].add_vectors(["first"], AXES[:1], embedder=EMBEDDER)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(write, store, seed) for seed, store in enumerate(stores)]
        done += [pool.submit(search, store) for store in stores]
        for each in done:
            each.result()
    there = {piece.id: piece.text for piece in stores[0].each()}
    for store in stores:
        for word in ("bee", "oak", "cat"):
            found = {hit.id for hit in store.lexical(word, k=99, among=ALL)}
            assert found == {id_ for id_, text in there.items() if word in text.split()}
        matrix = store._mirror._embedded[EMBEDDER].matrix
        assert matrix is not None
        for id_ in there:
            kept = store.vectors([id_], embedder=EMBEDDER)
            mirrored = matrix.vectors([id_])
            assert (kept is None) == (mirrored is None)
            assert kept is None or mirrored is None or np.array_equal(kept, mirrored)
        store.close()
