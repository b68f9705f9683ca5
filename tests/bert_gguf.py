"""A BERT as a GGUF file that llama.cpp serves: for tests that compare what it makes of texts with our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tests import required

_NAMES: Mapping[str, str] = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
    "pooler.dense": "cls",
    "classifier": "cls.output",
}
_CONTROL, _NORMAL = 3, 1


def write(folder: Path, target: Path, *, pooling: str) -> Path:
    """Write the BERT in `folder` to `target`; `pooling` is *MEAN*, *CLS* or *RANK*, and return the file."""
    gguf = required.module("gguf", extra="gguf")
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "bert")
    writer.add_name("small")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(value=False)
    writer.add_pooling_type(gguf.PoolingType[pooling])
    _add_vocabulary(writer, folder)
    for name, tensor in load_file(folder / "model.safetensors").items():
        kept = _name(name)
        if kept is not None and (pooling == "RANK" or not kept.startswith("cls")):
            writer.add_tensor(kept, np.ascontiguousarray(tensor, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _name(name: str) -> str | None:
    """Return what llama.cpp calls a tensor, `None` for what it does not read."""
    name = name.removeprefix("bert.")
    module, _, kind = name.rpartition(".")
    if module.startswith("encoder.layer."):
        at, _, inside = module.removeprefix("encoder.layer.").partition(".")
        return f"blk.{at}.{_NAMES[inside]}.{kind}"
    return f"{_NAMES[module]}.{kind}" if module in _NAMES else None


def _add_vocabulary(writer, folder: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Add the words, each that begins one with a mark before it, and those that continue one without."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    control = [word.startswith("[") and word.endswith("]") for word in words]
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    writer.add_token_list(
        [
            word if is_control else word.removeprefix("##") if word.startswith("##") else f"\u2581{word}"
            for word, is_control in zip(words, control, strict=True)
        ]
    )
    writer.add_token_types([_CONTROL if is_control else _NORMAL for is_control in control])
    # of a pair: [CLS] query [SEP] passage [SEP]
    writer.add_add_bos_token(value=True)
    writer.add_add_eos_token(value=True)
    writer.add_add_sep_token(value=False)
    for add, word in (
        (writer.add_bos_token_id, "[CLS]"),
        (writer.add_eos_token_id, "[SEP]"),
        (writer.add_sep_token_id, "[SEP]"),
        (writer.add_unk_token_id, "[UNK]"),
        (writer.add_pad_token_id, "[PAD]"),
    ):
        add(vocabulary[word])
