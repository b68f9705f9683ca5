"""An embedder whose vectors are how often each letter stands in a text, and a clock that counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from gemma_eval.records import Document, Piece


class Letters:
    """Makes vectors of letters; `texts` are those that it was given."""

    id = "letters"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, [N, 26]."""
        self.texts.extend(texts)
        rows = [[text.casefold().count(letter) for letter in ascii_lowercase] for text in texts]
        counts = np.array(rows, np.float64).reshape(-1, 26)
        lengths = np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)
        return np.asarray(counts / lengths, np.float32)


def ticking() -> Callable[[], int]:
    """Return a clock that says 0, 1, 2, …."""
    ticks = count()
    return lambda: next(ticks)


def pieces(*texts: str) -> tuple[Piece, ...]:
    """Return one piece per text, with the ids p0, p1, …, each of a document of its own."""
    return tuple(Piece(id=f"p{at}", text=text, document=f"d{at}") for at, text in enumerate(texts))


def documents(*texts: str) -> tuple[Document, ...]:
    """Return one document per text."""
    return tuple(Document(name=f"d{at}", text=text) for at, text in enumerate(texts))
