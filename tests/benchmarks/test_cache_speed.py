"""What it costs to look a question up in a cache of 10,000 answers; figures for docs/performance.md.

pytest tests/benchmarks/test_cache_speed.py -m slow -s
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter_ns

import numpy as np
import pytest
from numpy.typing import NDArray

from gemma_eval.memory.cache.cache import SemanticCache
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.records import Caching
from tests.memory.cache.made import an_entry

pytestmark = pytest.mark.slow

N = 10_000
DIM = 384
ROUNDS = 101
LIMIT_MS = 1.0


@dataclass
class Drawn:
    """An embedder that has drawn a vector for every text before, so that it takes no time."""

    id: str = "drawn/1"
    known: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts that are known."""
        return np.stack([self.known[text] for text in texts])


def test_a_question_is_looked_up_in_a_millisecond() -> None:
    """The same question, one that no answer serves, and one whose nearest the rules look at."""
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(N + ROUNDS, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    embedder = Drawn()
    cache = SemanticCache(
        caching=Caching(mode="strict", embedder="drawn", max_entries=N),
        entries=LocalEntries(max_entries=N),
        embedder=embedder,
    )
    for at in range(N):
        embedder.known[f"where is thing {at}?"] = rows[at]
        cache.keep(an_entry(f"where is thing {at}?", vector=rows[at]), now_s=1.0)
    for at in range(ROUNDS):
        embedder.known[f"who owns {at}?"] = rows[N + at]
        embedder.known[f"so where is thing {at}, please?"] = rows[at]
    asked = {
        "the same question": [f"where is thing {at}?" for at in range(ROUNDS)],
        "near none": [f"who owns {at}?" for at in range(ROUNDS)],
        "near one": [f"so where is thing {at}, please?" for at in range(ROUNDS)],
    }
    sys.stdout.write("\n")
    for name, queries in asked.items():
        took = [_ms(partial(cache.find, "p", query, now_s=2.0)) for query in queries]
        sys.stdout.write(f"{name}, of {N:,}: {median(took):.4f} ms\n")
        assert median(took) < LIMIT_MS


def _ms(call: Callable[[], object]) -> float:
    began_ns = perf_counter_ns()
    call()
    return (perf_counter_ns() - began_ns) / 1e6
