"""What a memory in a SQLite file costs: keeping, searching, and the room of vectors; for docs/performance.md.

pytest tests/benchmarks/test_memory_speed.py -m slow -s

Beside the time that passed stands that of processors, which other programs of the machine change less.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import psutil
import pytest

from gemma_eval.memory import tiers
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among, Piece

pytestmark = pytest.mark.slow

WORDS = 50_000
LENGTH = 80
QUERIES = 60
DIM = 384
NOW_S = 1_700_000_000.0
NOW = Among(now_s=NOW_S)


class Texts:
    """Texts whose words are drawn as often as those of a language: the n-th most common 1/n^1.07 times."""

    def __init__(self, n: int) -> None:
        """Draw `n` texts."""
        draw = np.random.default_rng(5)
        share = 1 / np.arange(1, WORDS + 1) ** 1.07
        self.numbers = draw.choice(WORDS, size=(n, LENGTH), p=share / share.sum())
        picked = draw.integers(n, size=QUERIES)
        self.queries = [" ".join(f"w{word:x}" for word in self.numbers[at][:6]) for at in picked]

    def __len__(self) -> int:
        return len(self.numbers)

    def pieces(self, first: int, last: int) -> list[Piece]:
        """Return some of them as passages."""
        return [
            Piece(
                id=f"p{at}", text=" ".join(f"w{word:x}" for word in self.numbers[at]), document="d", at_s=at
            )
            for at in range(first, min(last, len(self)))
        ]


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """Return an empty memory whose tier of documents has room for all."""
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "m.db")) as opened:
        opened.set_rules(tiers.changed(opened.rules(), ["semantic.capacity=none"]))
        yield opened


def median_ms(act: Callable[[str], object], queries: list[str]) -> tuple[float, float, float]:
    """Return the median and the 95th percentile of the milliseconds, and the median of a processor's."""
    passed, worked = [], []
    for query in queries:
        began, began_cpu = perf_counter(), process_time()
        act(query)
        passed.append(1e3 * (perf_counter() - began))
        worked.append(1e3 * (process_time() - began_cpu))
    return statistics.median(passed), float(np.percentile(passed, 95)), statistics.median(worked)


@pytest.mark.parametrize(("n", "most_ms"), [(10_000, 50), (100_000, 250)])
def test_passages_are_kept_and_found_by_words_in_milliseconds(
    store: SqliteStore, n: int, most_ms: float
) -> None:
    """Thousands are kept in a second; a search takes little longer among ten times as many."""
    texts = Texts(n)
    passed, worked = 0.0, 0.0
    for first in range(0, n, 1_000):
        pieces = texts.pieces(first, first + 1_000)
        began, began_cpu = perf_counter(), process_time()
        store.add(pieces, now_s=NOW_S)
        passed, worked = passed + perf_counter() - began, worked + process_time() - began_cpu
    sys.stdout.write(f"\n{n:,} passages kept: {n / passed:,.0f}/s, {n / worked:,.0f}/s of a processor\n")
    for k in (10, 50):
        p50, p95, cpu = median_ms(partial(store.lexical, k=k, among=NOW), texts.queries)
        sys.stdout.write(
            f"  by words, k = {k}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, processor p50 {cpu:.1f} ms\n"
        )
        assert cpu < most_ms
    assert n / worked > 2_000


def test_the_vectors_of_a_hundred_thousand_passages_take_their_own_size(store: SqliteStore) -> None:
    """100,000 of 384 numbers are 154 MB; what else a search of them has in memory is told."""
    n, draw = 100_000, np.random.default_rng(6)
    for first in range(0, n, 2_000):
        pieces = [Piece(id=f"p{at}", text=f"w{at:x}", document="d") for at in range(first, first + 2_000)]
        made = draw.normal(size=(2_000, DIM)).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        store.add(pieces, now_s=NOW_S, vectors=made, embedder="e")
    query = made[0]
    before = psutil.Process().memory_info().rss
    began = perf_counter()
    store.nearest(query, k=10, embedder="e", among=NOW)
    first_s = perf_counter() - began
    held_mb = (psutil.Process().memory_info().rss - before) / 1e6
    p50, p95, cpu = median_ms(lambda _: store.nearest(query, k=10, embedder="e", among=NOW), [""] * QUERIES)
    sys.stdout.write(
        f"\n{n:,} x {DIM}: {held_mb:.0f} MB, read in {first_s:.1f} s at the first search;\n"
        f"  by vector: p50 {p50:.1f} ms, p95 {p95:.1f} ms, processor p50 {cpu:.1f} ms\n"
        f"  the file has {store.stats(now_s=NOW_S).size_bytes or 0:,} bytes\n"
    )
    assert held_mb < 2.5 * n * DIM * 4 / 1e6
