"""The ten pairs: what passes, and what is refused with which words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from gemma_eval.backends.hashing import Hashing
from gemma_eval.errors import BackendError
from gemma_eval.memory.bm25 import Bm25
from gemma_eval.memory.rerankers.maxsim import MaxSim
from gemma_eval.memory.rerankers.sanity import NEEDED, PAIRS, checked
from gemma_eval.records import Document

GOOD = {pair.relevant for pair in PAIRS}


@dataclass(frozen=True)
class Scoring:
    """Scores each text with a function, or all of them together."""

    of: Callable[[str, str], float] = lambda _, text: float(text in GOOD)
    all: Callable[[str, Sequence[str]], Sequence[float]] | None = None

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Score."""
        if self.all is not None:
            return self.all(query, texts)
        return [self.of(query, text) for text in texts]


def but(wrong: int) -> Scoring:
    """Know all pairs but so many."""
    bad = {pair.query for pair in PAIRS[:wrong]}
    return Scoring(lambda query, text: float((text in GOOD) != (query in bad)))


def test_nine_pairs_of_ten_pass_and_eight_do_not() -> None:
    """The two that are wrong are named."""
    checked(but(0), name="mine")
    checked(but(10 - NEEDED), name="mine")
    with pytest.raises(BackendError) as caught:
        checked(but(2), name="mine")
    assert str(caught.value) == (
        "the reranker mine is refused: it puts the passage that answers before the one that does not in 8 of "
        f'10 pairs, 9 are needed; wrong are "{PAIRS[0].query}"; "{PAIRS[1].query}"'
    )


@pytest.mark.parametrize(
    "scoring",
    [
        Scoring(all=lambda _, texts: [float(at) for at in range(len(texts))]),
        Scoring(all=lambda _, texts: [-float(at) for at in range(len(texts))]),
        Scoring(lambda _, text: len(text)),
        Scoring(lambda _, text: -len(text)),
        Scoring(lambda _, text: -float(text in GOOD)),
    ],
    ids=["last first", "as they came", "longest first", "shortest first", "worst first"],
)
def test_an_order_that_does_not_follow_from_the_question_is_refused(scoring: Scoring) -> None:
    """By place, by length, or the wrong way round."""
    with pytest.raises(BackendError, match="is refused: it puts"):
        checked(scoring, name="mine")


def test_scores_that_are_all_but_the_same_are_refused_whatever_their_order() -> None:
    """As those that llama.cpp gave for models whose head it did not know."""
    with pytest.raises(BackendError, match=r"nearly the same score \(0\.5\)"):
        checked(Scoring(lambda _, text: 0.5 + 1e-9 * (text in GOOD)), name="mine")
    with pytest.raises(BackendError, match="nearly the same score"):
        checked(Scoring(lambda _query, _text: 0.0), name="mine")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([math.nan, 1.0], "gave the score nan, which is no number"),
        ([math.inf, 1.0], "gave the score inf"),
        ([1.0], "gave 1 scores for 2 passages; one for each is needed"),
    ],
)
def test_what_is_no_score_is_refused_at_the_start_and_later(given: list[float], says: str) -> None:
    """A reranker may break in the middle of a run."""
    with pytest.raises(BackendError, match=says):
        checked(Scoring(all=lambda _query, _texts: given), name="mine")
    good = Scoring().score
    later = checked(
        Scoring(all=lambda query, texts: given if query == "later" else good(query, texts)), name="mine"
    )
    assert later.score("What is the capital of France?", ["a", PAIRS[0].relevant]) == (0.0, 1.0)
    with pytest.raises(BackendError, match=says):
        later.score("later", ["a", "b"])


def test_words_alone_do_not_pass() -> None:
    """Neither hashed ones nor BM25: what answers shares fewer words with its question than what does not."""
    with pytest.raises(BackendError, match=r"in [0-2] of 10 pairs"):
        checked(MaxSim(embedder=Hashing(dimensions=384)), name="maxsim")

    def by_words(query: str, texts: Sequence[str]) -> list[float]:
        found = {
            passage.text: passage.score
            for passage in Bm25([Document(name=text, text=text) for text in texts]).search(query, k=2)
        }
        return [found.get(text, 0.0) for text in texts]

    with pytest.raises(BackendError, match="is refused"):
        checked(Scoring(all=by_words), name="bm25")


def test_no_text_stands_twice() -> None:
    """A passage that answers one question and not another would tell nothing."""
    texts = [text for pair in PAIRS for text in (pair.query, pair.relevant, pair.irrelevant)]
    assert len(set(texts)) == 3 * len(PAIRS) == 30
