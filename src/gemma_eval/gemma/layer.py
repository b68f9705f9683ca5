"""One layer of the decoder: attention and feed-forward, each between two norms."""

from __future__ import annotations

from functools import partial
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
        self._attention_in = Norm(weights.attention_in_gain, eps=a.norm_eps)
        self._attention_out = Norm(weights.attention_out_gain, eps=a.norm_eps)
        self._feed_forward_in = Norm(weights.feed_forward_in_gain, eps=a.norm_eps)
        self._feed_forward_out = Norm(weights.feed_forward_out_gain, eps=a.norm_eps)
        self._qkv, self._out = product(weights.qkv), product(weights.attention_out)
        self._gate_up, self._down = product(weights.gate_up), product(weights.down)
        # scaling the gain of the query heads scales the queries; a rotation does not change that
        scales = np.ones((a.heads + a.kv_heads, 1), np.float32)
        scales[: a.heads] = a.query_scale
        gain = weights.qk_gain
        self._scaled = partial(np.multiply, scales) if gain is None else Norm(scales * gain, eps=a.norm_eps)

    def __call__(self, hidden: Array, *, turn: Rotation, mix: Mix) -> None:
        """Add to the residual stream [R, D] what this layer has to say."""
        hidden += self._attention(hidden, turn, mix)
        hidden += self._feed_forward(hidden)

    def _attention(self, hidden: Array, turn: Rotation, mix: Mix) -> Array:
        n_turning = self._heads + self._kv_heads
        heads = self._qkv(self._attention_in(hidden)).reshape(
            len(hidden), n_turning + self._kv_heads, self._head_dim
        )
        turning, values = heads[:, :n_turning], heads[:, n_turning:]
        turned = turn(self._scaled(turning))
        mixed = mix(turned[:, : self._heads], turned[:, self._heads :], values)
        return self._attention_out(self._out(mixed))

    def _feed_forward(self, hidden: Array) -> Array:
        both = self._gate_up(self._feed_forward_in(hidden))
        opened = gelu_tanh(both[:, : self._feed_forward_size])
        opened *= both[:, self._feed_forward_size :]
        return self._feed_forward_out(self._down(opened))


class Norm:
    """RMSNorm: x / √(mean(x²) + eps) · gain over the last axis; `gain` is already 1 + w."""

    def __init__(self, gain: Array, *, eps: float) -> None:
        # over n values it is x / √(sum(x²) + n·eps) · √n·gain, which has no mean to take
        size = gain.shape[-1]
        self._gain = gain * np.float32(size**0.5)
        self._eps = np.float32(size * eps)

    def __call__(self, x: Array) -> Array:
        """Return `x` [..., n] normalised."""
        root = np.matmul(x[..., None, :], x[..., None])[..., 0]
        root += self._eps
        np.sqrt(root, out=root)
        normed: Array = x / root
        normed *= self._gain
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
