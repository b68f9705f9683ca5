"""One layer of the decoder: attention and feed-forward, each between two norms."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.products import product
from gemma_eval.gemma.rope import Rotation
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.weights import LayerWeights


class Mix(Protocol):
    """Attention with a memory."""

    def __call__(self, queries: Array, keys: Array, values: Array) -> Array:
        """Remember keys and values [R, K, H]; return [R, N·H] of what the queries [R, N, H] see."""


class Layer:
    """A layer with its weights; rows are positions of one text, or answers at one position."""

    def __init__(self, architecture: Architecture, weights: LayerWeights) -> None:
        a = architecture
        self._heads, self._kv_heads, self._head_dim = a.heads, a.kv_heads, a.head_dim
        self._feed_forward_size = a.feed_forward_size
        self._eps = a.norm_eps
        self._weights = weights
        self._qkv, self._attention_out = product(weights.qkv), product(weights.attention_out)
        self._gate_up, self._down = product(weights.gate_up), product(weights.down)
        # scaling the gain of the query heads scales the queries; a rotation does not change that
        scales = np.ones((a.heads + a.kv_heads, 1), np.float32)
        scales[: a.heads] = a.query_scale
        self._qk_normed = weights.qk_gain is not None
        self._qk_gain = scales if weights.qk_gain is None else scales * weights.qk_gain

    def __call__(self, hidden: Array, *, turn: Rotation, mix: Mix) -> None:
        """Add to the residual stream [R, D] what this layer has to say."""
        hidden += self._attention(hidden, turn, mix)
        hidden += self._feed_forward(hidden)

    def _attention(self, hidden: Array, turn: Rotation, mix: Mix) -> Array:
        normed = rms_norm(hidden, self._weights.attention_in_gain, eps=self._eps)
        n_turning = self._heads + self._kv_heads
        heads = self._qkv(normed).reshape(len(hidden), n_turning + self._kv_heads, self._head_dim)
        turning, values = heads[:, :n_turning], heads[:, n_turning:]
        scaled = (
            rms_norm(turning, self._qk_gain, eps=self._eps) if self._qk_normed else turning * self._qk_gain
        )
        turned = turn(scaled)
        mixed = mix(turned[:, : self._heads], turned[:, self._heads :], values)
        return rms_norm(self._attention_out(mixed), self._weights.attention_out_gain, eps=self._eps)

    def _feed_forward(self, hidden: Array) -> Array:
        normed = rms_norm(hidden, self._weights.feed_forward_in_gain, eps=self._eps)
        both = self._gate_up(normed)
        opened = gelu_tanh(both[:, : self._feed_forward_size])
        opened *= both[:, self._feed_forward_size :]
        return rms_norm(self._down(opened), self._weights.feed_forward_out_gain, eps=self._eps)


def rms_norm(x: Array, gain: Array, *, eps: float) -> Array:
    """Return x / √(mean(x²) + eps) · gain over the last axis; `gain` is already 1 + w."""
    root = np.matmul(x[..., None, :], x[..., None])[..., 0]
    root *= np.float32(1 / x.shape[-1])
    root += np.float32(eps)
    np.sqrt(root, out=root)
    normed: Array = x / root
    normed *= gain
    return normed


def gelu_tanh(x: Array) -> Array:
    """Return the tanh form of GELU: x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))). Source: arXiv 1606.08415."""
    inner = x * x
    inner *= _CUBIC
    inner += _LINEAR
    inner *= x
    np.tanh(inner, out=inner)
    inner += _ONE
    inner *= x
    inner *= _HALF
    return inner


_LINEAR = np.float32(0.7978845608028654)
_CUBIC = np.float32(0.044715 * 0.7978845608028654)
_ONE, _HALF = np.float32(1), np.float32(0.5)
