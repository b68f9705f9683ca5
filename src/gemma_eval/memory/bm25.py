"""Rank passages by the words they share with a query: Okapi BM25."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from gemma_eval.memory.passages import split
from gemma_eval.records import Document, Passage

K1 = 1.2
B = 0.75

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, digits and `_` of any script."""
    return _WORD.findall(text.casefold())


class Bm25:
    """The passages of some documents, indexed by word.

    score(q, d) = Σ over the words t of q:  idf(t) · tf / (tf + k1 · (1 - b + b · |d| / avgdl)),
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5)), with k1 = 1.2 and b = 0.75.

    Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", in the
    form of apache/lucene:BM25Similarity since Lucene 8: idf never negative, no constant factor (k1 + 1).
    """

    def __init__(self, documents: Sequence[Document], *, k1: float = K1, b: float = B) -> None:
        """Split and index `documents`."""
        self._pieces = tuple(piece for document in documents for piece in split(document))
        counts = [Counter(words(piece.text)) for piece in self._pieces]
        lengths = [count.total() for count in counts]
        mean_length = sum(lengths) / len(lengths) if any(lengths) else 1.0
        self._weights: dict[str, dict[int, float]] = defaultdict(dict)
        for index, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            saturation = k1 * (1 - b + b * length / mean_length)
            for word, n in count.items():
                self._weights[word][index] = n / (n + saturation)

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return the best `k` passages that share a word with `query`; equals stay in document order."""
        scores: dict[int, float] = defaultdict(float)
        for word in words(query):
            weights = self._weights.get(word, {})
            idf = _idf(len(weights), n_passages=len(self._pieces))
            for index, weight in weights.items():
                scores[index] += idf * weight
        best = sorted(scores, key=lambda index: (-scores[index], index))[:k]
        return tuple(self._passage(index, scores[index], rank) for rank, index in enumerate(best, start=1))

    def _passage(self, index: int, score: float, rank: int) -> Passage:
        piece = self._pieces[index]
        return Passage(id=piece.id, text=piece.text, document=piece.document, score=score, rank=rank)


def _idf(n_with_word: int, *, n_passages: int) -> float:
    return math.log(1 + (n_passages - n_with_word + 0.5) / (n_with_word + 0.5))
