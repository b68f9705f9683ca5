"""Configs of both styles become the same architecture, and what cannot be computed is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.architecture import Architecture, Rope, from_config, load
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


def read(config: Mapping[str, object]) -> Architecture:
    """Return the architecture of a config."""
    return from_config(config, where="config.json")


def test_keys_of_before_and_after_transformers_5_mean_the_same() -> None:
    """The two styles of one model are equal."""
    assert read(OLD_STYLE) == read(NEW_STYLE)


def test_linear_scaling_is_for_global_layers_alone() -> None:
    """Gemma 3 extends the context of its global layers; the window needs no extension."""
    rope = read(OLD_STYLE).rope
    assert rope == {"global": Rope(theta=500_000.0, factor=8.0), "local": Rope(theta=20_000.0)}


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
    assert found.rope["global"] == Rope(theta=1_000_000.0, factor=8.0)
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
    assert old.rope["local"].factor == 4.0


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
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, 'rope_type "yarn" is not supported'),
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
