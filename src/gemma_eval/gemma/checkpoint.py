"""A model on disk, a Hugging Face folder or a GGUF file, as one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import (
    architecture,
    gguf_architecture,
    gguf_header,
    gguf_tensors,
    gguf_tokenizer,
    tensors,
    tokenizer,
    weights,
)
from gemma_eval.gemma.architecture import Architecture
from gemma_eval.gemma.tokenizer import Tokenizer
from gemma_eval.gemma.weights import Weights

GGUF = ".gguf"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """All that a model consists of.

    `files` are those that decide what it answers: `model` its weights in order, and for a folder `config`
    and `tokenizer`, which a GGUF file holds itself.
    """

    architecture: Architecture
    weights: Weights
    tokenizer: Tokenizer
    files: Mapping[str, tuple[Path, ...]]

    @property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template that came with the model."""
        return self.tokenizer.chat_template


def load(path: Path) -> Checkpoint:
    """Load a folder with config.json, tokenizer.json and safetensors, or a file that ends in `.gguf`.

    Raises ModelNotFound: absent, damaged or of an unsupported architecture; MissingDependency.
    """
    in_one_file = path.suffix.lower() == GGUF and not path.is_dir()
    loaded = _from_gguf(path) if in_one_file else _from_folder(path)
    size = loaded.architecture.vocab_size
    if loaded.tokenizer.largest_id >= size:
        whose = ("tokenizer.json", "config.json") if path.is_dir() else ("its tokenizer", "its embedding")
        raise ModelNotFound(
            f"{path}: {whose[0]} has the id {loaded.tokenizer.largest_id}, "
            f"{whose[1]} a vocabulary of {size}; they are of different models"
        )
    return loaded


def _from_folder(folder: Path) -> Checkpoint:
    shape = architecture.load(folder)
    return Checkpoint(
        architecture=shape,
        weights=weights.load(folder, shape),
        tokenizer=tokenizer.load(folder),
        files={
            "model": tensors.weight_files(folder),
            "config": (folder / "config.json",),
            "tokenizer": (folder / "tokenizer.json",),
        },
    )


def _from_gguf(path: Path) -> Checkpoint:
    header = gguf_header.read(path)
    shape = gguf_architecture.load(path, header)
    return Checkpoint(
        architecture=shape,
        weights=weights.build(gguf_tensors.load(path, header), shape),
        tokenizer=gguf_tokenizer.load(path, header),
        files={"model": (path,)},
    )
