"""The vectors of a corpus, kept in a file: a text gets the same one every time, and making it takes long."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemma_eval.files.writing import WriteError, replacing
from gemma_eval.protocols import Embedder, is_plumbing

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

FEWEST_TEXTS = 64
"""Fewer are embedded anew: that takes less than a second, and leaves nothing behind in the user's cache."""


class KeptVectors:
    """An embedder that keeps what it made of many texts in a folder, by its own id and those texts.

    A file that is damaged, of another shape or that cannot be read or written is as if it were not there.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        """Keep the vectors of `embedder` in `folder`, which is made when it is needed."""
        self._embedder = embedder
        self._folder = folder

    @property
    def id(self) -> str:
        """The id of the embedder: its vectors are what is kept."""
        return self._embedder.id

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return one vector of length 1 for each text, [N, D] float32. Raises BackendError."""
        if len(texts) < FEWEST_TEXTS or is_plumbing(self.id):
            return self._embedder.embed(texts)
        path = self._folder / f"{self._digest(texts)}.npy"
        kept = _read(path, len(texts))
        if kept is not None:
            return kept
        made = self._embedder.embed(texts)
        with suppress(OSError, WriteError):
            _write(path, made)
        return made

    def _digest(self, texts: Sequence[str]) -> str:
        whole = hashlib.sha256(self.id.encode())
        for text in texts:
            data = text.encode(errors="surrogatepass")
            whole.update(f"\0{len(data)}\0".encode() + data)
        return whole.hexdigest()


def _read(path: Path, n_texts: int) -> Embeddings | None:
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if kept.dtype != np.float32 or kept.ndim != 2 or len(kept) != n_texts:
        return None
    lengths = np.linalg.norm(kept, axis=1)
    return np.asarray(kept, np.float32) if np.all(np.abs(lengths - 1) < 1e-3) else None


def _write(path: Path, vectors: Embeddings) -> None:
    """Write the file whole or not at all, also where another process writes the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=False) as file:
        np.save(file, vectors, allow_pickle=False)
