"""Reading a training checkpoint back as a model."""

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

import tokenizer as bpe
from model import Pocket, Shape
from words import world_words


@dataclass(slots=True)
class Progress:
    """Where the training stands; all that a resumed run needs beside the tensors."""

    stage: int = 0
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def fresh_model() -> tuple[Pocket, Tokenizer]:
    """Return the untrained model and its tokenizer; the vocabulary is padded to a multiple of 32."""
    tokenizer = bpe.build(world_words())
    roots, spaced = bpe.twins(tokenizer)
    shape = Shape(vocab=-(-tokenizer.get_vocab_size() // 32) * 32)
    return Pocket(shape, roots=roots, spaced=spaced), tokenizer


def load_model(path: Path) -> tuple[Pocket, Tokenizer, Progress]:
    """Return the model of a checkpoint, its tokenizer, and how far it was trained."""
    model, tokenizer = fresh_model()
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    return model.eval(), tokenizer, Progress(**state["progress"])
