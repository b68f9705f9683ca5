"""Attention within a window, against a loop over keys and against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.gemma.attention import attend, mask, sliding_window_attention
from gemma_eval.gemma.tensors import Array
from tests import required

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 8


def drawn(*shape: int, seed: int) -> Array:
    """Return random vectors."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def sample(length: int, past: int, *, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return queries [L, N, H] and keys and values [K, past + L, H]."""
    keys, values = (drawn(KV_HEADS, past + length, HEAD_DIM, seed=seed + n) for n in (1, 2))
    return drawn(length, HEADS, HEAD_DIM, seed=seed), keys, values


def one_by_one(queries: Array, keys: Array, values: Array, *, window: int) -> Array:
    """Mix values by the definition: the keys at distance 0 … window - 1 before each query, in float64."""
    length, total = len(queries), keys.shape[1]
    mixed = np.zeros((length, HEADS, HEAD_DIM))
    for i in range(length):
        here = total - length + i
        for n in range(HEADS):
            shared = n // (HEADS // KV_HEADS)
            seen = range(max(0, here - window + 1), here + 1)
            weights = [math.exp(float(queries[i, n] @ keys[shared, j])) for j in seen]
            for j, weight in zip(seen, weights, strict=True):
                mixed[i, n] += weight / sum(weights) * values[shared, j]
    return mixed.reshape(length, -1).astype(np.float32)


@given(length=st.integers(1, 12), past=st.integers(0, 12), window=st.integers(1, 30), seed=st.integers(0, 99))
def test_each_query_sees_its_window_and_nothing_else(length: int, past: int, window: int, seed: int) -> None:
    """A loop over single keys gives the same."""
    found = sliding_window_attention(*sample(length, past, seed=seed), window=window)
    expected = one_by_one(*sample(length, past, seed=seed), window=window)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("window", [3, 5])
def test_the_loop_would_show_a_window_off_by_one(window: int) -> None:
    """A window of 4 counts the token itself and the 3 before it."""
    found = sliding_window_attention(*sample(9, 0), window=4)
    np.testing.assert_allclose(found, one_by_one(*sample(9, 0), window=4), atol=2e-5)
    assert np.abs(found - one_by_one(*sample(9, 0), window=window)).max() > 1e-2


@pytest.mark.parametrize("window", [1, 2, 7, 16, 64])
@pytest.mark.parametrize("past", [0, 9])
def test_a_window_is_what_pytorch_computes_with_its_mask(window: int, past: int) -> None:
    """Its scaled_dot_product_attention over the same keys, heads repeated for the groups."""
    torch = required.module("torch", extra="train")
    queries, keys, values = sample(16, past)
    here = torch.arange(past, past + 16)[:, None] - torch.arange(past + 16)
    seen = (here >= 0) & (here < window)
    expected = torch.nn.functional.scaled_dot_product_attention(
        torch.from_numpy(queries).transpose(0, 1),
        torch.from_numpy(keys).repeat_interleave(HEADS // KV_HEADS, dim=0),
        torch.from_numpy(values).repeat_interleave(HEADS // KV_HEADS, dim=0),
        attn_mask=seen,
        scale=1.0,
    )
    found = sliding_window_attention(queries, keys, values, window=window)
    np.testing.assert_allclose(found, expected.transpose(0, 1).reshape(16, -1).numpy(), atol=2e-6)


def test_a_window_of_one_gives_the_values_themselves() -> None:
    """There is nothing to mix."""
    queries, keys, values = sample(5, 0)
    expected = np.repeat(values, HEADS // KV_HEADS, axis=0).transpose(1, 0, 2).reshape(5, -1)
    np.testing.assert_allclose(sliding_window_attention(queries, keys, values, window=1), expected, rtol=1e-6)


def test_a_window_over_everything_is_causal_attention() -> None:
    """From as many keys as there are on."""
    queries, keys, values = sample(6, 3)
    everything = attend(queries, keys, values, mask=mask(6, 9, window=None))
    for window in (9, 10, 1000):
        np.testing.assert_array_equal(
            sliding_window_attention(queries, keys, values, window=window), everything
        )


@given(window=st.integers(1, 9), changed=st.integers(0, 19))
def test_a_key_outside_the_window_has_no_influence(window: int, changed: int) -> None:
    """Neither an older one nor a later one."""
    queries, keys, values = sample(20, 0)
    before = sliding_window_attention(queries, keys, values, window=window)
    keys, values = keys.copy(), values.copy()
    keys[:, changed] = 9.0
    values[:, changed] = -9.0
    after = sliding_window_attention(queries, keys, values, window=window)
    moved = {int(row) for row in np.flatnonzero(np.abs(after - before).max(axis=-1) > 0)}
    assert moved == set(range(changed, min(changed + window, 20)))
