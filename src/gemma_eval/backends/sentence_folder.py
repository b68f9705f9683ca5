"""What is around the weights in the folder of an embedder: tokenizer, pooling, how much of a text is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

from gemma_eval.backends.model_files import locate
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma.folder import read_json, read_optional_json
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec

Ids = NDArray[np.int64]

LONGEST = 512
"""Tokens that are read of a text where the folder does not say; the rest is cut off."""

BATCH_TOKENS = 256
"""Tokens that are computed together: of more, one costs NumPy as much, onnxruntime half as much again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceFolder:
    """A folder as sentence-transformers lays it out; `pooling` is *mean* or *cls*."""

    path: Path
    config: Mapping[str, object]
    tokenizer: tokenizers.Tokenizer
    pooling: str
    longest: int

    def encode(self, text: str) -> tokenizers.Encoding:
        """Return the tokens of a text, with those that the model wants around it, `longest` at most."""
        return self.tokenizer.encode(readable(text))

    def pooled(self, states: Array) -> Array:
        """Return the vector of length 1 of a text, from the states [L, H] of its tokens."""
        (vector,) = unit(states[:1] if self.pooling == "cls" else states.mean(axis=0, keepdims=True))
        return np.asarray(vector)


def read(spec: ModelSpec) -> SentenceFolder:
    """Read all but the weights. Raises ModelNotFound where one of its steps would be left out."""
    path = folder_of(spec)
    config = read_json(path / "config.json")
    _refuse_other_steps(path)
    longest = number(read_optional_json(path / "sentence_bert_config.json"), "max_seq_length", LONGEST)
    tokenizer = read_tokenizer(path / "tokenizer.json")
    tokenizer.enable_truncation(longest)
    return SentenceFolder(
        path=path, config=config, tokenizer=tokenizer, pooling=_pooling(path), longest=longest
    )


def folder_of(spec: ModelSpec) -> Path:
    """Return the folder that a model names. Raises ModelNotFound."""
    path = locate(spec.location)
    if not path.is_dir():
        raise ModelNotFound(f"{spec.location}: is a file; {spec.backend} needs the folder of a model")
    return path


def batches(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the places of texts that are computed together, the shortest first, `BATCH_TOKENS` at most."""
    batch: list[int] = []
    tokens = 0
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and tokens + lengths[at] > BATCH_TOKENS:
            yield tuple(batch)
            batch, tokens = [], 0
        batch.append(at)
        tokens += lengths[at]
    if batch:
        yield tuple(batch)


def own_places(encoding: tokenizers.Encoding) -> list[int]:
    """Return which tokens are of the text, and not put around it."""
    return [at for at, added in enumerate(encoding.special_tokens_mask) if not added]


def unit(vectors: Array) -> Array:
    """Return vectors [N, D] at length 1. Raises BackendError for one that has no direction."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise BackendError("a vector is not finite or has no direction (weights or arithmetic are broken)")
    return np.asarray(vectors / lengths, np.float32)


def readable(text: str) -> str:
    """Return `text` with half a surrogate pair replaced, which is no text to a tokenizer."""
    return text.encode(errors="replace").decode()


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Read a tokenizer that neither pads nor cuts. Raises ModelNotFound."""
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise ModelNotFound(f"{path}: no tokenizer can be read from it: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def number(config: Mapping[str, object], name: str, default: int | None = None) -> int:
    """Return a whole number of a configuration. Raises ModelNotFound."""
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelNotFound(f"config.json of the embedder: {name} is {value!r}; a whole number is needed")
    return value


def _refuse_other_steps(folder: Path) -> None:
    """Raise ModelNotFound where what follows the pooling would be left out, as a layer of LaBSE."""
    path = folder / "modules.json"
    try:
        steps = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        kinds = [str(step["type"]).rpartition(".")[2] for step in steps]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelNotFound(f"{path}: is no list of the steps of an embedder") from error
    if others := [kind for kind in kinds if kind not in _STEPS]:
        raise ModelNotFound(f"{path}: has the step {others[0]}; {', '.join(_STEPS)} are known")


_STEPS = ("Transformer", "Pooling", "Normalize")


def _pooling(folder: Path) -> str:
    """Return how the states of tokens become one vector: `mean`, or that of the first (`cls`)."""
    config = read_optional_json(folder / "1_Pooling" / "config.json")
    chosen = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    if not chosen:
        return "mean"
    if len(chosen) > 1 or chosen[0] not in known:
        raise ModelNotFound(
            f"{folder / '1_Pooling'}: {', '.join(chosen)}; one of {', '.join(known)} is known"
        )
    return known[chosen[0]]
