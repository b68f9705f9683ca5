"""The pairs that ship with the cosines that MiniLM gave them, as an embedder that needs no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.cache.key import normalised
from gemma_eval.memory.cache.pairs import Measured, Pair, measure, read_pairs
from gemma_eval.memory.cache.same import Ask
from gemma_eval.records import CacheMode, Caching

HERE = Path(__file__).parent
PAIRS = HERE.parents[2] / "suites" / "data" / "near_misses.jsonl"
TABLE = HERE / "cosines.json"


@dataclass(frozen=True)
class OfPair:
    """Gives the two questions of one pair vectors with its cosine."""

    pair: Pair
    cosine: float
    id: str = "recorded"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [N, 2]: the first question lies on the first axis."""
        first = (1.0, 0.0)
        second = (self.cosine, float(np.sqrt(max(0.0, 1 - self.cosine**2))))
        is_first = normalised(self.pair.first)
        return np.array([first if text == is_first else second for text in texts], np.float32)


@cache
def pairs() -> tuple[Pair, ...]:
    """Return the pairs that ship."""
    return read_pairs(PAIRS)


@cache
def cosines() -> dict[str, float]:
    """Return the recorded cosines by the ids of the pairs."""
    found: dict[str, float] = json.loads(TABLE.read_text())["cosines"]
    return found


@cache
def measured(mode: CacheMode, min_cosine: float, ask: Ask | None = None) -> dict[str, Measured]:
    """Return what a mode does with each pair, by its id, through the cache itself."""
    caching = Caching(mode=mode, embedder="recorded", min_cosine=min_cosine)
    return {
        pair.id: measure([pair], caching, embedder=OfPair(pair, cosines()[pair.id]), ask=ask)
        for pair in pairs()
    }


def hits(mode: CacheMode, min_cosine: float, *, label: str, kind: str = "", ask: Ask | None = None) -> int:
    """Return how many pairs of a label, and of a kind where one is given, were hits."""
    found = measured(mode, min_cosine, ask)
    chosen = [pair for pair in pairs() if pair.label == label and kind in ("", pair.kind)]
    return sum(found[pair.id].true.hits + found[pair.id].false.hits for pair in chosen)
