"""The shipped model under the RoPE scalings that llama.cpp has, run by llama.cpp: the same probabilities.

llama.cpp rounds input and output of its GELU to half precision (a table: ggml/src/ggml-cpu/vec.h), which
moves log-probabilities by some thousandths. A plain model that does the same is compared here, so that only
the rotation can differ, and with the project's own one. What is left: where the two disagree in the last bit
of a float32 sum, now and then a value falls to XX
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemma_eval.gemma import decode, gguf_write
from gemma_eval.gemma.architecture import extended
from gemma_eval.gemma.rope_scaling import ntk_theta
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import RopeScaling
from tests import required
from tests.gemma import reference
from tests.llama_cpp import serve

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
MODEL = decode.load(POCKET)
SHAPE = MODEL.architecture
FACTS = "- Ada lives in Rome.\n- Finn lives in Oslo.\n- Mia lives in Lima."
TEXT = f"<bos><start_of_turn>user\n{FACTS}\n\nWhere does Finn live?<end_of_turn>\n"
LENGTHS = range(200, 400, 23)
MOST, ALL = 1e-4, 3e-3
THETA = SHAPE.rope["global"].theta

SCALINGS: Mapping[str, tuple[RopeScaling | None, Mapping[str, Any]]] = {
    "none": (None, {}),
    "linear": (
        RopeScaling(rope_type="linear", factor=4.0),
        {"rope_scaling_type": "LINEAR", "rope_freq_scale": 0.25},
    ),
    "ntk": (
        RopeScaling(rope_type="ntk", factor=4.0),
        {"rope_freq_base": ntk_theta(THETA, 4.0, head_dim=SHAPE.head_dim)},
    ),
    "yarn": (
        RopeScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=128),
        {"rope_scaling_type": "YARN", "rope_freq_scale": 0.25, "yarn_orig_ctx": 128},
    ),
    "yarn with other betas": (
        RopeScaling(
            rope_type="yarn", factor=2.0, original_max_position_embeddings=384, beta_fast=16.0, beta_slow=2.0
        ),
        {
            "rope_scaling_type": "YARN",
            "rope_freq_scale": 0.5,
            "yarn_orig_ctx": 384,
            "yarn_beta_fast": 16.0,
            "yarn_beta_slow": 2.0,
        },
    ),
}
"""A scaling here, and the settings that mean the same to llama.cpp."""


def differences(scaling: RopeScaling | None, ids: tuple[int, ...], theirs: Mapping[int, Array]) -> Array:
    """Return for each length the largest difference of the log-probabilities of what follows."""
    shape = extended(SHAPE, scaling, context_tokens=None)
    ours = reference.log_probabilities(shape, MODEL.weights, ids, gelu=reference.tabled_gelu)
    return np.array([np.abs(ours[length - 1] - after).max() for length, after in theirs.items()], np.float32)


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model as a GGUF file."""
    required.module("gguf", extra="gguf")
    target = tmp_path_factory.mktemp("gguf") / "pocket.gguf"
    gguf_write.write(POCKET, target, dtype="F32")
    return target


@pytest.mark.parametrize("name", SCALINGS)
def test_log_probabilities_equal_those_of_llama_cpp(pocket: Path, name: str) -> None:
    """After 200 tokens and more; a model that is not scaled, or scaled otherwise, is far off."""
    scaling, settings = SCALINGS[name]
    with serve(pocket, **settings) as engine:
        ids = (engine.tokenize(TEXT) * 12)[: LENGTHS.stop]
        (letter,) = engine.tokenize("x")  # llama.cpp lists nothing for a token that is no whole character
        chosen = [[letter, 1000.0]]
        theirs = {n: engine.drawn(ids[:n], n_predict=1, logit_bias=chosen)[0].values for n in LENGTHS}
    found = differences(scaling, ids, theirs)
    assert np.median(found) <= MOST, found
    assert found.max() <= ALL, found
    wrong = (
        replace(scaling, factor=scaling.factor * 2) if scaling else RopeScaling(rope_type="ntk", factor=2.0)
    )
    assert np.median(differences(wrong, ids, theirs)) > 100 * MOST
    if scaling is not None:
        assert np.median(differences(None, ids, theirs)) > 100 * MOST


@pytest.mark.parametrize("name", SCALINGS)
def test_the_plain_model_is_the_projects_own_but_for_the_table(name: str) -> None:
    """With the exact GELU they agree."""
    shape = extended(SHAPE, SCALINGS[name][0], context_tokens=None)
    ids = tuple(int(token) for token in np.random.RandomState(1).randint(8, SHAPE.vocab_size, size=200))
    plain = reference.log_probabilities(shape, MODEL.weights, ids, gelu=reference.plain_gelu)
    logits = decode.all_logits(replace(MODEL, architecture=shape), ids).astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    own = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    assert np.abs(plain - own).max() <= MOST


def test_llama_cpp_would_show_a_scaling_of_local_layers_and_a_missing_attention_factor(pocket: Path) -> None:
    """It scales global layers alone, as is done here."""
    scaling, settings = SCALINGS["yarn"]
    assert scaling is not None
    with serve(pocket, **settings) as engine:
        ids = (engine.tokenize(TEXT) * 12)[:300]
        (letter,) = engine.tokenize("x")
        theirs = {300: engine.drawn(ids, n_predict=1, logit_bias=[[letter, 1000.0]])[0].values}
    assert differences(scaling, ids, theirs).max() <= ALL
    for wrong in (replace(scaling, apply_to="all"), replace(scaling, attention_factor=1.0)):
        assert differences(wrong, ids, theirs).max() > 10 * ALL
