"""Configs of both styles become the same architecture, and what cannot be computed is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma.architecture import Architecture, Rope, extended, from_config, load
from gemma_eval.records import RopeScaling
from tests.gemma.tiny import CONFIG

OLD_STYLE = {
    **CONFIG,
    "num_hidden_layers": 6,
    "rope_theta": 500_000,
    "rope_local_base_freq": 20_000,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    "sliding_window_pattern": 3,
}
NEW_STYLE = {
    **CONFIG,
    "num_hidden_layers": 6,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 500_000.0, "factor": 8.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 20_000.0},
    },
}

YARN: Mapping[str, object] = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def read(config: Mapping[str, object]) -> Architecture:
    """Return the architecture of a config."""
    return from_config(config, where="config.json")


def test_keys_of_before_and_after_transformers_5_mean_the_same() -> None:
    """The two styles of one model are equal."""
    assert read(OLD_STYLE) == read(NEW_STYLE)


def test_linear_scaling_is_for_global_layers_alone() -> None:
    """Gemma 3 extends the context of its global layers; the window needs no extension."""
    rope = read(OLD_STYLE).rope
    scaling = RopeScaling(rope_type="linear", factor=8.0)
    assert rope == {"global": Rope(theta=500_000.0, scaling=scaling), "local": Rope(theta=20_000.0)}


def test_what_a_config_leaves_out_has_the_default_of_transformers() -> None:
    """The sparse text_config of Gemma 3 4B, as published, gives the published sizes."""
    published = {
        "model_type": "gemma3",
        "text_config": {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        },
        "vision_config": {"hidden_size": 1152},
    }
    found = read(published)
    assert (found.heads, found.kv_heads, found.head_dim) == (8, 4, 256)
    assert (found.hidden_size, found.feed_forward_size, found.window) == (2560, 10240, 1024)
    assert (found.vocab_size, found.context_tokens) == (262_208, 131_072)
    assert found.query_scale == 256**-0.5
    assert [index for index, kind in enumerate(found.layers) if kind == "global"] == [5, 11, 17, 23, 29]
    scaling = RopeScaling(rope_type="linear", factor=8.0)
    assert found.rope["global"] == Rope(theta=1_000_000.0, scaling=scaling)
    assert found.attention_softcap is None
    assert found.final_softcap is None


def test_gemma_2_has_softcaps_one_rope_and_starts_local() -> None:
    """The defaults of Gemma 2 2B."""
    found = read({"model_type": "gemma2"})
    assert (found.attention_softcap, found.final_softcap) == (50.0, 30.0)
    assert found.layers[:3] == ("local", "global", "local")
    assert found.rope["global"] == found.rope["local"] == Rope(theta=10_000.0)
    assert (found.window, found.context_tokens, found.vocab_size) == (4096, 8192, 256_000)
    assert not found.qk_norm


def test_gemma_2_scales_all_layers_for_they_share_one_rope() -> None:
    """Both spellings of the scaling."""
    old = read({"model_type": "gemma2", "rope_scaling": {"type": "linear", "factor": 4.0}})
    new = read({"model_type": "gemma2", "rope_parameters": {"rope_type": "linear", "factor": 4.0}})
    assert old.rope == new.rope
    assert old.rope["local"] == old.rope["global"]
    assert old.rope["local"].scaling == RopeScaling(rope_type="linear", factor=4.0, apply_to="all")


ALL_KEYS: Mapping[str, Mapping[str, object]] = {
    "ntk": {"factor": 2.0},
    "dynamic": {"factor": 2.0},
    "yarn": {
        **YARN,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "attention_factor": 1.2,
        "mscale": 1.0,
        "mscale_all_dim": 0.5,
        "truncate": False,
    },
    "llama3": {"factor": 8.0, "low_freq_factor": 2.0, "high_freq_factor": 8.0},
    "longrope": {"factor": 2.0, "short_factor": [1.0, 1.5], "long_factor": [2.0, 3.0]},
}


@pytest.mark.parametrize("kind", ALL_KEYS)
def test_every_scaling_is_read_with_all_its_keys(kind: str) -> None:
    """Old and new place, `type` and `rope_type`; the original length is the model's own unless named."""
    keys = dict(ALL_KEYS[kind]) | {"rope_type": kind}
    old = {key: value for key, value in keys.items() if key != "rope_type"} | {"type": kind}
    both = {
        "full_attention": {**keys, "rope_theta": 1_000_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    }
    found = read({**CONFIG, "rope_parameters": both})
    assert read({**CONFIG, "rope_scaling": old}) == found
    expected: dict[str, object] = {"original_max_position_embeddings": None if kind == "ntk" else 128, **keys}
    for key, value in expected.items():
        given = tuple(value) if isinstance(value, list) else value
        assert getattr(found.rope["global"].scaling, key) == given, key
    assert found.rope["local"].scaling == RopeScaling()


def test_a_factor_that_is_left_out_follows_from_the_two_lengths() -> None:
    """As transformers has it for configs that name both."""
    given = {"rope_type": "yarn", "original_max_position_embeddings": 32}
    assert read({**CONFIG, "rope_scaling": given}).rope["global"].scaling.factor == 4.0


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (None, 128),
        ({"rope_type": "linear", "factor": 8.0}, 128),
        ({**YARN, "original_max_position_embeddings": 128}, 512),
        (YARN, 128),
        ({"rope_type": "dynamic", "factor": 2.0}, 256),
    ],
)
def test_a_model_holds_the_more_of_its_own_limit_and_its_stretched_length(
    scaling: Mapping[str, object] | None, expected: int
) -> None:
    """A model that scales linearly and names no original length says its stretched length already."""
    assert read({**CONFIG, "rope_scaling": scaling}).context_tokens == expected


PLAIN, GEMMA_2 = read(CONFIG), read({"model_type": "gemma2"})


def test_a_given_scaling_takes_the_place_of_the_models_own() -> None:
    """On global layers; its original length is the one that the model names."""
    own = read({**CONFIG, "rope_scaling": {"rope_type": "linear", "factor": 2.0}})
    found = extended(own, RopeScaling(rope_type="yarn", factor=4.0), context_tokens=None)
    assert found.rope["global"].scaling == RopeScaling(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=128
    )
    assert found.rope["global"].theta == own.rope["global"].theta
    assert found.rope["local"] == own.rope["local"]
    assert found.context_tokens == 512
    named = read({**CONFIG, "rope_scaling": YARN})
    again = extended(named, RopeScaling(rope_type="ntk", factor=8.0), context_tokens=None)
    assert again.rope["global"].scaling.original_max_position_embeddings == 32
    assert again.context_tokens == 256


def test_a_model_is_left_alone_unless_it_is_told_otherwise() -> None:
    """`None` keeps its own scaling, `default` switches that off."""
    own = read({**CONFIG, "rope_scaling": YARN})
    assert extended(own, None, context_tokens=None) == own
    assert extended(own, RopeScaling(), context_tokens=None).rope == PLAIN.rope


def test_what_its_own_scaling_stretched_is_not_what_another_one_stretches() -> None:
    """Without it the model holds what its configuration names, and a smaller factor makes less of that."""
    own = read({**CONFIG, "rope_scaling": {**YARN, "original_max_position_embeddings": 128}})
    assert own.context_tokens == 512
    assert extended(own, RopeScaling(), context_tokens=None).context_tokens == 128
    halved = RopeScaling(rope_type="yarn", factor=2.0)
    assert extended(own, halved, context_tokens=None).context_tokens == 256
    with pytest.raises(BackendError, match="more than the 256 that the model can hold"):
        extended(own, halved, context_tokens=512)


@pytest.mark.parametrize("architecture", [PLAIN, GEMMA_2])
def test_a_scaling_is_for_global_layers_unless_it_is_for_all(architecture: Architecture) -> None:
    """Of Gemma 3 and of Gemma 2 alike: no window reaches beyond the length that a model was trained at."""
    wide = extended(architecture, RopeScaling(rope_type="ntk", factor=2.0), context_tokens=None)
    everywhere = extended(
        architecture, RopeScaling(rope_type="ntk", factor=2.0, apply_to="all"), context_tokens=None
    )
    assert wide.rope["local"].scaling == RopeScaling()
    assert everywhere.rope["local"].scaling.rope_type == "ntk"
    assert wide.rope["global"].scaling.factor == everywhere.rope["global"].scaling.factor == 2.0


def test_the_context_that_was_asked_for_is_the_limit() -> None:
    """Up to what the model can hold, to the token."""
    scaling = RopeScaling(rope_type="yarn", factor=4.0)
    assert extended(PLAIN, None, context_tokens=100).context_tokens == 100
    assert extended(PLAIN, scaling, context_tokens=512).context_tokens == 512
    assert extended(PLAIN, scaling, context_tokens=100).context_tokens == 100
    with pytest.raises(
        BackendError, match="context_tokens = 513 is more than the 512 that the model can hold"
    ):
        extended(PLAIN, scaling, context_tokens=513)


def test_a_context_that_the_model_cannot_hold_is_refused_with_the_scaling_that_would_do() -> None:
    """The message is a line that can be put into models.toml."""
    with pytest.raises(BackendError, match="more than the 128") as caught:
        extended(PLAIN, None, context_tokens=500)
    assert 'rope_scaling = { rope_type = "yarn", factor = 4.0 }' in str(caught.value)
    scaling = RopeScaling(rope_type="yarn", factor=4.0)
    assert extended(PLAIN, scaling, context_tokens=500).context_tokens == 500
    with pytest.raises(BackendError, match=r"lower context_tokens$"):
        extended(PLAIN, None, context_tokens=33 * 128)


@pytest.mark.parametrize(
    ("scaling", "complaint"),
    [
        (RopeScaling(rope_type="linear", factor=0.25), "rope_scaling of type linear: factor is 0.25"),
        (RopeScaling(rope_type="longrope", factor=2.0, short_factor=(1.0,)), "short_factor has 1 numbers, 2"),
        (RopeScaling(rope_type="yarn", factor=2.0, original_max_position_embeddings=129), "its own 128"),
    ],
)
def test_a_scaling_that_the_model_cannot_take_is_refused(scaling: RopeScaling, complaint: str) -> None:
    """When the model is loaded, before the first generation."""
    with pytest.raises(BackendError) as caught:
        extended(PLAIN, scaling, context_tokens=None)
    assert complaint in str(caught.value)


def test_a_model_without_global_layers_can_only_be_scaled_everywhere() -> None:
    """A scaling that changed nothing would be recorded as one that did."""
    local = read({**CONFIG, "layer_types": ["sliding_attention"] * 3})
    scaling = RopeScaling(rope_type="ntk", factor=2.0)
    with pytest.raises(BackendError, match='no global layers; apply_to = "all" is needed'):
        extended(local, scaling, context_tokens=None)
    assert extended(local, replace(scaling, apply_to="all"), context_tokens=None).context_tokens == 256


def test_a_rope_is_recorded_on_one_line() -> None:
    """With all that was set, so that results can be told apart."""
    scaling = RopeScaling(rope_type="yarn", factor=4.0, beta_fast=16.0, apply_to="all")
    rope = extended(PLAIN, scaling, context_tokens=None).rope
    assert str(rope["global"]) == (
        "yarn, theta 1000000.0, factor 4.0, original_max_position_embeddings 128, beta_fast 16.0"
    )
    assert str(PLAIN.rope["local"]) == "default, theta 10000.0"


def test_a_softcap_of_null_is_no_softcap() -> None:
    """Null switches off what is on by default."""
    assert read({"model_type": "gemma2", "attn_logit_softcapping": None}).attention_softcap is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "llama"}, 'model_type "llama" is not supported'),
        ({"model_type": None}, "which runs gemma2, gemma3, gemma3_text"),
        ({"head_dim": 0}, "head_dim is 0, a whole number of at least 1 is needed"),
        ({"head_dim": True}, "head_dim is True"),
        ({"head_dim": 5}, "4 heads cannot share 2 key/value heads of 5 values"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps is 'small', a number above 0 is needed"),
        ({"query_pre_attn_scalar": float("nan")}, "query_pre_attn_scalar is nan"),
        ({"layer_types": ["full_attention"]}, "layer_types needs 3 entries"),
        ({"layer_types": ["linear_attention"] * 3}, "each sliding_attention or full_attention"),
        ({"rope_scaling": {"rope_type": "yarm", "factor": 4.0}}, 'rope_type "yarm" is not supported'),
        ({"rope_scaling": {"rope_type": "proportional"}}, "numpy_gemma; known: default, linear, ntk"),
        ({"rope_scaling": {"rope_type": "linear"}}, "rope_scaling: needs a factor"),
        (
            {"rope_scaling": {"rope_type": "linear", "factor": 0.5}},
            "global layers: factor is 0.5, at least 1",
        ),
        ({"rope_scaling": {"rope_type": "linear", "factor": "4"}}, "factor is '4', a number above 0"),
        ({"rope_scaling": {**YARN, "truncate": "no"}}, "truncate is 'no', true or false is needed"),
        ({"rope_scaling": {**YARN, "partial_rotary_factor": 0.5}}, "partial_rotary_factor is not supported"),
        ({"rope_scaling": {**YARN, "original_max_position_embeddings": 256}}, "at most its own 128"),
        ({"rope_scaling": {**YARN, "original_max_position_embeddings": 0}}, "a whole number of at least 1"),
        ({"rope_scaling": {**YARN, "beta_slow": 32}}, "beta_fast is 32.0, more than beta_slow (32.0)"),
        ({"rope_scaling": {"type": "longrope", "factor": 2, "long_factor": 2}}, "a list of numbers above 0"),
        ({"rope_scaling": {"type": "longrope", "factor": 2}}, "short_factor has 0 numbers, 2 are needed"),
        ({"rope_parameters": YARN}, "needs full_attention and sliding_attention"),
        (
            {"rope_parameters": {"sliding_attention": {"rope_type": "linear"}}},
            "sliding_attention: needs a fac",
        ),
        ({"rope_parameters": 3}, "rope_parameters is 3, an object is needed"),
        ({"hidden_activation": "silu"}, "hidden_activation = 'silu' is not supported"),
        ({"use_bidirectional_attention": True}, "use_bidirectional_attention = True is not supported"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False is not supported"),
    ],
)
def test_what_cannot_be_computed_is_refused(change: Mapping[str, object], complaint: str) -> None:
    """The message names the config, what is wrong and what would be right."""
    with pytest.raises(ModelNotFound, match=r"^config\.json") as caught:
        read({**CONFIG, **change})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no such file; a model is a folder with"),
        ("{", "cannot be read as JSON"),
        ("[]", "holds a list"),
    ],
)
def test_a_missing_or_damaged_config_is_one_line(tmp_path: Path, content: str | None, complaint: str) -> None:
    """The message names the file."""
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelNotFound, match=complaint) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "config.json"))
    assert "\n" not in str(caught.value)
