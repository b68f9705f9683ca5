"""Records what `transformers` computes, so that the oracle tests need no torch.

    python tests/oracle/record.py            everything
    python tests/oracle/record.py pocket     the model that ships, after it changed

Each folder under recorded/ is a small random model as `save_pretrained` writes it, and `expected.safetensors`
the ids that were read and the logits after each. recorded/pocket.safetensors is the same for the model that
ships, some rows only. Needs `pip install "gemma_eval[train]"`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

transformers = import_module("transformers")  # not a typed package

RECORDED = Path(__file__).parent / "recorded"
POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
LENGTH = 40

SIZES: Mapping[str, object] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "query_pre_attn_scalar": 12,
    "sliding_window": 7,
    "max_position_embeddings": 256,
}
GLOBAL, LOCAL = "full_attention", "sliding_attention"
MODELS: Mapping[str, Mapping[str, object]] = {
    "gemma2": {
        **SIZES,
        "model_type": "gemma2",
        "num_hidden_layers": 4,
        "attn_logit_softcapping": 1.5,
        "final_logit_softcapping": 2.0,
    },
    "gemma2-multi-head": {
        **SIZES,
        "model_type": "gemma2",
        "num_key_value_heads": 4,
        "sliding_window": 1,
        "num_hidden_layers": 2,
    },
    "gemma3": {**SIZES, "model_type": "gemma3_text", "num_hidden_layers": 6, "sliding_window_pattern": 3},
    "gemma3-linear-rope": {
        **SIZES,
        "model_type": "gemma3_text",
        "num_key_value_heads": 1,
        "num_hidden_layers": 5,
        "layer_types": [GLOBAL, LOCAL, LOCAL, GLOBAL, LOCAL],
        "rope_parameters": {
            GLOBAL: {"rope_type": "linear", "rope_theta": 100_000.0, "factor": 8.0},
            LOCAL: {"rope_type": "default", "rope_theta": 100.0},
        },
        "final_logit_softcapping": 2.0,
    },
    "gemma3-yarn-rope": {
        **SIZES,
        "model_type": "gemma3_text",
        "num_hidden_layers": 2,
        "sliding_window_pattern": 2,
        "rope_parameters": {
            GLOBAL: {
                "rope_type": "yarn",
                "rope_theta": 1000.0,
                "factor": 4.0,
                "beta_fast": 1.0,
                "mscale": 2.0,
                "original_max_position_embeddings": 16,
                "beta_slow": 0.1,
                "mscale_all_dim": 0.5,
            },
            LOCAL: {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0},
        },
        "max_position_embeddings": 16,
    },
    "gemma3-longrope": {
        **SIZES,
        "model_type": "gemma3_text",
        "num_hidden_layers": 2,
        "sliding_window_pattern": 2,
        "rope_parameters": {
            GLOBAL: {
                "rope_type": "longrope",
                "rope_theta": 1000.0,
                "original_max_position_embeddings": 32,
                "short_factor": [1.0, 1.0, 1.0, 1.0],
                "long_factor": [1.0, 1.5, 3.0, 8.0],
            },
            LOCAL: {"rope_type": "default", "rope_theta": 100.0},
        },
    },
    "gemma2-yarn-rope": {
        **SIZES,
        "model_type": "gemma2",
        "num_hidden_layers": 2,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1000.0,
            "factor": 4.0,
            "truncate": False,
            "original_max_position_embeddings": 64,
        },
    },
    "gemma3-bfloat16-shards": {
        **SIZES,
        "model_type": "gemma3_text",
        "hidden_size": 64,
        "num_hidden_layers": 6,
    },
    "gemma3-multimodal": {
        "model_type": "gemma3",
        "mm_tokens_per_image": 1,
        "text_config": {
            **SIZES,
            "model_type": "gemma3_text",
            "num_hidden_layers": 3,
            "sliding_window_pattern": 3,
        },
        "vision_config": {
            "hidden_size": 8,
            "intermediate_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "image_size": 8,
            "patch_size": 4,
        },
    },
}
"""What is recorded: every feature of the architecture is in at least one model, where it shows."""


POCKET_SCALINGS: Mapping[str, Mapping[str, object]] = {
    "default": {"rope_type": "default"},
    "linear": {"rope_type": "linear", "factor": 4.0},
    "ntk": {"rope_type": "ntk", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 128},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
    "yarn-bare": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 128,
        "attention_factor": 1.0,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "truncate": False,
    },
    "llama3": {"rope_type": "llama3", "factor": 4.0, "original_max_position_embeddings": 128},
    "longrope": {
        "rope_type": "longrope",
        "factor": 4.0,
        "original_max_position_embeddings": 128,
        "short_factor": [1.0] * 16,
        "long_factor": [1.0 + 0.2 * index for index in range(16)],
    },
}
"""How the shipped model is scaled, in the keys of models.toml, on its global layers."""


class Loadable(Protocol):
    """A model class of transformers."""

    def from_pretrained(self, folder: Path, **settings: object) -> Any:  # noqa: ANN401 - not a typed package
        """Load the model in `folder`."""


def record(name: str, settings: Mapping[str, object]) -> None:
    """Write a random model and what it answers."""
    folder = RECORDED / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(len(name))
    config = transformers.AutoConfig.for_model(**settings)
    multimodal = settings["model_type"] == "gemma3"
    auto = transformers.Gemma3ForConditionalGeneration if multimodal else transformers.AutoModelForCausalLM
    model = auto(config) if multimodal else auto.from_config(config)
    _leave_no_parameter_neutral(model)
    stored = model.to(torch.bfloat16) if "bfloat16" in name else model
    stored.save_pretrained(folder, max_shard_size="40KB" if "shards" in name else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids = np.random.RandomState(7).randint(4, 60, size=LENGTH)
    logits = reference_logits(auto, folder, ids)
    save_file({"ids": ids.astype(np.int64), "logits": logits}, folder / "expected.safetensors")
    print(f"{name}: logits within ±{np.abs(logits).max():.2f}, spread {logits.std():.2f}")


def record_pocket() -> None:
    """Write the logits of the shipped model for a conversation longer than its window, some rows only."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(POCKET)
    context = "\n".join(f"- {name} lives in {place}." for name, place in _FACTS)
    question = f"Context:\n{context}\n\nQuestion: Where does Finn live?"
    text = f"<bos><start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\nOslo<end_of_turn>\n"
    ids = np.array(tokenizer.encode(text * 2, add_special_tokens=False), dtype=np.int64)
    rows = np.unique(np.linspace(0, len(ids) - 1, 24).astype(np.int64))
    logits = reference_logits(transformers.AutoModelForCausalLM, POCKET, ids)[rows]
    digest = hashlib.sha256((POCKET / "model.safetensors").read_bytes()).hexdigest()
    target = RECORDED / "pocket.safetensors"
    save_file({"ids": ids, "rows": rows, "logits": logits}, target, metadata={"model_sha256": digest})
    print(f"pocket: {len(ids)} tokens, {len(rows)} rows, logits within ±{np.abs(logits).max():.2f}")


def record_pocket_scalings() -> None:
    """Write what the shipped model answers under each scaling, well beyond the length that is stretched."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(POCKET)
    facts = "\n".join(f"- {name} lives in {place}." for name, place in _FACTS)
    text = f"<bos><start_of_turn>user\nContext:\n{facts}\n\nQuestion: Where does Mia live?<end_of_turn>\n"
    ids = np.array((tokenizer.encode(text, add_special_tokens=False) * 20)[:500], dtype=np.int64)
    rows = np.array([1, 100, 200, 350, 499])
    logits = {name: scaled_logits(scaling, ids)[rows] for name, scaling in POCKET_SCALINGS.items()}
    digest = hashlib.sha256((POCKET / "model.safetensors").read_bytes()).hexdigest()
    metadata = {"model_sha256": digest, "scalings": json.dumps(POCKET_SCALINGS)}
    save_file({"ids": ids, "rows": rows, **logits}, RECORDED / "pocket-rope.safetensors", metadata=metadata)
    print(f"pocket: {len(ids)} tokens under {len(logits)} scalings")


def scaled_logits(scaling: Mapping[str, object], ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the logits [L, V] of the shipped model with a scaling of its global layers."""
    config = transformers.AutoConfig.from_pretrained(POCKET)
    parameters = config.rope_parameters[GLOBAL]
    if scaling["rope_type"] == "ntk":  # a type that transformers does not have: another base
        factor, head_dim = float(str(scaling["factor"])), config.head_dim
        parameters["rope_theta"] *= factor ** (head_dim / (head_dim - 2))
    else:
        parameters |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0, **scaling}
    if scaling["rope_type"] == "dynamic":  # which takes the original length from here
        config.max_position_embeddings = scaling["original_max_position_embeddings"]
    config.rope_parameters["truncate"] = scaling.get("truncate", True)  # is read here, not below the layers
    return reference_logits(transformers.AutoModelForCausalLM, POCKET, ids, config=config)


def reference_logits(
    auto: Loadable, folder: Path, ids: NDArray[np.int64], **settings: object
) -> NDArray[np.float32]:
    """Return the logits [L, V] that `transformers` computes in float32 from `folder`, without a cache."""
    model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **settings)
    with torch.no_grad():
        output = model.eval()(input_ids=torch.from_numpy(ids)[None], use_cache=False)
    return np.ascontiguousarray(output.logits[0].float().numpy(), dtype=np.float32)


_FACTS = (("Ada", "Rome"), ("Finn", "Oslo"), ("Mia", "Paris"), ("Ben", "Lima"), ("Cleo", "Cairo"))


def _leave_no_parameter_neutral(model: torch.nn.Module) -> None:
    """Draw every parameter anew: a norm weight of 0 would hide a missing (1 + w)."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "vision" in name:
                parameter.zero_()
            elif name.endswith("norm.weight"):
                parameter.normal_(0.0, 0.3)
            else:
                parameter.normal_(0.0, 1.5 * parameter.shape[-1] ** -0.5)


def main() -> None:
    """Record what is asked for; everything when nothing is named."""
    parser = argparse.ArgumentParser(description="Record the logits of transformers.")
    parser.add_argument("names", nargs="*", help="of the folders under recorded/, or `pocket`; all when none")
    names = parser.parse_args().names
    for name in [name for name in MODELS if not names or name in names]:
        record(name, MODELS[name])
    if (not names or "pocket" in names) and (POCKET / "model.safetensors").exists():
        record_pocket()
        record_pocket_scalings()
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    (RECORDED / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
