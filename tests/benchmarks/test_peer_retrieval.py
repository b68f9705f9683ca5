"""Known-item search beside bm25s and usearch, in one run; figures for docs/performance.md.

The corpus: docstrings of the standard library and of NumPy; each first line is asked for in what is below.

    pytest tests/benchmarks/test_peer_retrieval.py -m slow -s
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.memory.source import InMemory
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.protocols import Embedder, RerankerParts
from gemma_eval.records import ModelSpec, Piece, Retrieval
from tests import required

pytestmark = pytest.mark.slow

K = 10
MODULES = tuple(
    name
    for line in (
        "argparse array asyncio bisect collections configparser contextlib csv ctypes datetime decimal",
        "difflib email enum fractions functools glob gzip hashlib heapq html http inspect io itertools",
        "json logging math mmap multiprocessing numpy numpy.fft numpy.linalg numpy.ma numpy.polynomial",
        "numpy.random operator os pathlib pickle random re shutil signal socket sqlite3 statistics",
        "string struct subprocess tarfile tempfile textwrap threading time traceback types",
        "unittest urllib urllib.parse uuid wave weakref xml zipfile",
    )
    for name in line.split()
)
FEWEST_WORDS = 12
MOST_WORDS = 60
MOST_ITEMS = 800
N_VECTORS = (10_000, 100_000)
DIM = 384

Search = Callable[[str], Sequence[str]]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A summary line, and the passage that it is the summary of."""

    asked: str
    piece: Piece


def items() -> list[Item]:
    """Return items of installed modules in an order that does not depend on the machine."""
    found: dict[str, Item] = {}
    for name, documentation in sorted(_documentation()):
        summary, _, rest = inspect.cleandoc(documentation).partition("\n")
        words = rest.split()[:MOST_WORDS]
        if len(words) >= FEWEST_WORDS and len(summary.split()) > 3:
            piece = Piece(id=name, text=" ".join(words), document=name)
            found.setdefault(summary, Item(asked=summary, piece=piece))
    step = max(1, len(found) // MOST_ITEMS)
    return list(found.values())[::step][:MOST_ITEMS]


def _documentation() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            text = getattr(value, "__doc__", None)
            if not name.startswith("_") and callable(value) and isinstance(text, str):
                yield f"{module}.{name}", text


def test_known_items_are_found_as_well_as_by_a_peer_and_how_fast() -> None:
    """Prints R@1, R@10 and MRR@10 of each search, and the median time of a query in ms."""
    corpus = items()
    lexical, by_peer = InMemory([item.piece for item in corpus]), _of_bm25s(corpus)
    rows = {
        "bm25": _judged(corpus, lambda query: [hit.id for hit in lexical.lexical(query, k=K)]),
        "bm25s": _judged(corpus, by_peer),
        **_of_vectors(corpus),
    }
    sys.stdout.write(f"\n{len(corpus)} items\n{'':16}{'R@1':>8}{'R@10':>8}{'MRR@10':>8}{'p50 ms':>8}\n")
    for name, figures in rows.items():
        sys.stdout.write(f"{name:16}" + "".join(f"{figure:8.3f}" for figure in figures) + "\n")
    assert rows["bm25"][2] >= rows["bm25s"][2] - 0.005


@pytest.mark.parametrize("n", N_VECTORS)
def test_vectors_are_searched_exactly_and_how_fast_beside_a_peer(n: int) -> None:
    """Prints the median time of a query in ms; both find the same ten of clustered vectors."""
    usearch = required.module("usearch.index", extra="test")
    draw = np.random.default_rng(7)
    centres = draw.normal(size=(n // 100, DIM))
    made = centres[draw.integers(len(centres), size=n)] + 0.5 * draw.normal(size=(n, DIM))
    vectors = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    asked = vectors[draw.integers(n, size=31)]
    matrix = VectorMatrix(DIM)
    matrix.put([str(at) for at in range(n)], vectors)
    ours, theirs, agreed = [], [], []
    for vector in asked:
        took, found = _timed(partial(matrix.nearest, vector, k=K))
        ours.append(took)
        took, peer = _timed(partial(usearch.search, vectors, vector, K, "ip", exact=True))
        theirs.append(took)
        agreed.append(len({hit.id for hit in found} & {str(key) for key in peer.keys}) / K)
    sys.stdout.write(
        f"\n{n} vectors: VectorMatrix {median(ours):.2f} ms, usearch exact {median(theirs):.2f} ms, "
        f"{sum(agreed) / len(agreed):.3f} of the ten in common\n"
    )
    assert sum(agreed) / len(agreed) > 0.99


def _of_bm25s(corpus: Sequence[Item]) -> Search:
    bm25s = required.module("bm25s", extra="test")
    retriever = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    texts = [item.piece.text for item in corpus]
    retriever.index(bm25s.tokenize(texts, stopwords=None, show_progress=False), show_progress=False)

    def search(query: str) -> list[str]:
        tokens = bm25s.tokenize([query], stopwords=None, show_progress=False)
        found, _ = retriever.retrieve(tokens, k=K, show_progress=False)
        return [corpus[int(at)].piece.id for at in found[0]]

    return search


def _of_vectors(corpus: Sequence[Item]) -> dict[str, tuple[float, ...]]:
    """Judge searches that need MiniLM: vectors alone, fused, and reranked by the vectors of tokens."""
    registry = plugins.load()
    spec = ModelSpec(name="minilm", backend="sentence_bert", location="@minilm")
    embedder: Embedder = registry.embedders.find("sentence_bert")(spec)
    maxsim = registry.rerankers.find("maxsim")(RerankerParts(embedder=embedder))
    source = InMemory([item.piece for item in corpus], embedder=embedder)
    ways = {
        "vector": Retrieval(retriever="vector", top_k=K),
        "hybrid rrf": Retrieval(retriever="hybrid", top_k=K),
        "hybrid convex": Retrieval(retriever="hybrid", top_k=K, fusion="convex"),
        "by maxsim": Retrieval(retriever="hybrid", top_k=K, fusion="convex", reranker="maxsim"),
        "by half maxsim": Retrieval(
            retriever="hybrid", top_k=K, fusion="convex", reranker="maxsim", rerank_weight=0.5
        ),
    }

    def searching(way: Retrieval) -> Search:
        return lambda query: [
            passage.id
            for passage in retrieve(
                query,
                source=source,
                retrieval=replace(way, embedder="minilm"),
                embed=embedder.embed,
                embedder_id=embedder.id,
                reranker=maxsim if way.reranker else None,
                clock=time.perf_counter_ns,
                now_s=0.0,
            ).passages
        ]

    return {name: _judged(corpus, searching(way)) for name, way in ways.items()}


def _judged(corpus: Sequence[Item], search: Search) -> tuple[float, ...]:
    """Return R@1, R@10, MRR@10 and the median time in ms."""
    ranks, times = [], []
    for item in corpus:
        took, found = _timed(partial(search, item.asked))
        times.append(took)
        ranks.append(list(found).index(item.piece.id) + 1 if item.piece.id in found else None)
    hits = [rank for rank in ranks if rank is not None]
    n = len(corpus)
    return (
        sum(rank == 1 for rank in hits) / n,
        len(hits) / n,
        sum(1 / rank for rank in hits) / n,
        median(times),
    )


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    began_ns = time.perf_counter_ns()
    made = call()
    return (time.perf_counter_ns() - began_ns) / 1e6, made
