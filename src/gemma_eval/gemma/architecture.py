"""What a Gemma 2 or Gemma 3 decoder looks like: its sizes, its layers and its constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma.config_table import ConfigTable
from gemma_eval.gemma.folder import read_json
from gemma_eval.gemma.rope_config import LayerKind, Rope, extended_tokens, gemma2_rope, gemma3_rope
from gemma_eval.gemma.rope_scaling import flaws
from gemma_eval.records import RopeScaling

__all__ = ["Architecture", "Family", "LayerKind", "Rope", "extended", "from_config", "load"]

Family = Literal["gemma2", "gemma3"]
LAYER_KINDS: tuple[LayerKind, ...] = ("local", "global")
MOST_STRETCHED = 32
"""The largest factor that a message proposes, as the largest that YaRN was trained with: arXiv 2309.00071."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The sizes and constants of one decoder.

    `window` counts the keys that a local layer sees, the token itself included. `named_tokens` is the context
    that the configuration names, `context_tokens` what its scaling makes of that. `query_scale` multiplies
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
    named_tokens: int
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
    config = ConfigTable(text if isinstance(text, Mapping) else {}, where)
    _refuse_variants(config)
    layers = _layers(config, family)
    defaults = _DEFAULTS[family]
    heads, kv_heads = config.count("num_attention_heads", 8), config.count("num_key_value_heads", 4)
    head_dim = config.count("head_dim", 256)
    if heads % kv_heads or head_dim % 2:
        config.fail(f"{heads} heads cannot share {kv_heads} key/value heads of {head_dim} values")
    softcap = config.optional_number("attn_logit_softcapping", defaults.attention_softcap)
    trained_tokens = config.count("max_position_embeddings", defaults.context_tokens)
    rope = (gemma3_rope if family == "gemma3" else gemma2_rope)(config, trained_tokens=trained_tokens)
    read = Architecture(
        family=family,
        vocab_size=config.count("vocab_size", defaults.vocab_size),
        hidden_size=config.count("hidden_size", 2304),
        feed_forward_size=config.count("intermediate_size", 9216),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        layers=layers,
        window=config.count("sliding_window", 4096),
        named_tokens=trained_tokens,
        context_tokens=trained_tokens,
        norm_eps=config.number("rms_norm_eps", 1e-6),
        query_scale=config.number("query_pre_attn_scalar", 256) ** -0.5,
        rope=rope,
        # Gemma 3 configs carry the key, its attention never uses it
        attention_softcap=softcap if family == "gemma2" else None,
        final_softcap=config.optional_number("final_logit_softcapping", defaults.final_softcap),
    )
    for kind, turned in rope.items():
        for flaw in flaws(turned.scaling, head_dim=head_dim, own_tokens=trained_tokens):
            config.fail(f"rope scaling of {kind} layers: {flaw}")
    return replace(read, context_tokens=extended_tokens(rope["global"].scaling, own_tokens=trained_tokens))


def extended(
    architecture: Architecture, scaling: RopeScaling | None, *, context_tokens: int | None
) -> Architecture:
    """Return the architecture with another RoPE scaling and the context that was asked for.

    `scaling` takes the place of the model's own, on the layers that its `apply_to` names; the others are not
    scaled. `None` leaves the model's own alone. Without an `original_max_position_embeddings` it stretches
    the length that the model names. The context is `context_tokens`, `None` for all that the model can hold:
    the more of the length that its configuration names and of original length times factor. Raises
    BackendError when the model cannot take the scaling or the context.
    """
    longer = architecture if scaling is None else _scaled(architecture, scaling)
    limit = longer.context_tokens
    if context_tokens is not None and context_tokens > limit:
        raise BackendError(
            f"context_tokens = {context_tokens} is more than the {limit} that the model can hold; "
            f"lower context_tokens{_way_out(context_tokens, longer)}"
        )
    return replace(longer, context_tokens=context_tokens or limit)


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


def _family(content: Mapping[str, object], where: str) -> Family:
    model_type = str(content.get("model_type"))
    if model_type not in _MODEL_TYPES:
        supported = ", ".join(_MODEL_TYPES)
        raise ModelNotFound(
            f'{where}: model_type "{model_type}" is not supported by numpy_gemma, which runs {supported}; '
            "llama.cpp and transformers run others"
        )
    return _MODEL_TYPES[model_type]


def _refuse_variants(config: ConfigTable) -> None:
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


def _layers(config: ConfigTable, family: Family) -> tuple[LayerKind, ...]:
    """Return the kind of each layer, from `layer_types` or from the older pattern *every n-th is global*."""
    number = config.count("num_hidden_layers", 26)
    types = config.content.get("layer_types")
    if types is None:
        pattern = config.count("sliding_window_pattern", _DEFAULTS[family].pattern)
        return tuple("local" if (index + 1) % pattern else "global" for index in range(number))
    if not isinstance(types, list) or len(types) != number or any(t not in _LAYER_TYPES for t in types):
        config.fail(f"layer_types needs {number} entries, each sliding_attention or full_attention")
    return tuple(_LAYER_TYPES[layer_type] for layer_type in types)


def _scaled(architecture: Architecture, scaling: RopeScaling) -> Architecture:
    """Return the architecture with its layers turned by `scaling`, and the limit that this gives it."""
    own = architecture.rope["global"].scaling.original_max_position_embeddings or architecture.named_tokens
    if scaling.rope_type != "default" and scaling.original_max_position_embeddings is None:
        scaling = replace(scaling, original_max_position_embeddings=own)
    found = flaws(scaling, head_dim=architecture.head_dim, own_tokens=architecture.named_tokens)
    if scaling.apply_to == "global" and "global" not in architecture.layers:
        found = (*found, 'the model has no global layers; apply_to = "all" is needed')
    if found:
        raise BackendError(f"rope_scaling of type {scaling.rope_type}: {'; '.join(found)}")
    scaled = LAYER_KINDS if scaling.apply_to == "all" else ("global",)
    rope = {
        kind: replace(turned, scaling=scaling if kind in scaled else RopeScaling())
        for kind, turned in architecture.rope.items()
    }
    limit = extended_tokens(scaling, own_tokens=architecture.named_tokens)
    return replace(architecture, rope=rope, context_tokens=limit)


def _way_out(tokens: int, architecture: Architecture) -> str:
    """Return the scaling that would make room for so many tokens, unless it is beyond what any can do."""
    original = architecture.rope["global"].scaling.original_max_position_embeddings
    factor = -(-tokens // (original or architecture.named_tokens))
    if factor > MOST_STRETCHED:
        return ""
    example = f'rope_scaling = {{ rope_type = "yarn", factor = {factor}.0 }}'
    return f", or stretch the model with rope_scaling, as {example}"
