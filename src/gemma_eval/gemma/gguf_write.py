"""Writes a Gemma as a GGUF file that llama.cpp runs with the same result."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import architecture, gguf_package, gguf_vocabulary, tokenizer
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.gguf_architecture import query_size
from gemma_eval.gemma.gguf_names import NORM, in_gguf
from gemma_eval.gemma.tensors import Array, StoredTensor, find_tensors
from gemma_eval.records import RopeScaling

Dtype = Literal["F32", "F16", "Q8_0", "Q4_0"]
DTYPES: tuple[Dtype, ...] = ("F32", "F16", "Q8_0", "Q4_0")
"""How matrices may be stored; norms are always float32."""


def write(folder: Path, target: Path, *, dtype: Dtype) -> None:
    """Write the Gemma 2 or 3 in `folder` to `target`, which appears whole or not at all.

    What llama.cpp has no key for is folded into the weights or refused. Needs the `gguf` package. Raises
    MissingDependency, ModelNotFound: damaged, or something that GGUF cannot say of a Gemma.
    """
    gguf = gguf_package.load("writing a GGUF file")
    shape = architecture.load(folder)
    tensors = tuple(_tensors(folder, shape, dtype))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        writer = gguf.GGUFWriter(partial, shape.family)
        try:
            _describe(writer, shape, folder, dtype, gguf)
            _write_tensors(writer, tensors, gguf)
        finally:
            writer.close()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tensor:
    """A tensor as it will be written; it is read and packed when its turn comes."""

    name: str
    stored: StoredTensor
    dtype: str
    factor: float = 1.0

    def values(self) -> Array:
        """Return the values that GGUF wants, in float32."""
        values = self.stored.read()
        if self.name.endswith(NORM):
            values = values + np.float32(1)
        return values if self.factor == 1 else values * np.float32(self.factor)


def _tensors(folder: Path, shape: Architecture, dtype: Dtype) -> Iterator[_Tensor]:
    """Yield the tensors; llama.cpp always divides scores by √H, another scale is folded into the queries."""
    divided_by = query_size(
        shape.family,
        layers=len(shape.layers),
        hidden_size=shape.hidden_size,
        heads=shape.heads,
        head_dim=shape.head_dim,
    )
    factor = shape.query_scale * divided_by**0.5
    scaled = "attn_q_norm.weight" if shape.qk_norm else "attn_q.weight"
    found = find_tensors(folder)
    if "embed_tokens.weight" not in found:
        raise ModelNotFound(f"{folder}: the safetensors files hold no tensor *.embed_tokens.weight")
    for name, stored in found.items():
        gguf_name = in_gguf(name)
        if gguf_name is None:
            continue
        matrix = len(stored.shape) == 2
        if matrix and dtype.startswith("Q") and stored.shape[1] % BLOCK:
            raise ModelNotFound(
                f"{folder}: {name} has rows of {stored.shape[1]} values; {dtype} packs blocks of {BLOCK}, "
                "use F16 or F32"
            )
        yield _Tensor(
            name=gguf_name,
            stored=stored,
            dtype=dtype if matrix else "F32",
            factor=factor if gguf_name.endswith(scaled) else 1.0,
        )


BLOCK = 32
"""The values that share a scale in Q8_0 and Q4_0."""


def _describe(writer: Any, shape: Architecture, folder: Path, dtype: Dtype, gguf: Any) -> None:  # noqa: ANN401
    """Write the sizes and the tokenizer."""
    file_type = {"F32": "ALL_F32"}.get(dtype, f"MOSTLY_{dtype}")
    writer.add_name(folder.resolve().name)
    writer.add_file_type(getattr(gguf.LlamaFileType, file_type))
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(len(shape.layers))
    writer.add_feed_forward_length(shape.feed_forward_size)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_sliding_window(shape.window)
    writer.add_sliding_window_pattern(_pattern(shape, folder))
    if shape.attention_softcap is not None:
        writer.add_attn_logit_softcapping(shape.attention_softcap)
    if shape.final_softcap is not None:
        writer.add_final_logit_softcapping(shape.final_softcap)
    _describe_rope(writer, shape, folder, gguf)
    _describe_tokenizer(writer, shape, folder)


def _pattern(shape: Architecture, folder: Path) -> int | list[bool]:
    """Return n when every n-th layer is global, else whether each layer is local."""
    number = len(shape.layers)
    if "local" not in shape.layers:
        raise ModelNotFound(f"{folder}: llama.cpp runs no Gemma whose layers are all global")
    for pattern in range(2, number + 2):
        if shape.layers == tuple("local" if (i + 1) % pattern else "global" for i in range(number)):
            return pattern
    return [kind == "local" for kind in shape.layers]


def _describe_rope(writer: Any, shape: Architecture, folder: Path, gguf: Any) -> None:  # noqa: ANN401
    wide, near = shape.rope["global"], shape.rope["local"]
    writer.add_rope_freq_base(wide.theta)
    writer.add_rope_freq_base_swa(near.theta)
    scaling = wide.scaling
    if scaling == near.scaling == RopeScaling():
        return
    if near.scaling != (scaling if shape.family == "gemma2" else RopeScaling()):
        raise ModelNotFound(f"{folder}: GGUF scales all layers of a Gemma 2 and the global ones of a Gemma 3")
    if not _sayable(scaling):
        raise ModelNotFound(f"{folder}: GGUF has no words for its RoPE scaling of type {scaling.rope_type}")
    writer.add_rope_scaling_type(gguf.RopeScalingType[scaling.rope_type.upper()])
    writer.add_rope_scaling_factor(scaling.factor)
    if scaling.rope_type == "yarn":
        writer.add_rope_scaling_orig_ctx_len(wide.original_tokens)


def _sayable(scaling: RopeScaling) -> bool:
    """Whether llama.cpp computes the scaling from what a GGUF file can say of it."""
    said = RopeScaling(
        rope_type=scaling.rope_type,
        factor=scaling.factor,
        original_max_position_embeddings=scaling.original_max_position_embeddings,
        apply_to=scaling.apply_to,
    )
    return scaling.rope_type in ("linear", "yarn") and scaling == said


def _describe_tokenizer(writer: Any, shape: Architecture, folder: Path) -> None:  # noqa: ANN401
    vocabulary = gguf_vocabulary.load(folder, size=shape.vocab_size)
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.kinds)
    if vocabulary.model == "gpt2":
        writer.add_token_merges(vocabulary.merges)
    else:
        writer.add_token_scores(vocabulary.scores)
    writer.add_add_bos_token(vocabulary.add_bos)
    writer.add_add_eos_token(False)  # noqa: FBT003 - the package's signature
    writer.add_add_space_prefix(vocabulary.add_space_prefix)
    ids: Mapping[str, int | None] = {
        "bos": vocabulary.bos,
        "eos": vocabulary.eos,
        "eot": vocabulary.end_of_turn,
        "unk": vocabulary.unknown,
        "pad": vocabulary.padding,
    }
    for name, index in ids.items():
        if index is not None:
            getattr(writer, f"add_{name}_token_id")(index)
    template = tokenizer.load(folder).chat_template
    if template is not None:
        writer.add_chat_template(template)


def _write_tensors(writer: Any, tensors: tuple[_Tensor, ...], gguf: Any) -> None:  # noqa: ANN401
    """Announce every tensor, then write one after the other: no more than one is in memory."""
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType[tensor.dtype]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        n_bytes = int(np.prod(tensor.stored.shape)) // block * size
        writer.add_tensor_info(tensor.name, tensor.stored.shape, np.dtype(np.float32), n_bytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType[tensor.dtype]
        writer.write_tensor_data(gguf.quants.quantize(tensor.values(), kind))
