"""What a Gemma 2 or Gemma 3 decoder looks like: its sizes, its layers and its constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.folder import read_json

Family = Literal["gemma2", "gemma3"]
LayerKind = Literal["local", "global"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rope:
    """Rotary positions: the base, and the factor that linear scaling divides every frequency by."""

    theta: float
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The sizes and constants of one decoder.

    `window` counts the keys that a local layer sees, the token itself included. `query_scale` multiplies
    the queries. A softcap `c` maps x to c·tanh(x/c); `None` leaves x alone. `qk_norm` is Gemma 3's
    normalisation of each query and key head before the rotation.
    Source: huggingface/transformers:src/transformers/models/{gemma2,gemma3}.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    feed_forward_size: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: tuple[LayerKind, ...]
    window: int
    context_tokens: int
    norm_eps: float
    query_scale: float
    rope: Mapping[LayerKind, Rope]
    attention_softcap: float | None = None
    final_softcap: float | None = None

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised per head."""
        return self.family == "gemma3"

    @property
    def embedding_scale(self) -> float:
        """What embeddings are multiplied by, before rounding to the dtype of the weights."""
        return float(self.hidden_size**0.5)


def load(folder: Path) -> Architecture:
    """Read `config.json` in `folder`. Raises ModelNotFound: absent, damaged or of another architecture."""
    path = folder / "config.json"
    return from_config(read_json(path), where=str(path))


def from_config(content: Mapping[str, object], *, where: str) -> Architecture:
    """Build the architecture from a Hugging Face config, with keys of before and after transformers 5.

    `where` names the config in messages. A multimodal config is read for its text model.
    Raises ModelNotFound.
    """
    family = _family(content, where)
    text = content.get("text_config", content)
    config = _Config(text if isinstance(text, Mapping) else {}, where)
    _refuse_variants(config)
    layers = _layers(config, family)
    defaults = _DEFAULTS[family]
    heads, kv_heads = config.count("num_attention_heads", 8), config.count("num_key_value_heads", 4)
    head_dim = config.count("head_dim", 256)
    if heads % kv_heads or head_dim % 2:
        config.fail(f"{heads} heads cannot share {kv_heads} key/value heads of {head_dim} values")
    softcap = config.optional_number("attn_logit_softcapping", defaults.attention_softcap)
    return Architecture(
        family=family,
        vocab_size=config.count("vocab_size", defaults.vocab_size),
        hidden_size=config.count("hidden_size", 2304),
        feed_forward_size=config.count("intermediate_size", 9216),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        layers=layers,
        window=config.count("sliding_window", 4096),
        context_tokens=config.count("max_position_embeddings", defaults.context_tokens),
        norm_eps=config.number("rms_norm_eps", 1e-6),
        query_scale=config.number("query_pre_attn_scalar", 256) ** -0.5,
        rope=_gemma3_rope(config) if family == "gemma3" else _gemma2_rope(config),
        # Gemma 3 configs carry the key, its attention never uses it
        attention_softcap=softcap if family == "gemma2" else None,
        final_softcap=config.optional_number("final_logit_softcapping", defaults.final_softcap),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Defaults:
    """What a config leaves out because the configuration class of transformers has it as its default."""

    vocab_size: int
    context_tokens: int
    pattern: int
    attention_softcap: float | None
    final_softcap: float | None


_DEFAULTS: Mapping[Family, _Defaults] = {
    "gemma2": _Defaults(
        vocab_size=256_000, context_tokens=8_192, pattern=2, attention_softcap=50.0, final_softcap=30.0
    ),
    "gemma3": _Defaults(
        vocab_size=262_208, context_tokens=131_072, pattern=6, attention_softcap=None, final_softcap=None
    ),
}
_MODEL_TYPES: Mapping[str, Family] = {"gemma2": "gemma2", "gemma3": "gemma3", "gemma3_text": "gemma3"}
_LAYER_TYPES: Mapping[object, LayerKind] = {"sliding_attention": "local", "full_attention": "global"}


class _Config:
    """Typed access to a config, with the place in every message."""

    def __init__(self, content: Mapping[str, object], where: str) -> None:
        self.content = content
        self.where = where

    def fail(self, what: str) -> NoReturn:
        """Raise ModelNotFound for this config."""
        raise ModelNotFound(f"{self.where}: {what}")

    def count(self, key: str, default: int) -> int:
        """Return a whole number of at least 1."""
        value = self.content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.fail(f"{key} is {value!r}, a whole number of at least 1 is needed")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a number above 0."""
        value = self.content.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            self.fail(f"{key} is {value!r}, a number above 0 is needed")
        return float(value)

    def optional_number(self, key: str, default: float | None) -> float | None:
        """Return a number above 0, or `None` when the config says null."""
        if self.content.get(key, default) is None:
            return None
        return self.number(key, default or 0.0)

    def table(self, key: str) -> _Config:
        """Return a table within the config, empty when it is absent or null."""
        value = self.content.get(key) or {}
        if not isinstance(value, Mapping):
            self.fail(f"{key} is {value!r}, an object is needed")
        return _Config(value, f"{self.where}: {key}")


def _family(content: Mapping[str, object], where: str) -> Family:
    model_type = str(content.get("model_type"))
    if model_type not in _MODEL_TYPES:
        supported = ", ".join(_MODEL_TYPES)
        raise ModelNotFound(
            f'{where}: model_type "{model_type}" is not supported by numpy_gemma, which runs {supported}'
        )
    return _MODEL_TYPES[model_type]


def _refuse_variants(config: _Config) -> None:
    """Refuse what would load and then compute something else, such as the bidirectional EmbeddingGemma."""
    expected = {
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
        "attention_bias": False,
        "use_bidirectional_attention": False,
    }
    for key, right in expected.items():
        value = config.content.get(key)
        if value is not None and value != right:
            config.fail(f"{key} = {value!r} is not supported by numpy_gemma, only {right!r} is")


def _layers(config: _Config, family: Family) -> tuple[LayerKind, ...]:
    """Return the kind of each layer, from `layer_types` or from the older pattern *every n-th is global*."""
    number = config.count("num_hidden_layers", 26)
    types = config.content.get("layer_types")
    if types is None:
        pattern = config.count("sliding_window_pattern", _DEFAULTS[family].pattern)
        return tuple("local" if (index + 1) % pattern else "global" for index in range(number))
    if not isinstance(types, list) or len(types) != number or any(t not in _LAYER_TYPES for t in types):
        config.fail(f"layer_types needs {number} entries, each sliding_attention or full_attention")
    return tuple(_LAYER_TYPES[layer_type] for layer_type in types)


def _gemma3_rope(config: _Config) -> Mapping[LayerKind, Rope]:
    """Return a base per kind of layer; the older `rope_scaling` is for the global layers alone."""
    both = config.table("rope_parameters")
    wide, near = both.table("full_attention"), both.table("sliding_attention")
    theta = config.number("rope_theta", 1_000_000.0)
    near_theta = config.number("rope_local_base_freq", 10_000.0)
    scaling = wide if "rope_type" in wide.content else config.table("rope_scaling")
    return {
        "global": Rope(theta=wide.number("rope_theta", theta), factor=_factor(scaling)),
        "local": Rope(theta=near.number("rope_theta", near_theta), factor=_factor(near)),
    }


def _gemma2_rope(config: _Config) -> Mapping[LayerKind, Rope]:
    """Return the one base that all layers share."""
    parameters = config.table("rope_parameters")
    theta = config.number("rope_theta", 10_000.0)
    scaling = parameters if "rope_type" in parameters.content else config.table("rope_scaling")
    rope = Rope(theta=parameters.number("rope_theta", theta), factor=_factor(scaling))
    return {"global": rope, "local": rope}


def _factor(scaling: _Config) -> float:
    kind = scaling.content.get("rope_type", scaling.content.get("type", "default"))
    if kind == "default":
        return 1.0
    if kind != "linear":
        scaling.fail(f'rope_type "{kind}" is not supported by numpy_gemma, which knows default and linear')
    return scaling.number("factor", 1.0)
