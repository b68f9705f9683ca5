"""The weights under the names the computation uses, with products of the same input fused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.tensors import Array, Tensor, Tensors, find_tensors, widen


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LayerWeights:
    """One layer. A `gain` is 1 + w of the stored RMSNorm weight; matrices are [outputs, inputs]."""

    qkv: Array
    """[(N + 2K)·H, D]: queries, keys and values of all heads in one product."""
    attention_out: Array
    """[D, N·H]"""
    gate_up: Array
    """[2F, D]"""
    down: Array
    """[D, F]"""
    attention_in_gain: Array
    attention_out_gain: Array
    feed_forward_in_gain: Array
    feed_forward_out_gain: Array
    qk_gain: Array | None
    """[N + K, H]: the gain of each query and key head, `None` for Gemma 2."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Weights:
    """A whole model; the embedding [V, D] is also the head.

    `embedding_scale` is √D; that of a folder is rounded as the stored dtype rounds it, for Gemma multiplies
    in that dtype: √640 is 25.25 in bfloat16.
    """

    embedding: Array
    embedding_scale: np.float32
    layers: tuple[LayerWeights, ...]
    final_gain: Array
    stored_dtype: str
    parameters: int


def load(folder: Path, architecture: Architecture) -> Weights:
    """Read the weights in `folder`. Raises ModelNotFound: a file or tensor absent, damaged or misshapen."""
    found = find_tensors(folder)
    return build(Tensors(where=folder, named=found, convention="folder"), architecture)


def build(tensors: Tensors, architecture: Architecture) -> Weights:
    """Read the weights of a model. Raises ModelNotFound: a tensor absent, too many, damaged or misshapen."""
    stored = _Stored(tensors)
    a = architecture
    embedding = stored.take("embed_tokens.weight", a.vocab_size, a.hidden_size)
    dtype = stored.dtype("embed_tokens.weight")
    layers = tuple(_layer(stored, f"layers.{index}", a) for index in range(len(a.layers)))
    final_gain = stored.gain("norm", a.hidden_size)
    stored.refuse_the_rest()
    return Weights(
        embedding=embedding,
        embedding_scale=rounded(a.embedding_scale, dtype=dtype if tensors.convention == "folder" else "F32"),
        layers=layers,
        final_gain=final_gain,
        stored_dtype=dtype,
        parameters=stored.taken,
    )


def rounded(value: float, *, dtype: str) -> np.float32:
    """Return `value` as the nearest number of a safetensors dtype, ties to even."""
    if dtype == "F16":
        return np.float32(np.float16(value))
    if dtype == "BF16":
        bits = int(np.float32(value).view(np.uint32))
        upper = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
        return np.float32(widen(np.array([upper], np.uint16), dtype=dtype)[0])
    return np.float32(value)


class _Stored:
    """The tensors of a checkpoint, checked for presence, shape and finite values as they are taken."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._names: set[str] = set()
        self.taken = 0

    def take(self, name: str, *shape: int) -> Array:
        """Return a tensor of that shape."""
        tensor = self._find(name)
        if tensor.shape != shape:
            asking = "config.json asks" if self._tensors.convention == "folder" else "its metadata ask"
            raise ModelNotFound(
                f"{tensor.file}: {name} has shape {list(tensor.shape)}, {asking} for {list(shape)}"
            )
        self._names.add(name)
        self.taken += int(np.prod(shape))
        values = tensor.read()
        # in float64 finite values cannot overflow, and a sum needs no copy of a large tensor
        with np.errstate(invalid="ignore"):
            total = values.sum(dtype=np.float64)
        if not np.isfinite(total):
            raise ModelNotFound(f"{tensor.file}: {name} holds values that are not finite; is the file whole?")
        return values

    def gain(self, name: str, size: int) -> Array:
        """Return 1 + w of a norm."""
        values = self.take(f"{name}.weight", size)
        return values if self._tensors.convention == "gguf" else np.float32(1.0) + values

    def refuse_the_rest(self) -> None:
        """Raise ModelNotFound for a layer's tensor that nobody took: without it, another model would run."""
        for name in self._tensors.named:
            if name.startswith("layers.") and name.endswith((".weight", ".bias")) and name not in self._names:
                whose = (
                    "config.json describes"
                    if self._tensors.convention == "folder"
                    else "its metadata describe"
                )
                raise ModelNotFound(
                    f"{self._tensors.where}: the tensor {name} is of no layer that {whose}; "
                    "are they of different models?"
                )

    def dtype(self, name: str) -> str:
        """Return how a tensor is stored."""
        return self._find(name).dtype

    def _find(self, name: str) -> Tensor:
        found = self._tensors.named.get(name)
        if found is None:
            holds = "the safetensors files hold" if self._tensors.convention == "folder" else "it holds"
            raise ModelNotFound(f"{self._tensors.where}: {holds} no tensor *.{name}")
        return found


def _layer(stored: _Stored, prefix: str, a: Architecture) -> LayerWeights:
    hidden, ff = a.hidden_size, a.feed_forward_size
    q_size, kv_size = a.heads * a.head_dim, a.kv_heads * a.head_dim
    attention, mlp = f"{prefix}.self_attn", f"{prefix}.mlp"
    qkv = [
        stored.take(f"{attention}.q_proj.weight", q_size, hidden),
        stored.take(f"{attention}.k_proj.weight", kv_size, hidden),
        stored.take(f"{attention}.v_proj.weight", kv_size, hidden),
    ]
    gate_up = [stored.take(f"{mlp}.{name}_proj.weight", ff, hidden) for name in ("gate", "up")]
    return LayerWeights(
        qkv=np.concatenate(qkv),
        attention_out=stored.take(f"{attention}.o_proj.weight", hidden, q_size),
        gate_up=np.concatenate(gate_up),
        down=stored.take(f"{mlp}.down_proj.weight", hidden, ff),
        attention_in_gain=stored.gain(f"{prefix}.input_layernorm", hidden),
        attention_out_gain=stored.gain(f"{prefix}.post_attention_layernorm", hidden),
        feed_forward_in_gain=stored.gain(f"{prefix}.pre_feedforward_layernorm", hidden),
        feed_forward_out_gain=stored.gain(f"{prefix}.post_feedforward_layernorm", hidden),
        qk_gain=_qk_gain(stored, attention, a) if a.qk_norm else None,
    )


def _qk_gain(stored: _Stored, attention: str, a: Architecture) -> Array:
    """Stack the gains of queries and keys, so that one normalisation does for both."""
    q_gain = stored.gain(f"{attention}.q_norm", a.head_dim)
    k_gain = stored.gain(f"{attention}.k_norm", a.head_dim)
    return np.concatenate([np.tile(q_gain, (a.heads, 1)), np.tile(k_gain, (a.kv_heads, 1))])
