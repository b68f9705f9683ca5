"""Grouped-query attention: which keys a token sees, and the mix of their values."""

from __future__ import annotations

import numpy as np

from gemma_eval.gemma.tensors import Array


def mask(queries: int, keys: int, *, window: int | None) -> Array | None:
    """Return what is added to the scores [L, T] of the last `queries` of `keys` positions: 0 or -inf.

    A key is seen when it is not later than the query and, with a `window` W, among the last W positions
    *including the query's own*. `None` when every key is seen: one query over keys within its window.
    """
    if queries == 1 and (window is None or keys <= window):
        return None
    distance = np.arange(keys - queries, keys)[:, None] - np.arange(keys)
    seen = (distance >= 0) & (distance < (keys if window is None else window))
    return np.where(seen, np.float32(0), np.float32(-np.inf))


def attend(
    queries: Array, keys: Array, values: Array, *, mask: Array | None, softcap: float | None = None
) -> Array:
    """Return the mixed values [L, N·H] of scaled, turned `queries` [L, N, H] over `keys`, `values` [K, T, H].

    Query head n uses key/value head n // G. A softcap c bounds the scores before the mask: c·tanh(s/c).
    """
    length, heads, head_dim = queries.shape
    kv_heads, n_keys, _ = keys.shape
    groups = heads // kv_heads
    grouped = queries.reshape(length, kv_heads, groups, head_dim).transpose(1, 2, 0, 3)
    scores = np.matmul(grouped.reshape(kv_heads, groups * length, head_dim), keys.transpose(0, 2, 1))
    if softcap is not None:
        scores = capped(scores, softcap)
    if mask is not None:
        per_query = scores.reshape(kv_heads * groups, length, n_keys)
        per_query += mask
    mixed = np.matmul(softmax(scores), values)
    ungrouped: Array = mixed.reshape(kv_heads, groups, length, head_dim).transpose(2, 0, 1, 3)
    return np.reshape(ungrouped, (length, heads * head_dim))


def sliding_window_attention(
    queries: Array, keys: Array, values: Array, *, window: int, softcap: float | None = None
) -> Array:
    """Return the mixed values [L, N·H] when a query sees the last `window` keys, its own position's included.

    `queries` [L, N, H], scaled and turned, are those of the last L of the T positions; `keys`, `values` are
    [K, T, H].
    """
    seen = mask(len(queries), keys.shape[1], window=window)
    return attend(queries, keys, values, mask=seen, softcap=softcap)


def attend_each(
    queries: Array, shared: tuple[Array, Array], own: tuple[Array, Array], *, softcap: float | None = None
) -> Array:
    """Return the mixed values [B, N·H] of one query [N, H] of each of B answers.

    All see the `shared` keys and values [K, P, H], and each its `own` [B, K, T, H]. Every answer is a product
    of its own, so it comes out the same in any company.
    """
    keys, values = shared
    own_keys, own_values = own
    answers, heads, head_dim = queries.shape
    kv_heads, n_shared, _ = keys.shape
    grouped = queries.reshape(answers, kv_heads, heads // kv_heads, head_dim)
    scores = np.empty((*grouped.shape[:3], n_shared + own_keys.shape[2]), np.float32)
    np.matmul(grouped, keys.transpose(0, 2, 1), out=scores[..., :n_shared])
    np.matmul(grouped, own_keys.transpose(0, 1, 3, 2), out=scores[..., n_shared:])
    shares = softmax(scores if softcap is None else capped(scores, softcap))
    mixed: Array = np.matmul(shares[..., :n_shared], values)
    mixed += np.matmul(shares[..., n_shared:], own_values)
    return mixed.reshape(answers, heads * head_dim)


def softmax(scores: Array) -> Array:
    """Turn `scores` into probabilities over the last axis, in place."""
    scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= np.add.reduce(scores, axis=-1, keepdims=True)
    return scores


def capped(scores: Array, softcap: float) -> Array:
    """Return scores within ± `softcap`."""
    bounded: Array = np.float32(softcap) * np.tanh(scores * np.float32(1 / softcap))
    return bounded
