"""BM25 gives the numbers of its formula, written here a second way, and of a published worked example."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory.bm25 import Bm25, words
from gemma_eval.records import Document, Passage

WORDS = st.sampled_from(["finn", "ada", "lives", "in", "oslo", "rome", "the"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=8, unique=True)


def index(texts: Sequence[str]) -> Bm25:
    """Index one document per text, so that each is a passage."""
    return Bm25([Document(name=str(number), text=text) for number, text in enumerate(texts)])


def oracle(texts: Sequence[str], query: str, *, idf_offset: float = 0.5) -> list[float]:
    """Score every text word by word, straight from the formula, without an index."""
    split = [text.split() for text in texts]
    average = sum(len(text) for text in split) / len(split)
    scores = []
    for text in split:
        score = 0.0
        for word in query.split():
            containing = sum(word in other for other in split)
            idf = math.log(1 + (len(split) - containing + idf_offset) / (containing + idf_offset))
            score += idf * text.count(word) / (text.count(word) + 1.2 * (0.25 + 0.75 * len(text) / average))
        scores.append(score)
    return scores


def disagreement(found: Sequence[Passage], scores: Sequence[float]) -> float:
    """Return the largest difference between the scores found and those of the oracle."""
    got = {int(passage.document): passage.score for passage in found}
    return max((abs(got.get(number, 0.0) - score) for number, score in enumerate(scores)), default=0.0)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.lists(WORDS, min_size=1, max_size=5).map(" ".join))
def test_scores_are_those_of_the_formula(texts: list[str], query: str) -> None:
    """An implementation that shares no code agrees to rounding."""
    assert disagreement(index(texts).search(query, k=100), oracle(texts, query)) < 1e-12


def test_another_idf_is_noticed() -> None:
    """The oracle can fail: an offset of 1 instead of one half shows at once."""
    texts = ["finn lives in oslo", "ada lives in rome", "the"]
    found = index(texts).search("finn lives", k=3)
    assert disagreement(found, oracle(texts, "finn lives", idf_offset=1.0)) > 0.01


def test_a_worked_example_comes_out() -> None:
    """Three texts of 1, 2 and 3 words: avgdl = 2; N = 3, df = 1, so idf = ln(1 + 2.5/1.5) = 0.98083.

    For the text of 2 words tf/(tf + 1.2 · (0.25 + 0.75 · 2/2)) = 1/2.2, hence 0.44583.
    """
    found = index(["a", "b c", "a a d"]).search("c", k=3)
    assert [(passage.document, round(passage.score, 5)) for passage in found] == [("1", 0.44583)]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.lists(WORDS, max_size=5).map(" ".join), st.integers(0, 10))
def test_results_are_the_best_k_in_order(texts: list[str], query: str, k: int) -> None:
    """Best first, ranks from 1, equals in the order of the documents, none without a common word."""
    found = index(texts).search(query, k=k)
    everything = index(texts).search(query, k=100)
    assert found == everything[:k]
    assert [passage.rank for passage in everything] == list(range(1, len(everything) + 1))
    keys = [(-passage.score, int(passage.document)) for passage in everything]
    assert keys == sorted(keys)
    matching = {str(number) for number, text in enumerate(texts) if set(text.split()) & set(query.split())}
    assert {passage.document for passage in everything} == matching


def test_equal_passages_of_different_documents_stay_in_their_order() -> None:
    """A stable order makes runs repeatable."""
    assert [passage.document for passage in index(["x y", "x z", "x w"]).search("x", k=2)] == ["0", "1"]


@pytest.mark.parametrize(
    "documents", [[], [Document(name="d", text="")], [Document(name="d", text="---\n...")]]
)
def test_nothing_to_search_finds_nothing(documents: list[Document]) -> None:
    """No document, or none with words."""
    assert Bm25(documents).search("anything", k=3) == ()


def test_words_are_runs_of_letters_and_digits_of_any_script_without_case() -> None:
    """What separates them does not matter."""
    assert words("Finn's STRASSE, Straße; 東京 42_a!") == ["finn", "s", "strasse", "strasse", "東京", "42_a"]


def test_a_passage_carries_its_document_and_its_text() -> None:
    """So that it can be cited."""
    document = Document(name="people.md", text="# Who\n- Finn lives in Oslo.\n- Ada lives in Rome.\n")
    best = Bm25([document]).search("Where does Finn live?", k=1)[0]
    assert (best.document, best.text, best.rank) == ("people.md", "Finn lives in Oslo.", 1)
