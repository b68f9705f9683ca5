"""Vectors without a model: words and letters of a text, hashed. They try pipelines out; no result is theirs.

    [model.hashing]
    backend = "hashing"
    location = "-"

A text is near another that shares words or parts of words with it, whatever either means. Its id begins as
`protocols.is_plumbing` knows it, so that every report can say what the vectors were. The option `dimensions`
is their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from gemma_eval.backends.options import checked
from gemma_eval.gemma.tensors import Array
from gemma_eval.protocols import PLUMBING
from gemma_eval.records import ModelSpec, Option

_VERSION = 1
"""Goes up whenever a text gets another vector."""
_LETTERS = 3
_WORD_WEIGHT = 2.0
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The options by their names."""

    dimensions: int = 384


@dataclass(frozen=True, kw_only=True, slots=True)
class Hashing:
    """Counts words and runs of letters in `dimensions` places that their hashes choose."""

    dimensions: int

    @property
    def id(self) -> str:
        """Says that no model made the vectors."""
        return f"{PLUMBING}{_VERSION}/{self.dimensions}"

    def embed(self, texts: Sequence[str]) -> Array:
        """Return one vector of length 1 for each text, [N, D] float32."""
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> tuple[Array, ...]:
        """Return for each text the vectors of its T words, each of length 1, [T, D] float32."""
        return tuple(
            np.array([self._vector(word) for word in _words(text)], np.float32).reshape(-1, self.dimensions)
            for text in texts
        )

    def _vector(self, text: str) -> Array:
        counted = np.zeros(self.dimensions, np.float32)
        for feature, weight in _features(text):
            hashed = crc32(feature.encode(errors="replace"))
            counted[(hashed >> 1) % self.dimensions] += weight if hashed & 1 else -weight
        damped = np.sign(counted) * np.sqrt(np.abs(counted))
        if not damped.any():  # no word, or such that cancel each other out: some direction, always the same
            damped[0] = 1
        return np.asarray(damped / np.linalg.norm(damped), np.float32)


def load(spec: ModelSpec) -> Hashing:
    """Build the embedder; nothing is read. Raises UnknownName, WrongSetting."""
    return Hashing(dimensions=checked(spec, Settings(), needed=_needed).dimensions)


def _needed(option: str, value: Option) -> str | None:
    is_length = isinstance(value, int) and not isinstance(value, bool) and 8 <= value <= 65_536
    return None if is_length else "a whole number from 8 to 65536"


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Yield what is counted of a text, with its weight: each word, and each run of letters in it."""
    for word in _words(text):
        yield f"word {word}", _WORD_WEIGHT
        framed = f"<{word}>"
        for at in range(len(framed) - _LETTERS + 1):
            yield framed[at : at + _LETTERS], 1.0


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.casefold())
