"""BERT from tokens to vectors: embeddings, layers of attention and of two products, each with a layer norm.

Source: Devlin et al. 2018, arXiv 1810.04805; huggingface/transformers:src/transformers/models/bert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from gemma_eval.gemma.tensors import Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the sizes of the tensors do not tell."""

    layers: int
    heads: int
    norm_eps: float


def hidden_states(tokens: NDArray[np.int64], *, weights: Mapping[str, Array], shape: Shape) -> Array:
    """Return the last hidden states [L, H] of one text, float32; `tokens` are ids [L].

    One text at a time: there is no padding, so that a vector does not depend on what else is asked for.
    """
    positions = weights["embeddings.position_embeddings.weight"][: len(tokens)]
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    hidden = weights["embeddings.word_embeddings.weight"][tokens] + positions + segment
    hidden = _norm(hidden, "embeddings.LayerNorm", weights, eps=shape.norm_eps)
    for layer in range(shape.layers):
        at = f"encoder.layer.{layer}."
        seen = _attention(hidden, at + "attention.self.", weights, heads=shape.heads)
        seen = _linear(seen, at + "attention.output.dense", weights) + hidden
        hidden = _norm(seen, at + "attention.output.LayerNorm", weights, eps=shape.norm_eps)
        wide = _gelu(_linear(hidden, at + "intermediate.dense", weights))
        out = _linear(wide, at + "output.dense", weights) + hidden
        hidden = _norm(out, at + "output.LayerNorm", weights, eps=shape.norm_eps)
    return hidden


def _attention(hidden: Array, at: str, weights: Mapping[str, Array], *, heads: int) -> Array:
    """Let each of the L tokens look at all of them, before and after it."""
    query, key, value = (
        _linear(hidden, at + name, weights).reshape(len(hidden), heads, -1).transpose(1, 0, 2)
        for name in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = scores / scores.sum(axis=-1, keepdims=True)
    seen: Array = (shares @ value).transpose(1, 0, 2).reshape(len(hidden), -1)
    return seen


def _linear(rows: Array, name: str, weights: Mapping[str, Array]) -> Array:
    return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(rows: Array, name: str, weights: Mapping[str, Array], *, eps: float) -> Array:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(eps))
    scaled: Array = centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return scaled


def _gelu(values: Array) -> Array:
    """Return x·Φ(x), with the error function and not the tanh that stands for it elsewhere."""
    bent: Array = values * np.float32(0.5) * (1 + erf(values / np.float32(np.sqrt(2))))
    return bent
