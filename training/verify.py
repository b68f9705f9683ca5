"""Compares an exported directory with `transformers`: `python training/verify.py DIRECTORY`."""

import argparse
from pathlib import Path

import torch
from transformers import AutoTokenizer, Gemma3ForCausalLM

from documents import Turn, chat
from greedy import load_exported

TOLERANCE = 1e-4
TURNS = (
    Turn("Context:\n- Finn lives in Oslo.\n- Mia lives in Rome.\n\nQuestion: Where does Finn live?", "Oslo"),
    Turn("What is 34 + 25?", "59"),
)


def largest_difference(directory: Path) -> float:
    """Return the largest difference between our logits and those of `transformers`, over 200 positions."""
    model, tokenizer = load_exported(directory)
    text = "".join(span.text for span in chat([*TURNS] * 4))
    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False).ids])
    reference = Gemma3ForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        hidden, table = model(ids, torch.ones_like(ids))
        return float((hidden @ table.T - reference(ids).logits).abs().max())


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
