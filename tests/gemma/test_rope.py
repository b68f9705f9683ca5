"""Rotary positions against published frequencies and against complex numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.gemma.architecture import Rope
from gemma_eval.gemma.rope import frequencies, rotation
from gemma_eval.gemma.tensors import Array

# transformers 5.23, float32, base 10,000: the values at i = 1, d/8, d/4, 3d/8, d/2 - 1, and the sum of all
PUBLISHED = {
    (64, 1.0): ([0.749894202, 0.1, 0.01, 0.001, 0.00013335215], 3.9979082281),
    (128, 1.0): ([0.865964353, 0.1, 0.01, 0.001, 0.000115478193], 7.4599542027),
    (64, 4.0): ([0.18747355, 0.025, 0.0025, 0.00025, 3.3338038e-5], 0.999477057),
    (128, 4.0): ([0.216491088, 0.025, 0.0025, 0.00025, 2.88695483e-5], 1.8649885507),
}


@pytest.mark.parametrize(("head_dim", "factor"), PUBLISHED)
def test_frequencies_equal_those_of_transformers(head_dim: int, factor: float) -> None:
    """Default and linear, for two sizes of head."""
    values, total = PUBLISHED[head_dim, factor]
    found = frequencies(Rope(theta=10_000.0, factor=factor), head_dim=head_dim)
    eighth = head_dim // 8
    at = [1, eighth, 2 * eighth, 3 * eighth, head_dim // 2 - 1]
    np.testing.assert_allclose(found[at], values, rtol=2e-7)
    assert found.sum(dtype=np.float64) == pytest.approx(total, rel=1e-7)


def test_the_frequencies_differ_when_the_exponent_is_wrong() -> None:
    """The oracle above would see 2i/(H - 2) in place of 2i/H."""
    wrong = 10_000.0 ** -(np.arange(32) / 31)
    assert wrong.sum() != pytest.approx(PUBLISHED[64, 1.0][1], rel=1e-3)


def by_complex_numbers(x: Array, theta: float) -> Array:
    """Turn `x` [L, heads, H] by multiplying the complex number of values i and i + H/2 with e^(i·angle)."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] * theta ** -(np.arange(half) / half)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)[:, None, :]
    return np.concatenate([turned.real, turned.imag], axis=-1).astype(np.float32)


def sample(length: int, head_dim: int) -> Array:
    """Return random heads [L, 3, H]."""
    return np.random.default_rng(1).standard_normal((length, 3, head_dim)).astype(np.float32)


def test_rotation_is_multiplication_of_complex_numbers() -> None:
    """An independent form of the same turn; pairing neighbours instead of halves is seen."""
    x = sample(50, 16)
    turned = rotation(Rope(theta=10_000.0), head_dim=16, positions=64)[0:50](x)
    np.testing.assert_allclose(turned, by_complex_numbers(x, 10_000.0), atol=2e-5)
    neighbours = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
    assert np.abs(turned - by_complex_numbers(neighbours, 10_000.0)).max() > 0.1


@given(first=st.integers(0, 60), second=st.integers(0, 60), shift=st.integers(0, 60))
@settings(deadline=None)
def test_a_product_of_turned_vectors_depends_on_their_distance_alone(
    first: int, second: int, shift: int
) -> None:
    """What attention relies on: q at m and k at n meet as they do at m + s and n + s."""
    turn = rotation(Rope(theta=100.0), head_dim=8, positions=128)
    q, k = sample(2, 8)[:, :1]

    def meet(at_q: int, at_k: int) -> float:
        return float((turn[at_q : at_q + 1](q[None]) * turn[at_k : at_k + 1](k[None])).sum())

    assert meet(first, second) == pytest.approx(meet(first + shift, second + shift), abs=1e-4)
