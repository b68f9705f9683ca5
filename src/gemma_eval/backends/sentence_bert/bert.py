"""BERT from tokens to vectors: embeddings, layers of attention and of two products, each with a layer norm.

Source: Devlin et al. 2018, arXiv 1810.04805; huggingface/transformers:src/transformers/models/bert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from gemma_eval.backends.sentence_bert.gelu import gelu
from gemma_eval.backends.sentence_folder import Ids
from gemma_eval.gemma.tensors import Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the sizes of the tensors do not tell."""

    layers: int
    heads: int
    norm_eps: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A weight [in, out] that rows are multiplied by, and what is added to them [out]."""

    weight: Array
    bias: Array

    def __call__(self, rows: Array) -> Array:
        """Return rows [N, out] of rows [N, in]."""
        made: Array = rows @ self.weight
        made += self.bias
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Norm:
    """The scale and the shift [H] of a layer norm."""

    weight: Array
    bias: Array

    def __call__(self, rows: Array, *, eps: float) -> Array:
        """Return rows [N, H] centred, of variance 1, scaled and shifted."""
        centred: Array = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.einsum("nh,nh->n", centred, centred) / np.float32(rows.shape[-1])
        centred /= np.sqrt(variance + np.float32(eps))[:, None]
        centred *= self.weight
        centred += self.bias
        return centred


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """The products and norms of a layer; `seen` makes query, key and value of each row in one product."""

    seen: Product
    joined: Product
    attention_norm: Norm
    wide: Product
    narrow: Product
    norm: Norm


@dataclass(frozen=True, kw_only=True, slots=True)
class Bert:
    """All weights, laid out as they are multiplied."""

    words: Array
    positions: Array
    segment: Array
    norm: Norm
    layers: tuple[Layer, ...]
    shape: Shape

    def hidden_states(self, texts: Sequence[Ids]) -> tuple[Array, ...]:
        """Return the last hidden states [L, H] of each text, float32; a text is its ids [L].

        The tokens of all texts stand below each other in every product, so that nothing is padded. Texts of
        one length that follow each other attend together. What a text has for company changes the order in
        which a product is summed up, and its states by no more than about 1e-6.
        """
        lengths = [len(ids) for ids in texts]
        hidden = self.words[np.concatenate(texts)] + self.segment
        hidden += np.concatenate([self.positions[:length] for length in lengths])
        hidden = self.norm(hidden, eps=self.shape.norm_eps)
        for layer in self.layers:
            hidden = self._through(layer, hidden, lengths)
        return tuple(np.split(hidden, np.cumsum(lengths)[:-1]))

    def _through(self, layer: Layer, hidden: Array, lengths: Sequence[int]) -> Array:
        eps = self.shape.norm_eps
        seen = layer.joined(_attention(layer.seen(hidden), lengths, heads=self.shape.heads))
        seen += hidden
        hidden = layer.attention_norm(seen, eps=eps)
        out = layer.narrow(gelu(layer.wide(hidden)))
        out += hidden
        return layer.norm(out, eps=eps)


def assembled(weights: Mapping[str, Array], shape: Shape) -> Bert:
    """Lay out the weights of a checkpoint. Raises KeyError, ValueError where some are not there or fit."""

    def product(*names: str) -> Product:
        together = np.concatenate([weights[f"{name}.weight"] for name in names])
        return Product(
            weight=np.ascontiguousarray(together.T),
            bias=np.concatenate([weights[f"{name}.bias"] for name in names]),
        )

    def norm(name: str) -> Norm:
        return Norm(weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"])

    def layer(at: str) -> Layer:
        return Layer(
            seen=product(*(f"{at}.attention.self.{name}" for name in ("query", "key", "value"))),
            joined=product(f"{at}.attention.output.dense"),
            attention_norm=norm(f"{at}.attention.output.LayerNorm"),
            wide=product(f"{at}.intermediate.dense"),
            narrow=product(f"{at}.output.dense"),
            norm=norm(f"{at}.output.LayerNorm"),
        )

    return Bert(
        words=weights["embeddings.word_embeddings.weight"],
        positions=weights["embeddings.position_embeddings.weight"],
        segment=weights["embeddings.token_type_embeddings.weight"][0],
        norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{at}") for at in range(shape.layers)),
        shape=shape,
    )


def _attention(rows: Array, lengths: Sequence[int], *, heads: int) -> Array:
    """Let each token look at all of its text [N, H]; `rows` [N, 3H] are queries, keys and values."""
    width = rows.shape[1] // 3
    seen = np.empty((len(rows), width), np.float32)
    for at, texts, length in _runs(lengths):
        part = slice(at, at + texts * length)
        # three times [texts, heads, L, H / heads]
        query, key, value = rows[part].reshape(texts, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2)
        scores *= np.float32(1 / np.sqrt(width // heads))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        seen[part] = (scores @ value).transpose(0, 2, 1, 3).reshape(-1, width)
    return seen


def _runs(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where texts of one length begin among the rows, how many follow each other, and that length."""
    at = 0
    for length, run in groupby(lengths):
        texts = len(list(run))
        yield at, texts, length
        at += texts * length
