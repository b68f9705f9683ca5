"""Prefill and decode: the state of one prompt and its answers, fed with ids and answering with logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gemma_eval.gemma import architecture, weights
from gemma_eval.gemma.kv_cache import KVCache
from gemma_eval.gemma.tails import Tails
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer

PREFILL_TOKENS = 256
"""How many tokens of a prompt are read at once: enough for a matrix product, and a bound on the scores."""


def load(folder: Path) -> Transformer:
    """Load the model in a Hugging Face folder. Raises ModelNotFound."""
    shape = architecture.load(folder)
    return Transformer(architecture=shape, weights=weights.load(folder, shape))


class Decoding:
    """The state of one prompt and of the answers to it, which go on in step."""

    def __init__(self, model: Transformer, *, capacity: int, answers: int = 1) -> None:
        """Make room for `capacity` tokens, prompt and longest answer together."""
        self._model = model
        self._answers = answers
        self._cache = KVCache(model.architecture, capacity=capacity)

    def prefill(self, ids: Sequence[int]) -> Array:
        """Read a prompt of at least one token, once; return the logits [V] of what follows it."""
        for part in parts(ids, PREFILL_TOKENS):
            hidden = self._model.read(part, self._cache)
        self._tails = Tails(self._model.architecture, self._cache, answers=self._answers)
        return self._model.logits(hidden[-1:]).ravel()

    def step(self, tokens: Sequence[int]) -> Array:
        """Read one token of each answer; return the logits [B, V] of what follows them."""
        return self._model.logits(self._model.step(tokens, self._tails))

    def drop(self, row: int) -> None:
        """Leave out an answer that has ended; the last one takes its place."""
        self._tails.drop(row)


def all_logits(model: Transformer, ids: Sequence[int], *, at_once: int = PREFILL_TOKENS) -> Array:
    """Return the logits [L, V] after every token of `ids`, read `at_once` tokens at a time."""
    cache = KVCache(model.architecture, capacity=len(ids))
    return np.concatenate([model.logits(model.read(part, cache)) for part in parts(ids, at_once)])


def parts(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Yield the ids in parts of `size`, the last one shorter."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
