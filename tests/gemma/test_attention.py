"""Attention and its caches against loops that do one key at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.gemma.attention import attend, mask, softmax
from gemma_eval.gemma.kv_cache import RingCache, WholeCache
from gemma_eval.gemma.tensors import Array

HEADS, KV_HEADS, HEAD_DIM = 6, 2, 4


def heads(count: int, length: int, *, seed: int) -> Array:
    """Return random vectors [count, length, H]."""
    return np.random.default_rng(seed).standard_normal((count, length, HEAD_DIM)).astype(np.float32)


def one_by_one(q: Array, k: Array, v: Array, *, window: int, softcap: float | None, groups: int) -> Array:
    """Mix values by the definition, in float64: q [N, L, H] are the last L of the positions of k and v."""
    count, length, size = q.shape
    mixed = np.zeros((length, count, size))
    for n in range(count):
        for i in range(length):
            position = k.shape[1] - length + i
            seen = [j for j in range(k.shape[1]) if j <= position and j > position - window]
            scores = [float(q[n, i] @ k[n // groups, j]) for j in seen]
            if softcap:
                scores = [softcap * math.tanh(score / softcap) for score in scores]
            total = sum(math.exp(score) for score in scores)
            for j, score in zip(seen, scores, strict=True):
                mixed[i, n] += math.exp(score) / total * v[n // groups, j]
    return mixed.reshape(length, count * size).astype(np.float32)


@given(
    length=st.integers(1, 9),
    past=st.integers(0, 9),
    window=st.integers(1, 20),
    softcap=st.sampled_from([None, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_attention_equals_its_definition(length: int, past: int, window: int, softcap: float | None) -> None:
    """Grouped heads, window, softcap and queries that continue a context."""
    q, k, v = (
        heads(n, m, seed=s)
        for n, m, s in ((HEADS, length, 1), (KV_HEADS, past + length, 2), (KV_HEADS, past + length, 3))
    )
    seen = mask(length, past + length, window=window)
    found = attend(q.transpose(1, 0, 2), k, v, mask=seen, softcap=softcap)
    expected = one_by_one(q, k, v, window=window, softcap=softcap, groups=3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("window", "groups"), [(4, 2), (6, 2), (5, 4)])
def test_the_definition_differs_when_window_or_grouping_is_wrong(window: int, groups: int) -> None:
    """The oracle above sees a window off by one and heads that share the wrong keys."""
    q, k, v = heads(4, 8, seed=1), heads(2, 8, seed=2), heads(2, 8, seed=3)
    found = attend(q.transpose(1, 0, 2), k, v, mask=mask(8, 8, window=5))
    expected = one_by_one(q, k, v, window=5, softcap=None, groups=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    wrong = one_by_one(q, k, v, window=window, softcap=None, groups=groups)
    assert np.abs(found - wrong).max() > 1e-2


@pytest.mark.parametrize(
    ("queries", "keys", "window", "expected"),
    [
        (3, 3, None, ["#..", "##.", "###"]),
        (3, 3, 2, ["#..", "##.", ".##"]),
        (2, 4, 1, ["..#.", "...#"]),
        (1, 4, 3, [".###"]),
    ],
)
def test_the_window_counts_the_token_itself(
    queries: int, keys: int, window: int | None, expected: list[str]
) -> None:
    """A window of W shows W keys: the token and the W - 1 before it."""
    found = mask(queries, keys, window=window)
    assert found is not None
    assert ["".join("#" if value == 0 else "." for value in row) for row in found] == expected


def test_one_token_needs_no_mask_when_its_window_holds_all_keys() -> None:
    """The common case of decoding."""
    assert mask(1, 5, window=5) is None
    assert mask(1, 5, window=None) is None
    assert mask(1, 6, window=5) is not None


def test_softmax_is_unmoved_by_a_large_shift() -> None:
    """Scores of 1,000 do not overflow, and what is masked has probability 0."""
    scores = np.array([[1000.0, 1001.0, -np.inf]], np.float32)
    np.testing.assert_allclose(softmax(scores)[0], [1 / (1 + math.e), math.e / (1 + math.e), 0.0], rtol=1e-6)


@given(window=st.integers(1, 9), parts=st.lists(st.integers(1, 12), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_a_ring_holds_what_a_window_over_everything_shows(window: int, parts: list[int]) -> None:
    """Whatever parts a context is read in, a ring gives the attention of everything with a window."""
    total = sum(parts)
    q, k, v = heads(HEADS, total, seed=1), heads(KV_HEADS, total, seed=2), heads(KV_HEADS, total, seed=3)
    ring = RingCache(KV_HEADS, HEAD_DIM, window=window)
    whole = WholeCache(KV_HEADS, HEAD_DIM, capacity=total)
    start = 0
    for length in parts:
        now = slice(start, start + length)
        queries = q[:, now].transpose(1, 0, 2)
        ring_keys, ring_values = ring.extend(k[:, now], v[:, now], start=start)
        all_keys, all_values = whole.extend(k[:, now], v[:, now], start=start)
        assert ring_keys.shape[1] == min(start, window - 1) + length
        found = attend(queries, ring_keys, ring_values, mask=mask(length, ring_keys.shape[1], window=window))
        everything = mask(length, start + length, window=window)
        expected = attend(queries, all_keys, all_values, mask=everything)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        start += length


def test_a_ring_one_slot_too_small_is_seen() -> None:
    """The law above fails for a ring that forgets a key too early."""
    q, k, v = heads(2, 6, seed=1), heads(2, 6, seed=2), heads(2, 6, seed=3)
    answers = []
    for window in (3, 4):
        ring = RingCache(2, HEAD_DIM, window=window)
        for now in range(6):
            keys, values = ring.extend(k[:, now : now + 1], v[:, now : now + 1], start=now)
        answers.append(attend(q[:, 5:].transpose(1, 0, 2), keys, values, mask=None))
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
