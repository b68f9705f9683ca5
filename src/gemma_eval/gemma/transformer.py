"""The decoder itself: from token ids to logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemma_eval.gemma.architecture import Architecture, LayerKind
from gemma_eval.gemma.attention import attend, mask
from gemma_eval.gemma.kv_cache import KVCache, LayerCache
from gemma_eval.gemma.rope import Rotation, rotation
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.weights import LayerWeights, Weights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Transformer:
    """A Gemma with its weights. It keeps no state: what was read is in the cache that it is given."""

    architecture: Architecture
    weights: Weights

    def read(self, ids: Sequence[int], cache: KVCache) -> Array:
        """Read L more tokens into `cache`; return their normalised hidden states [L, D].

        Raises ContextOverflow when the cache has no room for them.
        """
        a = self.architecture
        hidden = self.weights.embedding[np.asarray(ids)] * self.weights.embedding_scale
        views = self._views(cache.claim(len(ids)), cache)
        for kind, weights, layer_cache in zip(a.layers, self.weights.layers, cache.layers, strict=True):
            hidden += self._attention(hidden, weights, layer_cache, views[kind])
            hidden += self._feed_forward(hidden, weights)
        return rms_norm(hidden, self.weights.final_gain, eps=a.norm_eps)

    def logits(self, hidden: Array) -> Array:
        """Return the logits [L, V] of hidden states [L, D]."""
        logits: Array = hidden @ self.weights.embedding.T
        cap = self.architecture.final_softcap
        return logits if cap is None else np.float32(cap) * np.tanh(logits * np.float32(1 / cap))

    def _views(self, start: int, cache: KVCache) -> Mapping[LayerKind, _View]:
        """Return how local and global layers see the tokens from `start` to the end of the cache."""
        a = self.architecture
        end, length = cache.length, cache.length - start
        in_ring = min(start, a.window - 1) + length
        masks = {"global": mask(length, end, window=None), "local": mask(length, in_ring, window=a.window)}
        return {
            kind: _View(
                start=start,
                rotation=rotation(rope, head_dim=a.head_dim, tokens=cache.capacity)[start:end],
                mask=masks[kind],
            )
            for kind, rope in a.rope.items()
        }

    def _attention(self, hidden: Array, weights: LayerWeights, cache: LayerCache, view: _View) -> Array:
        """Return what attention adds to the residual stream [L, D]."""
        a = self.architecture
        normed = rms_norm(hidden, weights.attention_in_gain, eps=a.norm_eps)
        heads = (normed @ weights.qkv.T).reshape(len(hidden), a.heads + 2 * a.kv_heads, a.head_dim)
        turning, values = heads[:, : a.heads + a.kv_heads], heads[:, a.heads + a.kv_heads :]
        if weights.qk_gain is not None:
            turning = rms_norm(turning, weights.qk_gain, eps=a.norm_eps)
        turned = view.rotation(turning)
        queries, keys = turned[:, : a.heads], turned[:, a.heads :]
        queries *= np.float32(a.query_scale)
        seen_keys, seen_values = cache.extend(
            keys.transpose(1, 0, 2), values.transpose(1, 0, 2), start=view.start
        )
        mixed = attend(queries, seen_keys, seen_values, mask=view.mask, softcap=a.attention_softcap)
        return rms_norm(mixed @ weights.attention_out.T, weights.attention_out_gain, eps=a.norm_eps)

    def _feed_forward(self, hidden: Array, weights: LayerWeights) -> Array:
        """Return what the gated feed-forward adds to the residual stream [L, D]."""
        a = self.architecture
        normed = rms_norm(hidden, weights.feed_forward_in_gain, eps=a.norm_eps)
        both = normed @ weights.gate_up.T
        gate, up = both[:, : a.feed_forward_size], both[:, a.feed_forward_size :]
        narrowed = (gelu_tanh(gate) * up) @ weights.down.T
        return rms_norm(narrowed, weights.feed_forward_out_gain, eps=a.norm_eps)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _View:
    """What layers of one kind share while L tokens are read: where they start, turn, and look."""

    start: int
    rotation: Rotation
    mask: Array | None


def rms_norm(x: Array, gain: Array, *, eps: float) -> Array:
    """Return x / √(mean(x²) + eps) · gain over the last axis; `gain` is already 1 + w."""
    mean_square = np.add.reduce(x * x, axis=-1, keepdims=True) * np.float32(1 / x.shape[-1])
    normed: Array = x * (np.float32(1) / np.sqrt(mean_square + np.float32(eps)))
    normed *= gain
    return normed


def gelu_tanh(x: Array) -> Array:
    """Return the tanh form of GELU: x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))). Source: arXiv 1606.08415."""
    inner = x * x
    inner *= np.float32(0.044715 * _SQRT_2_OVER_PI)
    inner += np.float32(_SQRT_2_OVER_PI)
    inner *= x
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    inner *= x
    inner *= np.float32(0.5)
    return inner


_SQRT_2_OVER_PI = 0.7978845608028654
