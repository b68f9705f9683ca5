"""Writes a checkpoint as a Hugging Face model directory: `python training/export.py CHECKPOINT DIRECTORY`."""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import tokenizer as bpe
from checkpoints import load_model
from model import Pocket, Shape

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set told = messages[0]['content'] | trim + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set told = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' "
    "+ (told if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def export(model: Pocket, tokenizer: Tokenizer, directory: Path) -> None:
    """Write config, generation config, tokenizer, chat template and fp32 weights."""
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "config.json", config(model.shape))
    write_json(directory / "generation_config.json", generation_config())
    write_json(directory / "tokenizer_config.json", tokenizer_config(model.shape))
    (directory / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    tokenizer.save(str(directory / "tokenizer.json"))
    state = {name: value.contiguous().float() for name, value in model.hugging_face_state().items()}
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})


def config(shape: Shape) -> dict[str, object]:
    """Return the configuration with the keys of both older and newer readers."""
    kinds = [
        "full_attention" if shape.is_global(layer) else "sliding_attention" for layer in range(shape.layers)
    ]
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "query_pre_attn_scalar": shape.head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps,
        "sliding_window": shape.window,
        "sliding_window_pattern": shape.global_every,
        "layer_types": kinds,
        "rope_theta": shape.theta_global,
        "rope_local_base_freq": shape.theta_local,
        "rope_scaling": None,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": shape.theta_global},
            "sliding_attention": {"rope_type": "default", "rope_theta": shape.theta_local},
        },
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "tie_word_embeddings": True,
        "use_cache": True,
        "initializer_range": 0.02,
        "pad_token_id": bpe.PAD,
        "bos_token_id": bpe.BOS,
        "eos_token_id": [bpe.EOS, bpe.END_OF_TURN],
        "torch_dtype": "float32",
        "dtype": "float32",
    }


def generation_config() -> dict[str, object]:
    """Return the ids that start and stop a generation."""
    return {"bos_token_id": bpe.BOS, "eos_token_id": [bpe.EOS, bpe.END_OF_TURN], "pad_token_id": bpe.PAD}


def tokenizer_config(shape: Shape) -> dict[str, object]:
    """Return the tokenizer's settings; the template writes `<bos>` itself, so encoding must not add one."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "<eos>",
        "bos_token": "<bos>",
        "unk_token": "<unk>",
        "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context,
        "chat_template": CHAT_TEMPLATE,
    }


def write_json(path: Path, value: dict[str, object]) -> None:
    """Write a mapping as indented JSON."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Read the options and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer, _ = load_model(options.checkpoint)
    export(model, tokenizer, options.directory)


if __name__ == "__main__":
    main()
