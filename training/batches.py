"""Documents to tensors: encode spans, pack whole documents into rows, mark the tokens that are learned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from documents import Document


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed rows `[B, L]`: token ids, the document of each token, and the weight of each target."""

    ids: Tensor
    segments: Tensor
    weights: Tensor

    @property
    def n_tokens(self) -> int:
        """Count the real tokens."""
        return int((self.segments > 0).sum())


@dataclass(frozen=True, slots=True)
class Encoded:
    """One document's token ids and, for each, how much predicting it counts."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


def encode(documents: list[Document], tokenizer: Tokenizer) -> list[Encoded]:
    """Encode each document span by span, so that a learned span has tokens of its own."""
    result = []
    for document in documents:
        ids: list[int] = []
        weights: list[float] = []
        for span in document:
            pieces = tokenizer.encode(span.text, add_special_tokens=False).ids
            ids += pieces
            weights += [span.weight] * len(pieces)
        result.append(Encoded(tuple(ids), tuple(weights)))
    return result


def pack(source: Iterator[Encoded], *, rows: int, length: int) -> Batch:
    """Fill `rows` rows of `length` tokens with whole documents, first fit."""
    free = [length] * rows
    filled: list[list[Encoded]] = [[] for _ in range(rows)]
    misses = 0
    while misses < 4:
        encoded = next(source)
        row = next((index for index in range(rows) if free[index] >= len(encoded.ids)), None)
        if row is None:
            misses += 1
            continue
        filled[row].append(encoded)
        free[row] -= len(encoded.ids)
    return _stack(filled, length=length)


def stream(
    draw: Callable[[], Document], tokenizer: Tokenizer, *, length: int, block: int = 64
) -> Iterator[Encoded]:
    """Encode an endless source of documents in blocks; one longer than a row is left out."""
    while True:
        for encoded in encode([draw() for _ in range(block)], tokenizer):
            if len(encoded.ids) <= length:
                yield encoded


def _stack(filled: list[list[Encoded]], *, length: int) -> Batch:
    ids = torch.zeros((len(filled), length), dtype=torch.long)
    segments = torch.zeros((len(filled), length), dtype=torch.int16)
    weights = torch.zeros((len(filled), length))
    for row, documents in enumerate(filled):
        start = 0
        for number, encoded in enumerate(documents, start=1):
            stop = start + len(encoded.ids)
            ids[row, start:stop] = torch.tensor(encoded.ids)
            segments[row, start:stop] = number
            weights[row, start:stop] = torch.tensor(encoded.weights)
            start = stop
    # Position i predicts token i + 1, so weights move left; a document's first token is never a target.
    targets = torch.zeros_like(weights)
    targets[:, :-1] = weights[:, 1:] * (segments[:, 1:] == segments[:, :-1])
    return Batch(ids, segments, targets)
