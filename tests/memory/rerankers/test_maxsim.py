"""Late interaction, held against a slow restatement, and what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.hashing import Hashing
from gemma_eval.errors import UsageError
from gemma_eval.memory.rerankers.maxsim import MaxSim, load
from gemma_eval.protocols import RerankerParts

WORDS = st.text("abc ", max_size=20)


@dataclass
class Words:
    """Gives each word a vector [3]; notes what it is asked for."""

    id: str = "words"
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Nobody asks for it."""
        raise AssertionError

    def embed_tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """Return the vectors of words, each by its own letters alone."""
        self.asked.append(tuple(texts))
        return tuple(
            np.array([vector(word) for word in text.split()], np.float32).reshape(-1, 3) for text in texts
        )


def vector(word: str) -> np.ndarray:
    """Return some vector of length 1."""
    made = np.random.default_rng(crc32(word.encode())).normal(size=3)
    return np.asarray(made / np.linalg.norm(made))


def by_loops(query: str, text: str) -> float:
    """Restate it: the nearest word of the text to each of the query, one cosine at a time."""
    best = []
    for word in query.split():
        cosines = [
            sum(a * b for a, b in zip(vector(word), vector(other), strict=True)) for other in text.split()
        ]
        best.append(max(cosines, default=-1.0))
    return float(sum(best) / len(best)) if best else -1.0


@settings(max_examples=30)
@given(query=WORDS, texts=st.lists(WORDS, max_size=4))
def test_a_score_is_that_of_the_slow_restatement(query: str, texts: list[str]) -> None:
    """Of no words, too, on either side."""
    scores = MaxSim(embedder=Words()).score(query, texts)
    assert scores == pytest.approx([by_loops(query, text) for text in texts], abs=1e-6)


def test_a_mean_in_the_place_of_the_maximum_would_be_seen() -> None:
    """The restatement can fail."""
    query, text = "a b c", "a c cc"
    mean = np.mean([[vector(one) @ vector(other) for other in text.split()] for one in query.split()])
    assert by_loops(query, text) != pytest.approx(mean, abs=1e-2)
    turned = MaxSim(embedder=Words()).score(text, [query])[0]
    assert by_loops(query, text) != pytest.approx(turned, abs=1e-3), "query and text are not the same to it"


def test_passages_are_embedded_once_and_together() -> None:
    """A text that comes twice, too; the query is embedded each time."""
    words = Words()
    made = MaxSim(embedder=words)
    first = made.score("a", ["a b", "b c", "a b"])
    assert made.score("a", ["b c", "c"]) == (first[1], *made.score("a", ["c"]))
    assert words.asked == [("a",), ("a b", "b c"), ("a",), ("c",), ("a",)]


def test_what_is_kept_has_a_bound() -> None:
    """The passage that was asked for longest ago goes first; one larger than all room is scored as well."""
    words = Words()
    made = MaxSim(embedder=words, kept_bytes=2 * 12)
    made.score("q", ["a", "b"])
    made.score("q", ["a", "c"])
    words.asked.clear()
    made.score("q", ["a"])
    made.score("q", ["b"])
    assert words.asked == [("q",), ("q",), ("b",)]
    assert made.score("a", ["a b c", "a"])[1] == pytest.approx(1)


def test_an_embedder_without_vectors_of_tokens_is_named() -> None:
    """And none at all is asked for."""

    class OfTexts:
        id = "served/tiny/F32/4"

        def embed(self, texts: Sequence[str]) -> np.ndarray:
            """Nobody asks for it."""
            raise AssertionError

    with pytest.raises(UsageError, match="the embedder served/tiny/F32/4 has none"):
        load(RerankerParts(embedder=OfTexts()))
    with pytest.raises(UsageError, match='needs an embedder: embedder = "minilm"'):
        load(RerankerParts())
    assert load(RerankerParts(embedder=Hashing(dimensions=64))).score("a word", ["a word"]) == pytest.approx(
        (1,)
    )
