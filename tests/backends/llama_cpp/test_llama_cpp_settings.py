"""How llama.cpp is started: options, context and RoPE scaling, and what of them cannot be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.backends.llama_cpp import backend as llama_cpp
from gemma_eval.backends.llama_cpp import engine as llama_cpp_engine
from gemma_eval.backends.llama_cpp.file import GgufFile
from gemma_eval.backends.llama_cpp.settings import Rope, Settings, rope_refusal, settings
from gemma_eval.errors import BackendError, UnknownName
from gemma_eval.records import ModelSpec, Option, RopeScaling, SamplingProfile
from tests import required

FILE = GgufFile(
    beginning=2,
    path=Path("model.gguf"),
    parts=(Path("model.gguf"),),
    architecture="gemma3",
    trained_tokens=2048,
    window=64,
    scaling={},
    vocabulary=1856,
    silent=frozenset(),
    chat_template=None,
    tokenizer_sha256="",
    quantisation="F32",
    parameters=1_420_800,
)
LINEAR = RopeScaling(rope_type="linear", factor=4.0)
YARN = RopeScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=384)


def started(
    options: Mapping[str, Option] | None = None, *, file: GgufFile = FILE, **fields: object
) -> Settings:
    """Return the settings of a model with these options and fields."""
    given = {"name": "mine", "backend": "llama_cpp", "location": "", "options": options or {}, **fields}
    return settings(ModelSpec(**given), file)  # type: ignore[arg-type]


def test_by_default_a_small_model_has_one_thread_and_all_of_its_context() -> None:
    """And llama.cpp's own cache and attention."""
    assert started() == Settings(
        path=FILE.path, context_tokens=2048, threads=1, parallel=1, flash_attn="auto", cache_type="f16"
    )


def test_a_large_model_leaves_one_core_free() -> None:
    """llama.cpp's threads wait in a spin, and stop one another where they are as many as cores."""
    large = replace(FILE, parameters=270_000_000)
    assert started(file=large).threads == max(1, len(os.sched_getaffinity(0)) - 1)


def test_options_are_taken() -> None:
    """Each in its field."""
    given: Mapping[str, Option] = {"threads": 3, "parallel": 4, "flash_attn": "on", "cache_type": "q8_0"}
    found = started(given, context_tokens=512)
    assert {name: getattr(found, name) for name in given} == given
    assert found.context_tokens == 512


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    """So that a misspelt one has an effect."""
    with pytest.raises(UnknownName, match=r'option of the model mine \(backend llama_cpp\).*"parallel"'):
        started({"paralel": 2})


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("threads", 0, "threads = 0; a whole number from 1 to 512 is needed"),
        ("threads", True, "threads = true; a whole number"),
        ("threads", "all", 'threads = "all"; a whole number'),
        ("parallel", -1, "parallel = -1; a whole number from 1 to 256 is needed"),
        ("parallel", 1.5, "parallel = 1.5; a whole number"),
        ("flash_attn", "yes", 'flash_attn = "yes"; known: auto, off, on'),
        ("flash_attn", True, "flash_attn = true; known: auto, off, on"),
        ("cache_type", "f61", 'cache_type = "f61"; did you mean "f16"'),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(option: str, value: Option, what: str) -> None:
    """With the model that has it."""
    with pytest.raises(BackendError, match=f"^model mine: {what}"):
        started({option: value})


def test_a_context_beyond_the_models_own_is_refused() -> None:
    """llama.cpp would run it, and answer with nonsense."""
    with pytest.raises(
        BackendError, match="context_tokens = 4096 is more than the 2048 that the model can hold"
    ):
        started(context_tokens=4096)


def test_a_stretched_model_holds_more() -> None:
    """The original length times the factor, if that is more than its own."""
    assert started(rope_scaling=LINEAR).context_tokens == 8192
    assert started(rope_scaling=YARN).context_tokens == 2048
    assert started(rope_scaling=LINEAR, context_tokens=5000).context_tokens == 5000


def test_a_scaling_is_said_in_llama_cpps_words() -> None:
    """The original length is the given one, the one in the file's own scaling, or the one trained on."""
    own = replace(FILE, scaling={"type": "yarn", "factor": 2.0, "original_context_length": 1024})
    assert started(rope_scaling=LINEAR).rope == Rope(type="LINEAR", factor=4.0, original_tokens=2048)
    assert started(rope_scaling=YARN).rope == Rope(type="YARN", factor=4.0, original_tokens=384)
    assert started(rope_scaling=LINEAR, file=own).rope == Rope(
        type="LINEAR", factor=4.0, original_tokens=1024
    )
    assert started(rope_scaling=RopeScaling()).rope == Rope(type="NONE")
    assert started().rope is None


@pytest.mark.parametrize(
    ("scaling", "given"),
    [
        (None, {"rope_freq_scale": 0.0, "yarn_orig_ctx": 0}),
        (RopeScaling(), {"rope_scaling_type": "NONE", "rope_freq_scale": 1.0}),
        (LINEAR, {"rope_scaling_type": "LINEAR", "rope_freq_scale": 0.25}),
        (YARN, {"rope_scaling_type": "YARN", "rope_freq_scale": 0.25, "yarn_orig_ctx": 384}),
        (
            replace(YARN, beta_fast=16.0, beta_slow=2.0),
            {"rope_scaling_type": "YARN", "yarn_beta_fast": 16.0, "yarn_beta_slow": 2.0},
        ),
    ],
)
def test_llama_cpp_is_given_what_was_proven_to_be_the_same(
    scaling: RopeScaling | None, given: Mapping[str, object]
) -> None:
    """The parameters of tests/oracle/test_rope_llama_cpp.py, where log-probabilities are compared."""
    module = required.module("xllamacpp", extra="llama-cpp")
    found = llama_cpp_engine.parameters(module, started(rope_scaling=scaling), key="k", verbosity=0)
    for name, value in given.items():
        told = getattr(found, name)
        assert getattr(told, "name", told) in (value, f"LLAMA_ROPE_SCALING_TYPE_{value}"), name


def test_nothing_of_one_request_is_kept_for_the_next() -> None:
    """And the port is on loopback, and asks for a key."""
    module = required.module("xllamacpp", extra="llama-cpp")
    found = llama_cpp_engine.parameters(module, started({"parallel": 3}), key="k", verbosity=0)
    assert (found.cache_prompt, found.cache_ram_mib, found.n_ctx_checkpoints) == (False, 0, 0)
    assert (found.n_ctx, found.n_parallel) == (3 * 2048, 3)
    assert (found.hostnames, found.api_keys) == (["127.0.0.1"], ["k"])


@pytest.mark.parametrize(
    ("scaling", "why"),
    [
        (
            RopeScaling(rope_type="ntk", factor=2.0),
            "has no rope_scaling of type ntk; default, linear, yarn it has",
        ),
        (RopeScaling(rope_type="dynamic", factor=2.0), "has no rope_scaling of type dynamic"),
        (RopeScaling(rope_type="llama3", factor=2.0), "has no rope_scaling of type llama3"),
        (RopeScaling(rope_type="longrope", factor=2.0), "has no rope_scaling of type longrope"),
        (replace(YARN, truncate=False), "has no rope_scaling.truncate"),
        (replace(YARN, attention_factor=1.0), "has no rope_scaling.attention_factor"),
        (replace(YARN, mscale=1.0, mscale_all_dim=1.0), "has no rope_scaling.mscale"),
    ],
)
def test_a_scaling_that_llama_cpp_lacks_is_refused_at_collection(scaling: RopeScaling, why: str) -> None:
    """And when the model is loaded, for who did not ask before."""
    spec = ModelSpec(name="mine", backend="llama_cpp", location="", rope_scaling=scaling)
    assert (llama_cpp.load.refusal(spec, SamplingProfile(name="greedy")) or "").startswith(why)
    with pytest.raises(BackendError, match=f"model mine: llama.cpp {why}"):
        settings(spec, FILE)


def test_a_scaling_that_llama_cpp_has_is_not_refused() -> None:
    """Linear, plain YaRN, and switching off what the file names."""
    for scaling in (None, RopeScaling(), LINEAR, YARN):
        assert rope_refusal(scaling) is None


def test_local_layers_cannot_be_scaled() -> None:
    """llama.cpp leaves them as they are; a model without local layers has all of them scaled."""
    everywhere = replace(LINEAR, apply_to="all")
    with pytest.raises(BackendError, match='scales no local layers; apply_to = "global" is possible'):
        started(rope_scaling=everywhere)
    assert started(rope_scaling=everywhere, file=replace(FILE, window=None)).rope


def test_a_scaling_of_its_own_cannot_be_taken_from_local_layers() -> None:
    """In Gemma 2 it is on all layers, and llama.cpp replaces that of the global ones alone."""
    own = replace(FILE, scaling={"type": "linear", "factor": 8.0})
    assert started(rope_scaling=LINEAR, file=own).rope
    with pytest.raises(BackendError, match="has a scaling of its own, which"):
        started(rope_scaling=LINEAR, file=replace(own, architecture="gemma2"))


def test_what_makes_no_sense_is_refused() -> None:
    """As the NumPy engine refuses it."""
    with pytest.raises(BackendError, match="original_max_position_embeddings is 9000"):
        started(rope_scaling=replace(YARN, original_max_position_embeddings=9000))


def test_a_scaling_is_recorded_on_one_line() -> None:
    """As `info` has it among the details."""
    assert str(Rope(type="NONE")) == "default"
    assert str(Rope(type="LINEAR", factor=4.0, original_tokens=384)) == "linear, factor 4, original 384"
    assert str(Rope(type="YARN", factor=4.0, original_tokens=384)).endswith("original 384, betas 32 1")
