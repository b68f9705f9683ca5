"""Prefill and decode: one generation's state, fed with ids and answering with logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gemma_eval.gemma import architecture, weights
from gemma_eval.gemma.kv_cache import KVCache
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer

PREFILL_TOKENS = 256
"""How many tokens of a prompt are read at once: enough for a matrix product, and a bound on the scores."""


def load(folder: Path) -> Transformer:
    """Load the model in a Hugging Face folder. Raises ModelNotFound."""
    shape = architecture.load(folder)
    return Transformer(architecture=shape, weights=weights.load(folder, shape))


class Decoding:
    """The state of one generation."""

    def __init__(self, model: Transformer, *, capacity: int) -> None:
        """Make room for `capacity` tokens, prompt and answer together."""
        self._model = model
        self._cache = KVCache(model.architecture, capacity=capacity)

    def prefill(self, ids: Sequence[int]) -> Array:
        """Read a prompt of at least one token; return the logits [V] of what follows it."""
        for part in _parts(ids, PREFILL_TOKENS):
            hidden = self._model.read(part, self._cache)
        return self._model.logits(hidden[-1:]).ravel()

    def step(self, token: int) -> Array:
        """Read one token; return the logits [V] of what follows it."""
        return self._model.logits(self._model.read((token,), self._cache)).ravel()


def all_logits(model: Transformer, ids: Sequence[int], *, at_once: int = PREFILL_TOKENS) -> Array:
    """Return the logits [L, V] after every token of `ids`, read `at_once` tokens at a time."""
    cache = KVCache(model.architecture, capacity=len(ids))
    return np.concatenate([model.logits(model.read(part, cache)) for part in _parts(ids, at_once)])


def _parts(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
