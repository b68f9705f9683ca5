"""Greedy completion in batches, and the model as the exported directory holds it."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

import tokenizer as bpe
from model import Pocket, Shape


def load_exported(directory: Path) -> tuple[Pocket, Tokenizer]:
    """Return the model and tokenizer of an exported directory."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        vocab=config["vocab_size"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        feed_forward=config["intermediate_size"],
        window=config["sliding_window"],
        global_every=config["sliding_window_pattern"],
        context=config["max_position_embeddings"],
        theta_global=config["rope_theta"],
        theta_local=config["rope_local_base_freq"],
        eps=config["rms_norm_eps"],
    )
    model = Pocket(shape, roots=list(range(shape.vocab)), spaced=[False] * shape.vocab)
    state = load_file(directory / "model.safetensors")
    table = state.pop("model.embed_tokens.weight")
    missing, unexpected = model.load_state_dict(
        {
            "embed_tokens.table": table,
            **{name.removeprefix("model."): value for name, value in state.items()},
        },
        strict=False,
    )
    if unexpected or any(not name.startswith("embed_tokens.") for name in missing):
        raise ValueError(
            f"{directory}: tensors missing {missing}, unexpected {unexpected}: export the model again"
        )
    return model.eval(), bpe.load(directory / "tokenizer.json")


@torch.no_grad()
def next_logits(model: Pocket, prompts: list[list[int]]) -> Tensor:
    """Return the logits `[B, V]` of the token after each prompt."""
    length = max(map(len, prompts))
    ids = torch.tensor([[*p, *([bpe.PAD] * (length - len(p)))] for p in prompts])
    segments = torch.tensor([[1] * len(p) + [0] * (length - len(p)) for p in prompts])
    hidden, table = model(ids, segments)
    last = hidden[torch.arange(len(prompts)), torch.tensor([len(p) - 1 for p in prompts])]
    logits: Tensor = last @ table.T
    return logits


def complete(
    model: Pocket, tokenizer: Tokenizer, prompts: list[str], *, max_tokens: int, rows: int = 64
) -> list[str | None]:
    """Return the greedy answer to each prompt text; None if it did not stop by itself within `max_tokens`."""
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(prompts, add_special_tokens=False)]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    answers: list[str | None] = [None] * len(prompts)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        for index, ids in zip(chosen, _decode(model, [encoded[i] for i in chosen], max_tokens), strict=True):
            answers[index] = None if ids is None else tokenizer.decode(ids)
    return answers


def _decode(model: Pocket, prompts: list[list[int]], max_tokens: int) -> list[list[int] | None]:
    sequences = [list(p) for p in prompts]
    running = list(range(len(prompts)))
    done: list[list[int] | None] = [None] * len(prompts)
    for _ in range(max_tokens):
        best = next_logits(model, [sequences[i] for i in running]).argmax(-1).tolist()
        for index, token in zip(running, best, strict=True):
            if token in (bpe.EOS, bpe.END_OF_TURN):
                done[index] = sequences[index][len(prompts[index]) :]
            else:
                sequences[index].append(token)
        running = [index for index in running if done[index] is None]
        if not running:
            break
    return done
