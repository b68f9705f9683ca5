"""What the graph of a large memory costs and gives, beside the exact search; for docs/memory.md.

pytest tests/benchmarks/test_index_speed.py -m slow -s

The vectors lie near a surface of 32 dimensions, without clusters that would make it easy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pytest
from numpy.typing import NDArray

from gemma_eval.memory.approximate import build, opened
from gemma_eval.memory.graph import Origin
from gemma_eval.memory.vectors import VectorMatrix
from tests import required

pytestmark = pytest.mark.slow
required.module("usearch.index", extra="ann")

DIM, LATENT = 384, 32
QUERIES = 100
ORIGIN = Origin(lineage="", embedder="made", dim=DIM)


class Numbers:
    """Passages whose ids are the numbers of their vectors."""

    def __init__(self, n: int) -> None:
        """Number them from 1 on."""
        self.all = range(1, n + 1)
        self.ids = [str(number) for number in self.all]

    def numbered(self) -> tuple[Sequence[int], Sequence[str]]:
        """Return all."""
        return self.all, self.ids

    def known(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return their ids."""
        return tuple(map(str, numbers))

    def after(self, number: int, *, most: int) -> tuple[str, ...]:
        """Return those that came later."""
        return tuple(self.ids[number:][:most])


def vectors_of(n: int) -> NDArray[np.float32]:
    """Return `n` vectors of length 1, [n, DIM]."""
    draw = np.random.default_rng(3)
    base = draw.normal(size=(LATENT, DIM)).astype(np.float32)
    made = draw.normal(size=(n, LATENT)).astype(np.float32) @ base
    made += draw.normal(size=(n, DIM)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def timed(search: Callable[..., Sequence[object]], asked: NDArray[np.float32], k: int) -> float:
    """Return the median milliseconds of a search."""
    taken = []
    for vector in asked:
        began = perf_counter()
        search(vector, k=k)
        taken.append(1e3 * (perf_counter() - began))
    return median(taken)


@pytest.mark.parametrize("n", [100_000, 300_000])
def test_a_graph_finds_what_is_near_and_how_fast(n: int, tmp_path: Path) -> None:
    """Prints what making, opening and searching take; queries are not among what is kept."""
    vectors = vectors_of(n + QUERIES)
    matrix, numbers, path = VectorMatrix(DIM), Numbers(n), tmp_path / "graph"
    matrix.put(numbers.ids, vectors[:n])
    asked = vectors[n:]
    began, began_cpu = perf_counter(), process_time()
    recall = build(path, matrix, numbers, origin=ORIGIN)
    made_s, made_cpu_s = perf_counter() - began, process_time() - began_cpu
    began = perf_counter()
    found = opened(path, matrix, numbers, origin=ORIGIN)
    opened_s = perf_counter() - began
    hit = sum(len({*found.nearest(vector, k=10)} & {*matrix.nearest(vector, k=10)}) / 10 for vector in asked)
    sys.stdout.write(
        f"\n{n} vectors: made in {made_s:.0f} s ({made_cpu_s:.0f} s of a processor), "
        f"{path.stat().st_size / 1e6:.0f} MB, opened in {opened_s:.1f} s; "
        f"{recall:.3f} of the nearest ten of its own, {hit / QUERIES:.3f} of queries\n"
    )
    for k in (10, 110):
        exact_ms, found_ms = timed(matrix.nearest, asked, k), timed(found.nearest, asked, k)
        sys.stdout.write(f"  k = {k}: exact {exact_ms:.2f} ms, by the graph {found_ms:.2f} ms\n")
    assert hit / QUERIES > 0.9
