"""The decoder itself: from token ids to logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.attention import attend, mask
from gemma_eval.gemma.branches import Branches
from gemma_eval.gemma.kv_cache import KVCache, LayerCache
from gemma_eval.gemma.layer import Layer, Norm
from gemma_eval.gemma.products import Product, forget_trials, product
from gemma_eval.gemma.rope import rotation
from gemma_eval.gemma.tails import Tails
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.weights import Weights


@dataclass(kw_only=True, eq=False)
class Transformer:
    """A Gemma with its weights. It keeps no state: what was read is in the cache that it is given."""

    architecture: Architecture
    weights: Weights
    _layers: tuple[Layer, ...] = field(init=False, repr=False)
    _final_norm: Norm = field(init=False, repr=False)
    _head: Product = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare what depends on the weights and the BLAS threads alone."""
        forget_trials()
        self._layers = tuple(Layer(self.architecture, layer) for layer in self.weights.layers)
        self._final_norm = Norm(self.weights.final_gain, eps=self.architecture.norm_eps)
        self._head = product(self.weights.embedding)

    def read(self, ids: Sequence[int], cache: KVCache) -> Array:
        """Read L more tokens of a text into `cache`; return their normalised hidden states [L, D].

        Raises ContextOverflow when the cache has no room for them.
        """
        a = self.architecture
        start, length = cache.claim(len(ids)), len(ids)
        end = start + length
        in_ring = min(start, a.window - 1) + length
        masks = {"global": mask(length, end, window=None), "local": mask(length, in_ring, window=a.window)}
        turns = {
            kind: rotation(rope, head_dim=a.head_dim, tokens=cache.capacity)[start:end]
            for kind, rope in a.rope.items()
        }
        hidden = self._embedded(ids)
        for kind, layer, layer_cache in zip(a.layers, self._layers, cache.layers, strict=True):
            within = _Within(cache=layer_cache, start=start, mask=masks[kind], softcap=a.attention_softcap)
            layer(hidden, turn=turns[kind], mix=within.mix)
        return self._final_norm(hidden)

    def read_branches(self, texts: Sequence[Sequence[int]], cache: KVCache) -> Array:
        """Read texts that go on from what `cache` holds, each as if it were alone, and leave the cache alone.

        Returns the normalised hidden states [R, D] of their R tokens, one text after the other.
        """
        branches = Branches(self.architecture, cache, lengths=[len(text) for text in texts])
        hidden = self._embedded([token for text in texts for token in text])
        for kind, layer, branched in zip(
            self.architecture.layers, self._layers, branches.layers, strict=True
        ):
            layer(hidden, turn=branches.turns[kind], mix=branched.mix)
        return self._final_norm(hidden)

    def step(self, tokens: Sequence[int], tails: Tails) -> Array:
        """Read one more token of each of B answers; return their normalised hidden states [B, D].

        A row is the same, bit for bit, whichever other answers there are. Raises ContextOverflow.
        """
        a = self.architecture
        turns = tails.advance()
        hidden = self._embedded(tokens)
        for kind, layer, tail in zip(a.layers, self._layers, tails.layers, strict=True):
            layer(hidden, turn=turns[kind], mix=tail.mix)
        return self._final_norm(hidden)

    def logits(self, hidden: Array) -> Array:
        """Return the logits [R, V] of hidden states [R, D]."""
        logits = self._head(hidden)
        cap = self.architecture.final_softcap
        return logits if cap is None else np.float32(cap) * np.tanh(logits * np.float32(1 / cap))

    def _embedded(self, ids: Sequence[int]) -> Array:
        embedded: Array = self.weights.embedding[np.asarray(ids)] * self.weights.embedding_scale
        return embedded


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Within:
    """Attention of some tokens of a text within the text, for one layer."""

    cache: LayerCache
    start: int
    mask: Array | None
    softcap: float | None

    def mix(self, queries: Array, keys: Array, values: Array) -> Array:
        """Remember the keys and values; attend to all that may be seen."""
        seen_keys, seen_values = self.cache.extend(
            keys.transpose(1, 0, 2), values.transpose(1, 0, 2), start=self.start
        )
        return attend(queries, seen_keys, seen_values, mask=self.mask, softcap=self.softcap)
