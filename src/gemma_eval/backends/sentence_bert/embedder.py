"""A folder of sentence-transformers as an embedder: its tokenizer, its BERT, its pooling."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from gemma_eval.backends.model_files import locate, sha256
from gemma_eval.backends.sentence_bert.bert import Shape, hidden_states
from gemma_eval.errors import BackendError, ModelNotFound
from gemma_eval.gemma import tensors
from gemma_eval.gemma.folder import read_json, read_optional_json
from gemma_eval.gemma.tensors import Array
from gemma_eval.records import ModelSpec

LONGEST = 512
"""Tokens that are read of a text where the folder does not say; the rest is cut off."""


@dataclass(frozen=True, kw_only=True)
class SentenceBert:
    """Makes vectors of texts; `id` names all that decides them, so that no two kinds are ever mixed."""

    id: str
    tokenizer: tokenizers.Tokenizer
    weights: Mapping[str, Array]
    shape: Shape
    pooling: str

    def embed(self, texts: Sequence[str]) -> Array:
        """Return one vector of length 1 for each text, [N, H] float32. Raises BackendError."""
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.width), np.float32)

    @property
    def width(self) -> int:
        """The length H of a vector in numbers."""
        return int(self.weights["embeddings.LayerNorm.weight"].shape[0])

    def _vector(self, text: str) -> Array:
        readable = text.encode(errors="replace").decode()  # half a surrogate pair is no text to a tokenizer
        ids = np.array(self.tokenizer.encode(readable).ids, np.int64)
        states = hidden_states(ids, weights=self.weights, shape=self.shape)
        pooled = states[0] if self.pooling == "cls" else states.mean(axis=0)
        length = np.linalg.norm(pooled)
        if not np.isfinite(length) or length == 0:
            raise BackendError(
                "a vector is not finite or has no direction (weights or arithmetic are broken)"
            )
        return np.asarray(pooled / length, np.float32)


def load(spec: ModelSpec) -> SentenceBert:
    """Load the folder of an embedder, as `all-MiniLM-L6-v2`. Raises ModelNotFound, BackendError."""
    folder = locate(spec.location)
    if not folder.is_dir():
        raise ModelNotFound(f"{spec.location}: is a file; sentence_bert needs the folder of an embedder")
    config = read_json(folder / "config.json")
    if config.get("model_type") != "bert" or config.get("hidden_act", "gelu") != "gelu":
        raise ModelNotFound(f"{folder}: is no BERT with gelu; sentence_bert knows no other model")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelNotFound(f"{folder}: has positions that are not absolute; sentence_bert knows no others")
    _refuse_other_steps(folder)
    longest = _number(read_optional_json(folder / "sentence_bert_config.json"), "max_seq_length", LONGEST)
    pooling = _pooling(folder)
    digest = sha256(tensors.weight_files(folder))[:12]
    shape = Shape(
        layers=_number(config, "num_hidden_layers"),
        heads=_number(config, "num_attention_heads"),
        norm_eps=float(str(config.get("layer_norm_eps", 1e-12))),
    )
    made = SentenceBert(
        id=f"{spec.name}/{digest}/f32/{pooling}/{longest}",
        tokenizer=_tokenizer(folder / "tokenizer.json", longest=longest),
        weights=_weights(folder),
        shape=shape,
        pooling=pooling,
    )
    _try(made, folder, longest=longest)
    return made


def _try(made: SentenceBert, folder: Path, *, longest: int) -> None:
    """Embed a text of the greatest length. Raises ModelNotFound where the files do not fit together."""
    highest = made.tokenizer.get_vocab_size() - 1
    tokens = np.full(longest, highest, np.int64)
    try:
        hidden_states(tokens, weights=made.weights, shape=made.shape)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelNotFound(
            f"{folder}: weights, config.json and tokenizer.json do not fit together: {error}"
        ) from error


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


def _weights(folder: Path) -> Mapping[str, Array]:
    named = tensors.find_tensors(folder)
    return {
        name.removeprefix("bert."): tensor.read()
        for name, tensor in named.items()
        if "position_ids" not in name
    }


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


def _tokenizer(path: Path, *, longest: int) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise ModelNotFound(f"{path}: no tokenizer can be read from it: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def _number(config: Mapping[str, object], name: str, default: int | None = None) -> int:
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelNotFound(f"config.json of the embedder: {name} is {value!r}; a whole number is needed")
    return value
