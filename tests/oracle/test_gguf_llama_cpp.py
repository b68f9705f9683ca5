"""A model that was written as GGUF, read back here and run by llama.cpp: the same probabilities.

llama.cpp rounds the input of its GELU to half precision (a table: ggml/src/ggml-cpu/vec.h), which moves
log-probabilities by some thousandths; hence the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gemma_eval.gemma import checkpoint, decode, gguf_write
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer
from tests import required
from tests.gemma.tiny import merge_a_pair, write_model
from tests.llama_cpp import serve
from tests.oracle.compared import after, log_probabilities

TOLERANCE = 5e-3
IDS = tuple(int(token) for token in np.random.RandomState(3).randint(6, 260, size=40))
LOCAL, GLOBAL = "sliding_attention", "full_attention"

CONFIGS: Mapping[str, Mapping[str, object]] = {
    "gemma3": {},
    "gemma3 with layers in no pattern": {"layer_types": [GLOBAL, LOCAL, LOCAL]},
    "gemma3 with another scale": {"query_pre_attn_scalar": 9},
    "gemma3 with another base": {"rope_theta": 50_000.0, "rope_local_base_freq": 500.0},
    "gemma3 with linear scaling": {"rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "gemma3 with YaRN": {
        "rope_theta": 10_000.0,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    },
    "gemma3 with a final softcap": {"final_logit_softcapping": 1.5},
    "gemma2 with layers in no pattern": {"model_type": "gemma2", "layer_types": [GLOBAL, LOCAL, LOCAL]},
    "gemma2 with a pattern of 3": {
        "model_type": "gemma2",
        "layer_types": [LOCAL, LOCAL, GLOBAL],
        "attn_logit_softcapping": 50.0,
    },
    "gemma2": {"model_type": "gemma2", "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0},
    "gemma2 with another scale": {"model_type": "gemma2", "query_pre_attn_scalar": 9},
    "gemma2 with linear scaling": {
        "model_type": "gemma2",
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    },
}


def write(folder: Path, name: str) -> Path:
    """Write a random model of that configuration and return its GGUF file."""
    required.module("gguf", extra="gguf")
    settings = {"hidden_size": 32, "intermediate_size": 64, "head_dim": 8, **CONFIGS[name]}
    write_model(folder, config={"query_pre_attn_scalar": 8, **settings}, seed=5)
    if settings.get("model_type") == "gemma2":
        stored = load_file(folder / "model.safetensors")
        kept = {key: value for key, value in stored.items() if "_norm" not in key.partition("self_attn")[2]}
        save_file(kept, folder / "model.safetensors")
    merge_a_pair(folder)
    target = folder.with_suffix(".gguf")
    gguf_write.write(folder, target, dtype="F32")
    return target


def model(path: Path) -> Transformer:
    """Return what a checkpoint holds, ready to run."""
    loaded = checkpoint.load(path)
    return Transformer(architecture=loaded.architecture, weights=loaded.weights)


def difference(ours: Transformer, theirs: Array) -> float:
    """Return the largest difference of a log-probability after IDS."""
    return float(np.abs(log_probabilities(decode.all_logits(ours, IDS)[-1]) - theirs).max())


@pytest.mark.parametrize("name", CONFIGS)
def test_log_probabilities_equal_those_of_llama_cpp(tmp_path: Path, name: str) -> None:
    """Of the folder that was written and of the file that was read, beyond the window."""
    path = write(tmp_path / "model", name)
    with serve(path, context_tokens=128) as engine:
        theirs = after(engine, IDS)
    assert difference(model(path), theirs) <= TOLERANCE
    assert difference(model(tmp_path / "model"), theirs) <= TOLERANCE


PLANTED: Mapping[str, tuple[str, Callable[[Architecture], Architecture]]] = {
    "window one short": ("gemma3", lambda a: replace(a, window=a.window - 1)),
    "pattern ignored": ("gemma3 with layers in no pattern", lambda a: replace(a, layers=a.layers[::-1])),
    "pattern of Gemma 2 ignored": (
        "gemma2 with layers in no pattern",
        lambda a: replace(a, layers=("local", "global", "local")),
    ),
    "final softcap left out": ("gemma3 with a final softcap", lambda a: replace(a, final_softcap=None)),
    "scale of the head": ("gemma3 with another scale", lambda a: replace(a, query_scale=8**-0.5 * 0.9)),
    "softcap left out": ("gemma2", lambda a: replace(a, attention_softcap=None)),
    "global base on local layers": (
        "gemma3 with another base",
        lambda a: replace(a, rope={"local": a.rope["global"], "global": a.rope["global"]}),
    ),
    "scaling left out": (
        "gemma3 with linear scaling",
        lambda a: replace(a, rope={"local": a.rope["local"], "global": replace(a.rope["local"], theta=1e6)}),
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_the_comparison_fails_on(tmp_path: Path, mistake: str) -> None:
    """Each mistake moves a log-probability by far more than the tolerance."""
    name, plant = PLANTED[mistake]
    path = write(tmp_path / "model", name)
    with serve(path, context_tokens=128) as engine:
        theirs = after(engine, IDS)
    right = model(path)
    assert difference(replace(right, architecture=plant(right.architecture)), theirs) > 4 * TOLERANCE
