"""The NumPy Gemma against logits that `transformers` computed; record.py tells how they were recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from gemma_eval.gemma import decode
from gemma_eval.gemma.architecture import Architecture, Rope
from gemma_eval.gemma.decode import Decoding, all_logits
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.gemma.weights import LayerWeights, Weights
from gemma_eval.records import RopeScaling

RECORDED = Path(__file__).parent / "recorded"
NAMES = sorted(folder.name for folder in RECORDED.iterdir() if folder.is_dir())
MODELS = {name: decode.load(RECORDED / name) for name in NAMES}
POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
TOLERANCE = 1e-4


def recorded(name: str) -> tuple[list[int], Array]:
    """Return the ids and the logits after each."""
    expected = load_file(RECORDED / name / "expected.safetensors")
    return expected["ids"].tolist(), expected["logits"]


def difference(model: Transformer, name: str, *, at_once: int = 256) -> float:
    """Return the largest absolute difference between the model's logits and the recorded ones."""
    ids, logits = recorded(name)
    return float(np.abs(all_logits(model, ids, at_once=at_once) - logits).max())


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_those_of_transformers(name: str) -> None:
    """Every position of every recorded model, within 1e-4."""
    assert difference(MODELS[name], name) <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_one_token_at_a_time_equals_transformers(name: str) -> None:
    """Decoding, with its ring caches, gives what the reference computes without any cache."""
    ids, logits = recorded(name)
    decoding = Decoding(MODELS[name], capacity=len(ids))
    answers = [decoding.prefill(ids[:9]), *(decoding.step((token,))[0] for token in ids[9:])]
    assert np.abs(np.stack(answers) - logits[8:]).max() <= TOLERANCE


@given(at_once=st.integers(1, 41), name=st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None)
def test_a_prompt_may_be_read_in_parts_of_any_size(at_once: int, name: str) -> None:
    """Prefill in parts equals decoding one by one equals reading all at once."""
    assert difference(MODELS[name], name, at_once=at_once) <= TOLERANCE


def changed_architecture(**changes: object) -> Callable[[Transformer], Transformer]:
    """Return a planted error in the constants."""

    def plant(model: Transformer) -> Transformer:
        wrong: Architecture = replace(model.architecture, **changes)  # type: ignore[arg-type]
        return replace(model, architecture=wrong)

    return plant


def changed_layers(change: Callable[[LayerWeights], LayerWeights]) -> Callable[[Transformer], Transformer]:
    """Return a planted error in every layer."""

    def plant(model: Transformer) -> Transformer:
        layers = tuple(change(layer) for layer in model.weights.layers)
        wrong: Weights = replace(model.weights, layers=layers)
        return replace(model, weights=wrong)

    return plant


def without_one(gain: Array | None) -> Array:
    """Return w where 1 + w is right."""
    assert gain is not None
    return gain - np.float32(1)


def swapped(fused: Array) -> Array:
    """Return gate and up in the wrong order."""
    return np.concatenate(np.split(fused, 2)[::-1])


PLANTED = {
    "window one short": ("gemma3", changed_architecture(window=6)),
    "window one long": ("gemma3", changed_architecture(window=8)),
    "window one long in Gemma 2": ("gemma2", changed_architecture(window=8)),
    "window of one key seen as two": ("gemma2-multi-head", changed_architecture(window=2)),
    "attention softcap left out": ("gemma2", changed_architecture(attention_softcap=None)),
    "final softcap left out": ("gemma2", changed_architecture(final_softcap=None)),
    "scale from the head size": ("gemma3", changed_architecture(query_scale=8**-0.5)),
    "eps a hundred times too large": ("gemma3", changed_architecture(norm_eps=1e-2)),
    "linear factor left out": (
        "gemma3-linear-rope",
        changed_architecture(rope={"global": Rope(theta=100_000.0), "local": Rope(theta=100.0)}),
    ),
    "linear factor on local layers": (
        "gemma3-linear-rope",
        changed_architecture(
            rope={
                "global": Rope(theta=100_000.0, scaling=RopeScaling(rope_type="linear", factor=8.0)),
                "local": Rope(theta=100.0, scaling=RopeScaling(rope_type="linear", factor=8.0)),
            }
        ),
    ),
    "local base on global layers": (
        "gemma3",
        changed_architecture(rope={"global": Rope(theta=1e4), "local": Rope(theta=1e4)}),
    ),
    "every layer global": ("gemma3", changed_architecture(layers=("global",) * 6)),
    "post-attention gain w": (
        "gemma3",
        changed_layers(lambda w: replace(w, attention_out_gain=without_one(w.attention_out_gain))),
    ),
    "pre-feed-forward gain w": (
        "gemma2",
        changed_layers(lambda w: replace(w, feed_forward_in_gain=without_one(w.feed_forward_in_gain))),
    ),
    "qk gain w": ("gemma3", changed_layers(lambda w: replace(w, qk_gain=without_one(w.qk_gain)))),
    "qk norm left out": ("gemma3", changed_layers(lambda w: replace(w, qk_gain=None))),
    "gate and up swapped": ("gemma3", changed_layers(lambda w: replace(w, gate_up=swapped(w.gate_up)))),
    "embedding scale rounded to 5": (
        "gemma3",
        lambda model: replace(model, weights=replace(model.weights, embedding_scale=np.float32(5))),
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_the_oracle_fails_on(mistake: str) -> None:
    """Each mistake that a port of Gemma makes moves the logits by far more than the tolerance."""
    name, plant = PLANTED[mistake]
    assert difference(plant(MODELS[name]), name) > 10 * TOLERANCE


@pytest.mark.skipif(
    not (POCKET / "model.safetensors").exists(), reason="the pocket model has not been exported"
)
def test_the_shipped_model_equals_transformers() -> None:
    """The pocket model, on a conversation longer than its window."""
    file = RECORDED / "pocket.safetensors"
    with safe_open(file, framework="numpy") as stored:
        recorded_for = stored.metadata()["model_sha256"]
    digest = hashlib.sha256((POCKET / "model.safetensors").read_bytes()).hexdigest()
    assert recorded_for == digest, "the model changed: run `python tests/oracle/record.py pocket`"
    expected = load_file(file)
    model = decode.load(POCKET)
    ids = expected["ids"].tolist()
    assert len(ids) > model.architecture.window
    assert np.abs(all_logits(model, ids)[expected["rows"]] - expected["logits"]).max() <= TOLERANCE
