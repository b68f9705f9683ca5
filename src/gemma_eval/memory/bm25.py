"""Rank passages by the words they share with a query: Okapi BM25."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.passages import split
from gemma_eval.records import Document, Passage

K1 = 1.2
B = 0.75

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, digits and `_` of any script."""
    return _WORD.findall(text.casefold())


class WordIndex:
    """Texts by their words, each known by its place.

    score(q, d) = Σ over the words t of q:  idf(t) · tf / (tf + k1 · (1 - b + b · |d| / avgdl)),
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5)), with k1 = 1.2 and b = 0.75.

    Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", in the
    form of apache/lucene:BM25Similarity since Lucene 8: idf never negative, no constant factor (k1 + 1).
    """

    def __init__(self, texts: Sequence[str], *, k1: float = K1, b: float = B) -> None:
        """Count the words of `texts`."""
        counts = [Counter(words(text)) for text in texts]
        lengths = [count.total() for count in counts]
        mean_length = sum(lengths) / len(lengths) if any(lengths) else 1.0
        self._n = len(counts)
        self._weights: dict[str, tuple[array[int], array[float]]] = defaultdict(
            lambda: (array("i"), array("d"))
        )
        for place, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            saturation = k1 * (1 - b + b * length / mean_length)
            for word, n in count.items():
                places, weights = self._weights[word]
                places.append(place)
                weights.append(n / (n + saturation))

    def search(
        self, query: str, *, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        """Return the places and scores of the best `k` texts that share a word with `query`.

        Equals stay in the order of the texts. `allowed` [N] says which may be found.
        """
        scores, shares = np.zeros(self._n), np.zeros(self._n, np.bool_)
        for word in words(query):
            if word in self._weights:
                places, weights = (np.asarray(part) for part in self._weights[word])
                scores[places] += _idf(len(places), n_texts=self._n) * weights
                shares[places] = True
        if allowed is not None:
            shares &= allowed
        found = np.flatnonzero(shares)
        if 0 < k < len(found):  # only those that may be among the best are sorted
            found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
        best = found[np.argsort(-scores[found], kind="stable")[: max(k, 0)]]
        return [(int(place), float(scores[place])) for place in best]


class Bm25:
    """The passages of some documents, indexed by word."""

    def __init__(self, documents: Sequence[Document], *, k1: float = K1, b: float = B) -> None:
        """Split and index `documents`."""
        self._pieces = tuple(piece for document in documents for piece in split(document))
        self._index = WordIndex([piece.text for piece in self._pieces], k1=k1, b=b)

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return the best `k` passages that share a word with `query`; equals stay in document order."""
        found = self._index.search(query, k=k)
        return tuple(self._passage(place, score, rank) for rank, (place, score) in enumerate(found, start=1))

    def _passage(self, place: int, score: float, rank: int) -> Passage:
        piece = self._pieces[place]
        return Passage(id=piece.id, text=piece.text, document=piece.document, score=score, rank=rank)


def _idf(n_with_word: int, *, n_texts: int) -> float:
    return math.log(1 + (n_texts - n_with_word + 0.5) / (n_with_word + 0.5))
