"""BM25 over passages that come and go, in memory: rows of postings that are summed by NumPy."""

from __future__ import annotations

import math
from array import array
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from gemma_eval.memory.bm25 import K1, B, words

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Words:
    """The words of passages by row; a row is given once and never to another passage.

    The scores are those of `memory.bm25`, where every row that is gone counts no more.
    """

    def __init__(self) -> None:
        """Hold no passage."""
        self._postings: dict[str, tuple[array[int], array[int]]] = {}
        self._lengths = array("i")
        self._live = bytearray()
        self._n = 0
        self._total = 0

    def append(self, text: str) -> int:
        """Index a text and return its row."""
        row = len(self._lengths)
        counts = Counter(words(text))
        for word, count in counts.items():
            if word not in self._postings:
                self._postings[word] = (array("i"), array("i"))
            rows, times = self._postings[word]
            rows.append(row)
            times.append(count)
        self._lengths.append(counts.total())
        self._live.append(1)
        self._n += 1
        self._total += counts.total()
        return row

    def drop(self, row: int) -> None:
        """Count a row no more."""
        self._live[row] = 0
        self._n -= 1
        self._total -= self._lengths[row]

    def scores(self, query: str) -> Floats:
        """Return the BM25 of every row [N], 0 where it has no word of `query`."""
        scores = np.zeros(len(self._lengths))
        if not self._n:
            return scores
        live = np.frombuffer(self._live, np.bool_)
        mean = self._total / self._n if self._total else 1.0
        saturation = K1 * (1 - B + B * np.frombuffer(self._lengths, np.intc) / mean)
        for word, times_asked in Counter(words(query)).items():
            if word not in self._postings:
                continue
            rows, times = (np.frombuffer(column, np.intc) for column in self._postings[word])
            df = int(np.count_nonzero(live[rows]))
            idf = math.log(1 + (self._n - df + 0.5) / (df + 0.5))
            scores[rows] += times_asked * idf * times / (times + saturation[rows])
        return np.where(live, scores, 0.0)
