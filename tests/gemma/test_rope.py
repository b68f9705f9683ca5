"""Rotary positions against complex numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.gemma.architecture import Rope
from gemma_eval.gemma.rope import rotation
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import RopeScaling


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
    turned = rotation(Rope(theta=10_000.0), head_dim=16, tokens=50)[0:50](x)
    np.testing.assert_allclose(turned, by_complex_numbers(x, 10_000.0), atol=2e-5)
    neighbours = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
    assert np.abs(turned - by_complex_numbers(neighbours, 10_000.0)).max() > 0.1


@given(first=st.integers(0, 60), second=st.integers(0, 60), shift=st.integers(0, 60))
@settings(deadline=None)
def test_a_product_of_turned_vectors_depends_on_their_distance_alone(
    first: int, second: int, shift: int
) -> None:
    """What attention relies on: q at m and k at n meet as they do at m + s and n + s."""
    turn = rotation(Rope(theta=100.0), head_dim=8, tokens=128)
    q, k = sample(2, 8)[:, :1]

    def meet(at_q: int, at_k: int) -> float:
        return float((turn[at_q : at_q + 1](q[None]) * turn[at_k : at_k + 1](k[None])).sum())

    assert meet(first, second) == pytest.approx(meet(first + shift, second + shift), abs=1e-4)


def test_the_attention_factor_lengthens_what_is_turned() -> None:
    """YaRN's m is on cosines and sines alike, so scores grow by its square; position 0 too."""
    x = sample(6, 16)
    plain = RopeScaling(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=64, attention_factor=1.0
    )
    sharp = RopeScaling(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=64, attention_factor=1.5
    )
    unit, longer = (
        rotation(Rope(theta=10_000.0, scaling=scaling), head_dim=16, tokens=6)[0:6](x)
        for scaling in (plain, sharp)
    )
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(longer, 1.5 * unit, rtol=1e-6)


def test_a_table_is_shared_unless_the_length_of_the_generation_counts() -> None:
    """Two generations of nearly the same length share one; a dynamic base has one for each length."""
    fixed = Rope(theta=10_000.0)
    assert rotation(fixed, head_dim=16, tokens=100) is rotation(fixed, head_dim=16, tokens=120)
    scaling = RopeScaling(rope_type="dynamic", factor=4.0, original_max_position_embeddings=64)
    growing = Rope(theta=10_000.0, scaling=scaling)
    short, long = (rotation(growing, head_dim=16, tokens=tokens) for tokens in (100, 120))
    assert np.abs(short.cos[50] - long.cos[50]).max() > 1e-3
