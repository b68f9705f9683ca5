"""What is moved between a file and a server, in either direction, is what it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from gemma_eval.memory import archive, tiers
from gemma_eval.memory.redis.store import open_store as open_redis
from gemma_eval.memory.sqlite.store import open_store as open_sqlite
from gemma_eval.protocols import MemoryStore
from gemma_eval.records import Piece
from tests.redis_server import RedisServer

NOW_S = 1_700_000_000.0
EMBEDDER = "hash:8"


def fill(store: MemoryStore) -> None:
    """Keep passages of every tier and field, some with vectors, under rules that are not the usual ones."""
    if isinstance(store, tiers.KeepsRules):
        store.set_rules(tiers.changed(store.rules(), ["working.capacity=7", "semantic.decay_per_day=0.5"]))
    made = [
        Piece(
            id=f"é {number}",
            text=f"Passage {number}: 東京 {{{{ x }}}} \u2028 end",
            document=f"d{number % 3}.md",
            tier=tuple(tiers.DEFAULTS)[number % len(tiers.DEFAULTS)],
            at_s=NOW_S + number / 7 if number % 2 else NOW_S,
            accessed_s=NOW_S + 1 / 3 if number % 4 == 0 else None,
            expires_s=NOW_S + 1e6 / 3 + number if number % 5 == 0 else None,
            importance=1 / (number + 1),
            accesses=number,
            tags=("b", "a, c")[: number % 3],
        )
        for number in range(20)
    ]
    store.add(made, now_s=NOW_S)
    vectors = np.random.default_rng(7).normal(size=(12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store.add_vectors([piece.id for piece in made[:12]], vectors, embedder=EMBEDDER)


def lines(store: MemoryStore, path: Path) -> list[bytes]:
    """Return the lines of an archive of a store, with its vectors; those of one time in the order of ids."""
    archive.export(store, path, vectors=True)
    return sorted(path.read_bytes().splitlines())


@pytest.mark.parametrize("first", ["sqlite", "redis"])
def test_an_archive_moves_all_there_is(redis_server: RedisServer, tmp_path: Path, first: str) -> None:
    """Fields, vectors to the last bit, rules."""
    with (
        closing(open_sqlite(str(tmp_path / "memory.db"))) as file,
        closing(open_redis(redis_server.url(uuid4().hex))) as server,
    ):
        one, other = (file, server) if first == "sqlite" else (server, file)
        fill(one)
        there = lines(one, tmp_path / "one.jsonl")
        assert archive.restore(other, tmp_path / "one.jsonl", now_s=NOW_S) == 20
        assert lines(other, tmp_path / "other.jsonl") == there
        assert len(there) == 22
        other.touch(["é 3"], now_s=NOW_S + 1)
        assert lines(other, tmp_path / "touched.jsonl") != there  # a difference would be seen


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_an_archive_that_is_put_back_is_all_there_is(
    redis_server: RedisServer, tmp_path: Path, kind: str
) -> None:
    """With its rules, though what was there before filled every place and was worth more."""
    with (
        closing(open_sqlite(str(tmp_path / "one.db"))) as one,
        closing(
            open_sqlite(str(tmp_path / "other.db"))
            if kind == "sqlite"
            else open_redis(redis_server.url(uuid4().hex))
        ) as other,
    ):
        fill(one)
        there = lines(one, tmp_path / "one.jsonl")
        assert isinstance(other, tiers.KeepsRules)
        other.set_rules(tiers.changed(other.rules(), ["semantic.capacity=2", "episodic.capacity=1"]))
        other.add(
            [Piece(id=f"old {n}", text="old", document="d", importance=1.0) for n in range(2)], now_s=NOW_S
        )
        assert archive.put_back(other, tmp_path / "one.jsonl", now_s=NOW_S) == 20
        assert lines(other, tmp_path / "other.jsonl") == there
