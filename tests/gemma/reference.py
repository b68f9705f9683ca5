"""A Gemma in the plainest NumPy, to compare with: no cache, everything at once, the GELU an argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gemma_eval.gemma.architecture import Architecture, LayerKind
from gemma_eval.gemma.rope_scaling import turning
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.weights import LayerWeights, Weights

Gelu = Callable[[Array], Array]


def log_probabilities(shape: Architecture, weights: Weights, ids: Sequence[int], *, gelu: Gelu) -> Array:
    """Return the log-probabilities [L, V] of what follows each token."""
    hidden = weights.embedding[np.asarray(ids)] * weights.embedding_scale
    for kind, layer in zip(shape.layers, weights.layers, strict=True):
        mixed = _attention(_norm(hidden, layer.attention_in_gain, shape), layer, kind, shape)
        hidden = hidden + _norm(mixed @ layer.attention_out.T, layer.attention_out_gain, shape)
        both = _norm(hidden, layer.feed_forward_in_gain, shape) @ layer.gate_up.T
        gate, up = np.split(both, 2, axis=-1)
        hidden = hidden + _norm((gelu(gate) * up) @ layer.down.T, layer.feed_forward_out_gain, shape)
    logits = _capped(_norm(hidden, weights.final_gain, shape) @ weights.embedding.T, shape.final_softcap)
    shifted = (logits - logits.max(axis=-1, keepdims=True)).astype(np.float64)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)


def plain_gelu(x: Array) -> Array:
    """Return the tanh form of GELU."""
    return np.asarray(0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))), dtype=np.float32)


def tabled_gelu(x: Array) -> Array:
    """Return GELU as llama.cpp looks it up: of the nearest half, as a half, and nothing of it beyond ±10.

    Source: ggml-org/llama.cpp:ggml/src/ggml-cpu/vec.h.
    """
    found = plain_gelu(x.astype(np.float16).astype(np.float32)).astype(np.float16).astype(np.float32)
    bounded: Array = np.where(x <= -10, np.float32(0), np.where(x >= 10, x, found))
    return bounded


def _attention(x: Array, layer: LayerWeights, kind: LayerKind, shape: Architecture) -> Array:
    length, a = len(x), shape
    heads = (x @ layer.qkv.T).reshape(length, a.heads + 2 * a.kv_heads, a.head_dim)
    turning_heads, values = heads[:, : a.heads + a.kv_heads], heads[:, a.heads + a.kv_heads :]
    if layer.qk_gain is not None:
        turning_heads = _norm(turning_heads, layer.qk_gain, a)
    turned = _turned(turning_heads, kind, a)
    queries, keys = turned[:, : a.heads], turned[:, a.heads :]
    shared = np.repeat(np.arange(a.kv_heads), a.heads // a.kv_heads)
    scores = np.einsum("inh,jnh->nij", queries * np.float32(a.query_scale), keys[:, shared])
    distance = np.arange(length)[:, None] - np.arange(length)
    seen = (distance >= 0) & (distance < (a.window if kind == "local" else length))
    scores = np.where(seen, _capped(scores, a.attention_softcap), -np.inf)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = np.einsum("nij,jnh->inh", shares, values[:, shared])
    return np.asarray(mixed, dtype=np.float32).reshape(length, -1)


def _turned(x: Array, kind: LayerKind, shape: Architecture) -> Array:
    """Turn pairs as complex numbers."""
    turns = turning(shape.rope[kind], head_dim=shape.head_dim, tokens=len(x))
    angles = np.arange(len(x), dtype=np.float32)[:, None, None] * turns.frequencies
    first, second = np.split(x, 2, axis=-1)
    turned = (first + 1j * second) * (turns.gain * np.exp(1j * angles))
    return np.asarray(np.concatenate([turned.real, turned.imag], axis=-1), dtype=np.float32)


def _norm(x: Array, gain: Array, shape: Architecture) -> Array:
    normed: Array = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(shape.norm_eps)) * gain
    return normed


def _capped(x: Array, cap: float | None) -> Array:
    return x if cap is None else np.asarray(cap * np.tanh(x / cap), dtype=np.float32)
