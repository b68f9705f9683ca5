"""What GGUF calls the tensors of a Gemma, and which of them it stores otherwise than a folder does."""

from __future__ import annotations

import re
from collections.abc import Mapping

NORM = "norm.weight"
"""Tensors whose GGUF name ends so hold 1 + w where a folder holds w; they are always float32."""

_WHOLE: Mapping[str, str] = {"embed_tokens": "token_embd", "norm": "output_norm"}
IN_LAYER: Mapping[str, str] = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_feedforward_layernorm": "post_ffw_norm",
}
"""What follows `layers.0.` in a folder, and `blk.0.` in a file."""


def in_gguf(name: str) -> str | None:
    """Return the GGUF name of a folder's tensor, as `layers.0.mlp.up_proj.weight`; `None` if it has none.

    Source: ggml-org/llama.cpp:gguf-py/gguf/tensor_mapping.py.
    """
    layer = re.fullmatch(r"layers\.(\d+)\.(.+)\.weight", name)
    if layer is None:
        stem = _WHOLE.get(name.removesuffix(".weight"))
        return f"{stem}.weight" if stem else None
    stem = IN_LAYER.get(layer[2])
    return f"blk.{layer[1]}.{stem}.weight" if stem else None


def in_folder(name: str) -> str | None:
    """Return the folder's name of a GGUF tensor, as `blk.0.ffn_up.weight`; `None` if there is none."""
    layer = re.fullmatch(r"blk\.(\d+)\.(.+)\.weight", name)
    if layer is None:
        stem = _WHOLE_BACK.get(name.removesuffix(".weight"))
        return f"{stem}.weight" if stem else None
    stem = _IN_LAYER_BACK.get(layer[2])
    return f"layers.{layer[1]}.{stem}.weight" if stem else None


_WHOLE_BACK = {gguf: folder for folder, gguf in _WHOLE.items()}
_IN_LAYER_BACK = {gguf: folder for folder, gguf in IN_LAYER.items()}
