"""The pieces of a layer against their formulas in float64, and the state of a generation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import ContextOverflow
from gemma_eval.gemma import decode
from gemma_eval.gemma.decode import PREFILL_TOKENS, Decoding, all_logits
from gemma_eval.gemma.layer import Norm, gelu_tanh
from tests.gemma.tiny import write_model

VALUES = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=9)


@given(VALUES)
@settings(deadline=None)
def test_rms_norm_equals_its_formula(values: list[float]) -> None:
    """x / √(mean(x²) + eps) · gain, computed value by value."""
    x = np.array([values], np.float32)
    gain = np.linspace(0.2, 1.9, len(values), dtype=np.float32)
    scale = 1 / math.sqrt(sum(value * value for value in values) / len(values) + 1e-6)
    expected = [value * scale * float(g) for value, g in zip(values, gain, strict=True)]
    np.testing.assert_allclose(Norm(gain, eps=1e-6)(x)[0], expected, rtol=1e-5, atol=1e-6)


@given(VALUES)
@settings(deadline=None)
def test_gelu_equals_its_formula(values: list[float]) -> None:
    """The tanh form in float64; the erf form differs by more than the tolerance."""
    x = np.array(values, np.float32)
    inner = [math.sqrt(2 / math.pi) * (value + 0.044715 * value**3) for value in values]
    expected = [value / 2 * (1 + math.tanh(t)) for value, t in zip(values, inner, strict=True)]
    np.testing.assert_allclose(gelu_tanh(x), expected, rtol=1e-4, atol=2e-6)


def test_the_erf_form_of_gelu_is_told_apart() -> None:
    """The tolerance above is small enough to see which of the two forms is computed."""
    erf_form = 0.5 * -3.0 * (1 + math.erf(-3.0 / math.sqrt(2)))
    assert abs(float(gelu_tanh(np.array([-3.0], np.float32))[0]) - erf_form) > 1e-4


def test_a_prompt_longer_than_one_part_gives_the_logits_of_its_last_token(tmp_path: Path) -> None:
    """Prefill reads in parts and answers for the end alone."""
    model = decode.load(write_model(tmp_path, config={"max_position_embeddings": 1024}))
    ids = [6 + 7 * n % 200 for n in range(PREFILL_TOKENS + 44)]
    found = Decoding(model, capacity=len(ids) + 1)
    everything = all_logits(model, ids, at_once=len(ids))
    np.testing.assert_allclose(found.prefill(ids), everything[-1], atol=1e-4)
    np.testing.assert_allclose(found.step((9,))[0], all_logits(model, [*ids, 9])[-1], atol=1e-4)


def test_a_generation_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    """The model keeps no state: the same ids give the same logits, bit for bit."""
    model = decode.load(write_model(tmp_path))
    first = Decoding(model, capacity=20).prefill([2, 9, 30])
    Decoding(model, capacity=20).prefill([2, 100, 101, 102])
    np.testing.assert_array_equal(Decoding(model, capacity=20).prefill([2, 9, 30]), first)


def test_more_tokens_than_there_is_room_for_are_an_error(tmp_path: Path) -> None:
    """A generation is given its capacity; going beyond it never overwrites."""
    decoding = Decoding(decode.load(write_model(tmp_path)), capacity=3)
    decoding.prefill([2, 9, 30])
    with pytest.raises(ContextOverflow):
        decoding.step((4,))
