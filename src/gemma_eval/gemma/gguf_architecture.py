"""The architecture that a GGUF file describes; llama.cpp's defaults fill what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import architecture
from gemma_eval.gemma.architecture import Architecture, Family
from gemma_eval.gemma.config_table import ConfigTable
from gemma_eval.gemma.gguf_header import Header, Value, shown

FAMILIES: tuple[Family, ...] = ("gemma2", "gemma3")
_PATTERNS: Mapping[str, int] = {"gemma2": 2, "gemma3": 6}
_LARGEST: Mapping[str, int] = {"gemma2": 46, "gemma3": 62}


def load(path: Path, header: Header) -> Architecture:
    """Return the architecture of the model in `path`. Raises ModelNotFound: unsupported or contradictory.

    Source: ggml-org/llama.cpp:src/models/{gemma2,gemma3}.cpp.
    """
    family = header.metadata.get("general.architecture")
    if family not in FAMILIES:
        raise ModelNotFound(
            f"{path}: the architecture {shown(family)} is not supported by numpy_gemma, which runs "
            f"{' and '.join(FAMILIES)}; run it with llama.cpp"
        )
    parts = header.metadata.get("split.count", 1)
    if parts not in (0, 1):
        raise ModelNotFound(f"{path}: one of {shown(parts)} parts; join them with llama-gguf-split --merge")
    config = _config(_Metadata(header, path, str(family)))
    return architecture.from_config(config, where=str(path))


def query_size(family: str, *, layers: int, hidden_size: int, heads: int, head_dim: int) -> int:
    """Return what llama.cpp divides scores by the root of: the size of a head, in the 27B models D / N."""
    return hidden_size // heads if layers == _LARGEST[family] else head_dim


class _Metadata(ConfigTable):
    """The metadata of one architecture, whose keys begin with its name."""

    def __init__(self, header: Header, path: Path, family: str) -> None:
        super().__init__(header.metadata, str(path))
        self.header = header
        self.family = family

    def size(self, key: str, default: int | None = None) -> int:
        """Return a whole number of at least 1, which the file must give when there is no default."""
        name = f"{self.family}.{key}"
        if name not in self.content and default is None:
            self.fail(f"the key {name} is missing; was the file written for this architecture?")
        return self.count(name, default or 0)

    def value(self, key: str) -> Value | None:
        """Return what the file says, `None` when it says nothing."""
        return self.header.metadata.get(f"{self.family}.{key}")

    def positive(self, key: str, default: float) -> float:
        """Return a number above 0."""
        return self.number(f"{self.family}.{key}", default)

    def positives(self, **keys: str) -> dict[str, object]:
        """Return the numbers above 0 that the file gives, by the names that a config.json has for them."""
        given = {name: self.optional_number(f"{self.family}.{key}") for name, key in keys.items()}
        return {name: value for name, value in given.items() if value is not None}

    def fail(self, what: str) -> NoReturn:
        """Raise ModelNotFound; what the file says may be long."""
        super().fail(what[:300])


def _config(given: _Metadata) -> dict[str, object]:
    """Say in the words of a config.json what the metadata say."""
    embedding = given.header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        given.fail("holds no matrix token_embd.weight")
    layers, heads, hidden_size = (
        given.size(key) for key in ("block_count", "attention.head_count", "embedding_length")
    )
    if layers > len(given.header.tensors):
        given.fail(f"{layers:,} layers are announced, it holds {len(given.header.tensors):,} tensors")
    head_dim = _head_dim(given, hidden_size // heads)
    return {
        "model_type": "gemma2" if given.family == "gemma2" else "gemma3_text",
        "vocab_size": embedding.shape[0],
        "hidden_size": hidden_size,
        "intermediate_size": given.size("feed_forward_length"),
        "num_hidden_layers": layers,
        "layer_types": _layer_types(given, layers),
        "num_attention_heads": heads,
        "num_key_value_heads": given.size("attention.head_count_kv", heads),
        "head_dim": head_dim,
        "sliding_window": _window(given),
        "max_position_embeddings": given.size("context_length"),
        "rms_norm_eps": given.positive("attention.layer_norm_rms_epsilon", 1e-6),
        "query_pre_attn_scalar": query_size(
            given.family, layers=layers, hidden_size=hidden_size, heads=heads, head_dim=head_dim
        ),
        **given.positives(
            attn_logit_softcapping="attn_logit_softcapping", final_logit_softcapping="final_logit_softcapping"
        ),
        **_rope(given),
    }


def _head_dim(given: _Metadata, default: int) -> int:
    """Return the size of a head: keys and values have the same."""
    keys, values = (given.size(f"attention.{part}_length", default) for part in ("key", "value"))
    if keys != values:
        given.fail(f"heads of {keys} for keys and {values} for values are not supported by numpy_gemma")
    return keys


def _window(given: _Metadata) -> int:
    return given.size("attention.sliding_window", 4096 if given.family == "gemma2" else None)


def _layer_types(given: _Metadata, layers: int) -> list[str]:
    """Return the kind of each layer: a number n says that every n-th is global, a list which are local."""
    pattern = given.value("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        if len(pattern) != layers:
            given.fail(f"the list of sliding windows has {len(pattern)} entries for {layers} layers")
        local = [bool(entry) for entry in pattern]
    else:
        key = f"{given.family}.attention.sliding_window_pattern"
        every = given.count(key, _PATTERNS[given.family])
        local = [bool((index + 1) % every) for index in range(layers)]
    return ["sliding_attention" if near else "full_attention" for near in local]


def _rope(given: _Metadata) -> dict[str, object]:
    """Return the bases and the scaling: of all layers in Gemma 2, of the global ones in Gemma 3."""
    scaling = _scaling(given)
    base = given.positive("rope.freq_base", 10_000.0)
    if given.family == "gemma2":
        return {"rope_parameters": {"rope_theta": base, **scaling}}
    near = given.positive("rope.freq_base_swa", 10_000.0)
    return {
        "rope_parameters": {
            "full_attention": {"rope_theta": base, **scaling},
            "sliding_attention": {"rope_theta": near, "rope_type": "default"},
        }
    }


def _scaling(given: _Metadata) -> dict[str, object]:
    kind = given.value("rope.scaling.type") or "linear"
    if kind not in ("none", "linear", "yarn"):
        given.fail(f"RoPE scaling of type {shown(kind)} is not supported in a GGUF file; linear and yarn are")
    for key, neutral in _NEUTRAL.items():
        if given.value(f"rope.scaling.{key}") not in (None, -1, neutral):
            given.fail(f"{given.family}.rope.scaling.{key} is not supported by numpy_gemma")
    factor = given.positive("rope.scaling.factor", given.positive("rope.scale_linear", 1.0))
    if kind == "none" or (kind == "linear" and factor == 1):
        return {"rope_type": "default"}
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": given.size(
            "rope.scaling.original_context_length", given.size("context_length")
        ),
    }


_NEUTRAL: Mapping[str, float] = {
    "attn_factor": 1,
    "yarn_attn_factor": 1,
    "yarn_ext_factor": 1,
    "yarn_log_multiplier": 0,
    "yarn_beta_fast": 32,
    "yarn_beta_slow": 1,
}
"""What llama.cpp does not read for a Gemma may say only what llama.cpp does."""
