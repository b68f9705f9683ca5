"""The architecture that a GGUF file describes; llama.cpp's defaults fill what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import architecture
from gemma_eval.gemma.architecture import Architecture, Family
from gemma_eval.gemma.config_table import ConfigTable
from gemma_eval.gemma.gguf_header import Header, Value

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
            f'{path}: architecture "{family}" is not supported by numpy_gemma, which runs '
            f"{' and '.join(FAMILIES)}; llama.cpp's own server runs such a file"
        )
    parts = header.metadata.get("split.count", 1)
    if parts not in (0, 1):
        raise ModelNotFound(f"{path}: one of {parts} parts; join them with llama-gguf-split --merge")
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

    def size(self, key: str) -> int:
        """Return a whole number that the file must give."""
        name = f"{self.family}.{key}"
        if name not in self.content:
            self.fail(f"the key {name} is missing; was the file written for this architecture?")
        return self.count(name, 0)

    def value(self, key: str) -> Value | None:
        """Return what the file says, `None` when it says nothing."""
        return self.header.metadata.get(f"{self.family}.{key}")

    def positive(self, key: str, default: float) -> float:
        """Return a number above 0."""
        return self.number(f"{self.family}.{key}", default)


def _config(given: _Metadata) -> dict[str, object]:
    """Say in the words of a config.json what the metadata say."""
    embedding = given.header.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        given.fail("holds no matrix token_embd.weight")
    layers, heads, hidden_size = (
        given.size(key) for key in ("block_count", "attention.head_count", "embedding_length")
    )
    head_dim = _head_dim(given, hidden_size // heads)
    return {
        "model_type": "gemma2" if given.family == "gemma2" else "gemma3_text",
        "vocab_size": embedding.shape[0],
        "hidden_size": hidden_size,
        "intermediate_size": given.size("feed_forward_length"),
        "num_hidden_layers": layers,
        "layer_types": _layer_types(given, layers),
        "num_attention_heads": heads,
        "num_key_value_heads": given.value("attention.head_count_kv") or heads,
        "head_dim": head_dim,
        "sliding_window": _window(given),
        "max_position_embeddings": given.size("context_length"),
        "rms_norm_eps": given.positive("attention.layer_norm_rms_epsilon", 1e-6),
        "query_pre_attn_scalar": query_size(
            given.family, layers=layers, hidden_size=hidden_size, heads=heads, head_dim=head_dim
        ),
        **_softcaps(given),
        **_rope(given),
    }


def _head_dim(given: _Metadata, default: int) -> int:
    """Return the size of a head: keys and values have the same."""
    sizes = {given.value(f"attention.{part}_length") or default for part in ("key", "value")}
    if len(sizes) > 1:
        given.fail(f"keys and values have different sizes: {sorted(map(str, sizes))}")
    size = sizes.pop()
    if not isinstance(size, int) or isinstance(size, bool):
        given.fail(f"{given.family}.attention.key_length is {size!r}, a whole number is needed")
    return size


def _window(given: _Metadata) -> int:
    if given.family == "gemma2" and given.value("attention.sliding_window") is None:
        return 4096
    return given.size("attention.sliding_window")


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


def _softcaps(given: _Metadata) -> dict[str, object]:
    keys = ("attn_logit_softcapping", "final_logit_softcapping")
    values = {key: given.value(key) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


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
    factor = given.value("rope.scaling.factor") or given.value("rope.scale_linear")
    for key in ("attn_factor", "yarn_attn_factor", "yarn_ext_factor", "yarn_log_multiplier"):
        if given.value(f"rope.scaling.{key}") not in (None, 0, 1, -1):
            given.fail(f"{given.family}.rope.scaling.{key} is not supported by numpy_gemma")
    if kind == "none" or not factor or (kind == "linear" and factor == 1):
        return {"rope_type": "default"}
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    named = {
        "original_max_position_embeddings": given.value("rope.scaling.original_context_length"),
        "beta_fast": given.value("rope.scaling.yarn_beta_fast"),
        "beta_slow": given.value("rope.scaling.yarn_beta_slow"),
    }
    return {"rope_type": kind, "factor": factor, **{k: v for k, v in named.items() if v is not None}}
