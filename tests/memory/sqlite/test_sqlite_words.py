"""Search by words in a SQLite file is BM25, and common words do not make it slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma_eval.memory.bm25 import words
from gemma_eval.memory.sqlite import words as searching
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among, Piece
from tests.contract.store_contract import NOW_S, bm25, piece

EVERYTHING = Among()
N = 400
K = 10


def corpus() -> list[list[str]]:
    """Return the words of passages, drawn as those of a language are: some often, most of them rarely."""
    draw = np.random.default_rng(11)
    share = 1 / np.arange(1, 2_001)
    return [
        [f"w{word}" for word in draw.choice(2_000, size=draw.integers(10, 60), p=share / share.sum())]
        for _ in range(N)
    ]


CORPUS = corpus()
QUERIES = [" ".join(CORPUS[number * 7 % N][:6]) for number in range(25)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """Return a memory of the corpus, of which some was forgotten and written again."""
    with closing(SqliteStore(tmp_path_factory.mktemp("words") / "m.db")) as opened:
        opened.add([piece(n, "w1 w2 something else") for n in range(0, N, 3)], now_s=NOW_S)
        opened.forget([f"p{n}" for n in range(0, N, 6)])
        opened.add([piece(n, " ".join(text)) for n, text in enumerate(CORPUS)], now_s=NOW_S)
        yield opened


def oracle(query: str, *, k1: float = 1.2) -> dict[str, float]:
    """Return the scores of bm25s for every passage that has a word of the query."""
    index = bm25s.BM25(method="lucene", k1=k1, b=0.75)
    index.index(CORPUS, show_progress=False)
    scores = index.get_scores(words(query))
    return {f"p{n}": float(score) for n, score in enumerate(scores) if score > 0}


def agrees(store: SqliteStore, query: str, want: dict[str, float]) -> bool:
    """Whether the passages found are the best, and have the scores of bm25s, which counts in float32."""
    found = store.lexical(query, k=K, among=EVERYTHING)
    best = sorted(want.values(), reverse=True)[:K]
    return [hit.score for hit in found] == pytest.approx(best, rel=1e-5) and all(
        hit.score == pytest.approx(want[hit.id], rel=1e-5) for hit in found
    )


@pytest.mark.parametrize("query", QUERIES[:8])
def test_the_best_passages_are_those_of_bm25s(store: SqliteStore, query: str) -> None:
    """With its scores, also after passages were forgotten and replaced."""
    assert agrees(store, query, oracle(query))


def test_another_formula_would_be_noticed(store: SqliteStore) -> None:
    """By a k1 of 1.5 the scores are others."""
    assert not agrees(store, QUERIES[0], oracle(QUERIES[0], k1=1.5))


def test_with_the_common_words_left_out_every_score_is_still_that_of_all_words(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with one of the rarest words are found and ordered by all; most of the best are among them."""
    monkeypatch.setattr(searching, "most_places", lambda _: 60)
    shares = []
    for query in QUERIES:
        want = oracle(query)
        found = store.lexical(query, k=K, among=EVERYTHING)
        assert {hit.id: hit.score for hit in found} == pytest.approx(
            {hit.id: want[hit.id] for hit in found}, rel=1e-5
        )
        best = sorted(want, key=lambda id_: -want[id_])[:K]
        shares.append(len({hit.id for hit in found} & set(best)) / K)
    assert np.mean(shares) > 0.7


def test_the_rarest_words_are_asked_for_and_always_one() -> None:
    """As many as have so many places together."""
    dfs = {"the": 900, "river": 40, "tiber": 2, "in": 700}
    assert searching.rarest(dfs, most_places=50) == ["tiber", "river"]
    assert searching.rarest(dfs, most_places=1) == ["tiber"]
    assert searching.rarest(dfs) == ["tiber", "river", "in", "the"]
    assert searching.rarest({}) == []
    assert searching.most_places(100_000) == 13_000


def test_a_filter_that_leaves_few_is_searched_by_all_words(tmp_path: Path) -> None:
    """Where the rare words are in no passage of the filter, the common ones are asked, too."""
    with closing(SqliteStore(tmp_path / "m.db")) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "most_places", lambda _: 5)
        texts = ["the tiber", *["the river"] * 20]
        store.add([piece(n, text) for n, text in enumerate(texts)], now_s=NOW_S)
        store.add([piece(50, "the end")], now_s=NOW_S)
        store.add([Piece(id="tagged", text="the bee", document="d", tags=("x",))], now_s=NOW_S)
        tagged = store.lexical("the tiber", k=3, among=Among(tags=("x",)))
        assert [hit.id for hit in tagged] == ["tagged"]


_WORDS = st.lists(
    st.sampled_from(["ab", "B", "straße", "STRASSE", "東京", "a_b", "x1", "é", "e\u0301"]), max_size=6
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(_WORDS.filter(bool), min_size=1, max_size=6), query=_WORDS, gone=st.integers(0, 5))
def test_any_script_is_searched_by_the_same_formula(
    tmp_path: Path, texts: list[list[str]], query: list[str], gone: int
) -> None:
    """After any passage was forgotten, whatever letters the words have."""
    pieces = [piece(n, ", ".join(text)) for n, text in enumerate(texts)]
    with closing(SqliteStore(tmp_path / "m.db")) as store:
        store.forget([each.id for each in store.each()])
        store.add(pieces, now_s=NOW_S)
        store.forget([f"p{gone}"])
        left = [each for each in pieces if each.id != f"p{gone}"]
        found = store.lexical(" ".join(query), k=9, among=EVERYTHING)
        want = bm25(" ".join(query), left) if left else {}
        assert {hit.id: hit.score for hit in found} == pytest.approx(want, rel=1e-6)
