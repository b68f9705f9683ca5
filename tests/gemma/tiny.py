"""A random Gemma 3 that is small enough to be made by a test: a whole Hugging Face folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

SPECIALS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
EOS, BOS, END_OF_TURN = 1, 2, 5
CHAT_TEMPLATE = "{{ bos_token }}{{ messages[0]['content'] }}"
WORDS = ("Oslo", " Rome", "lives", " in")

CONFIG: Mapping[str, object] = {
    "model_type": "gemma3_text",
    "vocab_size": 288,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "query_pre_attn_scalar": 4,
    "sliding_window": 5,
    "sliding_window_pattern": 2,
    "max_position_embeddings": 128,
    "eos_token_id": EOS,
}


def write_model(folder: Path, *, config: Mapping[str, object] | None = None, seed: int = 0) -> Path:
    """Write config, tokenizer and random weights; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {**CONFIG, **(config or {})}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [EOS, END_OF_TURN]}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
    tokenizer().save(str(folder / "tokenizer.json"))
    save_file(random_weights(settings, seed=seed), folder / "model.safetensors")
    return folder


def merge_a_pair(folder: Path) -> None:
    """Give the tokenizer in `folder` its only merge: llama.cpp loads none without."""
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["er"] = 280
    content["model"]["merges"] = [["e", "r"]]
    (folder / "tokenizer.json").write_text(json.dumps(content))


def tokenizer() -> Tokenizer:
    """Return a byte-level tokenizer with Gemma's special tokens, which by itself puts `<bos>` first."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIALS, *alphabet]
    made = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate(tokens)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    made.add_tokens(list(WORDS))
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair=None, special_tokens=[("<bos>", BOS)]
    )
    return made


def random_weights(config: Mapping[str, object], *, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a Gemma of that shape; greedy answers vary, for the embedding is large."""
    draw = np.random.default_rng(seed)
    size = {name: int(str(value)) for name, value in config.items() if isinstance(value, int)}
    hidden, ff, head = size["hidden_size"], size["intermediate_size"], size["head_dim"]
    heads, kv_heads = size["num_attention_heads"], size["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens": (size["vocab_size"], hidden), "norm": (hidden,)}
    for index in range(size["num_hidden_layers"]):
        layer = f"layers.{index}"
        for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            shapes[f"{layer}.{norm}_layernorm"] = (hidden,)
        shapes[f"{layer}.self_attn.q_proj"] = (heads * head, hidden)
        shapes[f"{layer}.self_attn.k_proj"] = (kv_heads * head, hidden)
        shapes[f"{layer}.self_attn.v_proj"] = (kv_heads * head, hidden)
        shapes[f"{layer}.self_attn.o_proj"] = (hidden, heads * head)
        shapes[f"{layer}.self_attn.q_norm"] = (head,)
        shapes[f"{layer}.self_attn.k_norm"] = (head,)
        shapes[f"{layer}.mlp.gate_proj"] = (ff, hidden)
        shapes[f"{layer}.mlp.up_proj"] = (ff, hidden)
        shapes[f"{layer}.mlp.down_proj"] = (hidden, ff)
    drawn = {
        f"model.{name}.weight": (draw.standard_normal(shape) * shape[-1] ** -0.5).astype(np.float32)
        for name, shape in shapes.items()
    }
    if config["model_type"] != "gemma2":
        return drawn
    return {
        name: values
        for name, values in drawn.items()
        if not name.endswith(("q_norm.weight", "k_norm.weight"))
    }
