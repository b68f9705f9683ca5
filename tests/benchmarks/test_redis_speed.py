"""What it costs to find ten of 10,000 passages in Redis, and to keep one; figures for docs/memory_redis.md.

pytest tests/benchmarks/test_redis_speed.py -m slow -s
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray

from gemma_eval.memory import tiers
from gemma_eval.memory.redis.store import RedisStore, open_store
from gemma_eval.records import Among, Piece
from tests.redis_server import RedisServer, running

pytestmark = pytest.mark.slow

N = 10_000
DIM = 384
WORDS_EACH = 80
WORDS_ASKED = 6
VOCABULARY = 20_000
BATCH = 1_000
NOW_S = 1_700_000_000.0
AMONG = Among(now_s=NOW_S)
ROUNDS = 51
TARGET_MS = 8.0


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A server with passages, a store that has them mirrored, and what to ask."""

    server: RedisServer
    store: RedisStore
    pieces: Sequence[Piece]
    vectors: NDArray[np.float32]
    queries: Sequence[str]
    added_per_s: float
    mirrored_s: float


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Fill a server with 10,000 passages of Zipf's words and their vectors."""
    draw = np.random.default_rng(7)
    texts = zipf(draw, N, WORDS_EACH)
    vectors = draw.normal(size=(N, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pieces = [
        Piece(id=f"p{number}", text=text, document=f"d{number // 20}", at_s=NOW_S + number)
        for number, text in enumerate(texts)
    ]
    with running(tmp_path_factory.mktemp("redis")) as server:
        with closing(open_store(server.url())) as writer:
            began_s = perf_counter()
            for at in range(0, N, BATCH):
                batch = slice(at, at + BATCH)
                writer.add(pieces[batch], now_s=NOW_S, vectors=vectors[batch], embedder="e")
            added_per_s = N / (perf_counter() - began_s)
        with closing(open_store(server.url())) as store:
            began_s = perf_counter()
            store.lexical("w1", k=1, among=AMONG)
            store.nearest(vectors[0], k=1, embedder="e", among=AMONG)
            yield Filled(
                server=server,
                store=store,
                pieces=pieces,
                vectors=vectors,
                queries=zipf(draw, ROUNDS, WORDS_ASKED),
                added_per_s=added_per_s,
                mirrored_s=perf_counter() - began_s,
            )


def zipf(draw: np.random.Generator, n: int, words_each: int) -> list[str]:
    """Return `n` texts of words as frequent as those of a language."""
    weights = 1 / np.arange(1, VOCABULARY + 1)
    chosen = draw.choice(VOCABULARY, (n, words_each), p=weights / weights.sum())
    return [" ".join(f"w{word}" for word in row) for row in chosen]


def p50_ms(action: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """Return the median of what a call took."""
    spent: list[float] = []
    for round_ in range(rounds):
        began_s = perf_counter()
        action(round_)
        spent.append(1e3 * (perf_counter() - began_s))
    return median(spent)


def show(what: str, ms: float) -> None:
    """Print a figure."""
    sys.stdout.write(f"\n{what}: {ms:.2f} ms")


def test_ten_of_ten_thousand_passages_are_found_within_the_target(filled: Filled) -> None:
    """By words and by vectors, with their texts, in a store whose mirror is up to date."""
    store = filled.store

    def by_words(round_: int) -> None:
        hits = store.lexical(filled.queries[round_], k=10, among=AMONG)
        assert len(store.pieces([hit.id for hit in hits])) == len(hits)

    def by_vectors(round_: int) -> None:
        hits = store.nearest(filled.vectors[round_], k=10, embedder="e", among=AMONG)
        assert store.pieces([hit.id for hit in hits])[0].id == f"p{round_}"

    words_ms, vectors_ms = p50_ms(by_words), p50_ms(by_vectors)
    show("10 of 10,000 by words", words_ms)
    show("10 of 10,000 by vectors", vectors_ms)
    sys.stdout.write(
        f"\nadded: {filled.added_per_s:,.0f} passages/s; mirrored in {filled.mirrored_s:.1f} s\n"
    )
    assert words_ms < TARGET_MS
    assert vectors_ms < TARGET_MS


def test_a_passage_is_kept_in_a_full_tier_within_milliseconds(filled: Filled) -> None:
    """One comes, the least worth goes, and both are in the log: one script."""
    rules = tiers.changed(tiers.DEFAULTS, [f"episodic.capacity={N // 10}"])
    with closing(open_store(filled.server.url("full"))) as store:
        store.set_rules(rules)
        few = [Piece(id=each.id, text=each.text, document="d", tier="episodic") for each in filled.pieces]
        store.add(few[: N // 10], now_s=NOW_S)
        kept_ms = p50_ms(lambda round_: store.add(few[N // 10 + round_ : N // 10 + round_ + 1], now_s=NOW_S))
        assert store.stats(now_s=NOW_S).passages["episodic"] == N // 10
    show("one kept, one let go", kept_ms)
    assert kept_ms < TARGET_MS


def test_reading_every_key_for_each_question_takes_a_hundred_times_as_long(filled: Filled) -> None:
    """What this store is there to avoid: SCAN, GET and JSON with the vector in it, cosines in Python."""
    with filled.server.client() as client:
        for piece, vector in zip(filled.pieces, filled.vectors, strict=True):
            body = {"content": piece.text, "importance": piece.importance, "embedding": vector.tolist()}
            client.set(f"memory:{piece.id}", json.dumps(body))

        def scan(round_: int) -> None:
            query = filled.vectors[round_].tolist()
            found: list[tuple[float, str]] = []
            for key in client.scan_iter("memory:*", count=100):
                body = json.loads(client.get(key))
                found.append((cosine(query, body["embedding"]) * body["importance"], key.decode()))
            assert max(found)[1] == f"memory:p{round_}"

        scan_ms = p50_ms(scan, rounds=3)

    def ours(round_: int) -> None:
        hits = filled.store.nearest(filled.vectors[round_], k=10, embedder="e", among=AMONG)
        filled.store.pieces([hit.id for hit in hits])

    ours_ms = p50_ms(ours)
    show("SCAN, GET and JSON", scan_ms)
    sys.stdout.write(f", {scan_ms / ours_ms:,.0f} times as long\n")
    assert scan_ms > 100 * ours_ms


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors of any length, by NumPy as the design that this is compared with."""
    a, b = np.array(one), np.array(other)
    return float(np.dot(a, b) / math.sqrt(float(np.dot(a, a)) * float(np.dot(b, b))))
