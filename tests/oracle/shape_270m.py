"""A random Gemma 3 of the true 270M shape, the same on every machine, and what transformers makes of it.

    python tests/oracle/shape_270m.py      record the logits again; needs pip install "gemma_eval[train]"

Weights are made from raw bits of Philox, which NumPy keeps the same in every version; they are scaled so that
activations stay near 1 and every part of the model moves the logits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

from gemma_eval.gemma.tensors import Array
from tests.gemma.tiny import merge_a_pair, tokenizer

EXPECTED = Path(__file__).parent / "recorded" / "shape-270m.safetensors"
SMALL_VOCABULARY, VOCABULARY = 4096, 262_144
TOKENS = 530
"""More than the window of 512, so that its edge is in the logits."""
ROWS = (0, 1, 255, 511, 512, 529)

CONFIG: Mapping[str, object] = {
    "model_type": "gemma3_text",
    "hidden_size": 640,
    "intermediate_size": 2048,
    "num_hidden_layers": 18,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "rope_local_base_freq": 10_000.0,
    "eos_token_id": 1,
}


def ids() -> list[int]:
    """Return the tokens that are read: letters and signs, none of them special."""
    return [int(token) for token in np.random.RandomState(7).randint(6, 262, size=TOKENS)]


def write(folder: Path, *, vocab_size: int) -> Path:
    """Write the model with its embedding cut to `vocab_size` rows, and a byte-level tokenizer."""
    folder.mkdir(parents=True)
    config = {**CONFIG, "vocab_size": vocab_size, "architectures": ["Gemma3ForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer().save(str(folder / "tokenizer.json"))
    merge_a_pair(folder)
    save_file(dict(_weights(vocab_size)), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def transformers_logits(folder: Path) -> Array:
    """Return the logits [TOKENS, V] that `transformers` computes in float32 from `folder`."""
    from tests.oracle.record import reference_logits

    auto = import_module("transformers").AutoModelForCausalLM
    return reference_logits(auto, folder, np.array(ids(), dtype=np.int64))


def _weights(vocab_size: int) -> Iterator[tuple[str, Array]]:
    hidden, ff, heads, kv, head = 640, 2048, 4, 1, 256
    yield "model.embed_tokens.weight", _random("embed", vocab_size, hidden)
    yield "model.norm.weight", _random("norm", hidden)
    for index in range(18):
        shapes = {
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
            "pre_feedforward_layernorm": (hidden,),
            "post_feedforward_layernorm": (hidden,),
            "self_attn.q_proj": (heads * head, hidden),
            "self_attn.k_proj": (kv * head, hidden),
            "self_attn.v_proj": (kv * head, hidden),
            "self_attn.o_proj": (hidden, heads * head),
            "self_attn.q_norm": (head,),
            "self_attn.k_norm": (head,),
            "mlp.gate_proj": (ff, hidden),
            "mlp.up_proj": (ff, hidden),
            "mlp.down_proj": (hidden, ff),
        }
        for name, shape in shapes.items():
            yield f"model.layers.{index}.{name}.weight", _random(f"{index} {name}", *shape)


def _random(name: str, *shape: int) -> Array:
    """Return uniform values: of norms within ±0.5, of matrices with the variance 1 / inputs."""
    size = int(np.prod(shape))
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    raw = np.random.Philox(key=key).random_raw((size + 1) // 2).view(np.int32)[:size]
    half_width = 0.5 if len(shape) == 1 else (3 / shape[-1]) ** 0.5
    values: Array = raw.astype(np.float32)
    values *= np.float32(half_width / 2**31)
    return values.reshape(shape)


def main() -> None:
    """Record some rows of the logits."""
    with TemporaryDirectory() as scratch:
        logits = transformers_logits(write(Path(scratch) / "model", vocab_size=SMALL_VOCABULARY))
    save_file({"logits": np.ascontiguousarray(logits[list(ROWS)])}, EXPECTED)
    print(f"{EXPECTED.name}: logits within ±{np.abs(logits).max():.2f}, spread {logits.std():.2f}")


if __name__ == "__main__":
    main()
