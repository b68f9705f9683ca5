"""Compares an exported directory with `transformers`: `python training/verify.py DIRECTORY`."""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoTokenizer, Gemma3ForCausalLM

from documents import Turn, chat
from greedy import load_exported
from model import Pocket

TOLERANCE = 1e-4
TURNS = (
    Turn("Context:\n- Finn lives in Oslo.\n- Mia lives in Rome.\n\nQuestion: Where does Finn live?", "Oslo"),
    Turn("What is 34 + 25?", "59"),
)


def largest_difference(directory: Path) -> float:
    """Return the largest difference between our logits and those of `transformers`, at every position."""
    model, tokenizer = load_exported(directory)
    text = conversation_text()
    theirs = reference_logits(directory, encoded(tokenizer, text))
    return float((our_logits(model, tokenizer, text) - theirs).abs().max())


def conversation_text() -> str:
    """Return a conversation of about 250 tokens: longer than the local layers' window."""
    return "".join(span.text for span in chat([*TURNS] * 4))


def encoded(tokenizer: Tokenizer, text: str) -> Tensor:
    """Return token ids `[1, L]`."""
    return torch.tensor([tokenizer.encode(text, add_special_tokens=False).ids])


@torch.no_grad()
def our_logits(model: Pocket, tokenizer: Tokenizer, text: str) -> Tensor:
    """Return the lean model's logits `[1, L, V]`."""
    ids = encoded(tokenizer, text)
    hidden, table = model(ids, torch.ones_like(ids))
    logits: Tensor = hidden @ table.T
    return logits


@torch.no_grad()
def reference_logits(directory: Path, ids: Tensor) -> Tensor:
    """Return the logits `[1, L, V]` of `transformers`."""
    reference: Gemma3ForCausalLM = Gemma3ForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    )
    logits: Tensor = reference(ids).logits
    return logits


def same_rendering(directory: Path) -> bool:
    """Say whether the chat template renders what the corpus trains on, and tokenises it to the same ids."""
    ours = "".join(span.text for span in chat(list(TURNS))) + "\n"
    messages = [
        message
        for turn in TURNS
        for message in ({"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer})
    ]
    theirs = AutoTokenizer.from_pretrained(directory)
    rendered = theirs.apply_chat_template(messages, tokenize=False)
    _, tokenizer = load_exported(directory)
    ids = theirs(rendered, add_special_tokens=False).input_ids
    return bool(rendered == ours and ids == tokenizer.encode(ours, add_special_tokens=False).ids)


def main() -> None:
    """Print the comparison; fail if it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    difference, rendered = largest_difference(directory), same_rendering(directory)
    print(f"largest logit difference {difference:.2e} (at most {TOLERANCE:.0e}); same rendering: {rendered}")
    if difference > TOLERANCE or not rendered:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
