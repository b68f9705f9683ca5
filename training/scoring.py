"""Exact-match scoring by teacher forcing: an answer is right iff greedy is right at each of its tokens."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

from collections.abc import Callable
from random import Random

import torch
from tokenizers import Tokenizer

from batches import Encoded, encode
from documents import Document
from model import Pocket


@torch.no_grad()
def exact_matches(
    model: Pocket, tokenizer: Tokenizer, documents: list[Document], *, rows: int = 64
) -> list[bool]:
    """Say for each learned span (with its end of turn) whether greedy decoding would produce it."""
    encoded = encode(documents, tokenizer)
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
    verdicts: dict[int, list[bool]] = {}
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        verdicts |= dict(zip(chosen, _score(model, [encoded[i] for i in chosen]), strict=True))
    return [verdict for i in range(len(encoded)) for verdict in verdicts[i]]


def accuracy(model: Pocket, tokenizer: Tokenizer, documents: list[Document]) -> float:
    """Return the share of answers that are right."""
    right = exact_matches(model, tokenizer, documents)
    return sum(right) / len(right)


def drawn(draw: Callable[[Random], Document], *, seed: str, count: int) -> list[Document]:
    """Draw `count` documents from a split's generator with a seed of their own."""
    rng = Random(seed)
    return [draw(rng) for _ in range(count)]


def _score(model: Pocket, encoded: list[Encoded]) -> list[list[bool]]:
    length = max(len(item.ids) for item in encoded)
    ids = torch.zeros((len(encoded), length), dtype=torch.long)
    segments = torch.zeros((len(encoded), length), dtype=torch.int16)
    for row, item in enumerate(encoded):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        segments[row, : len(item.ids)] = 1
    hidden, table = model(ids, segments)
    result = []
    for row, item in enumerate(encoded):
        learned = [i for i, weight in enumerate(item.weights) if weight > 0]
        best = (hidden[row, [i - 1 for i in learned]] @ table.T).argmax(-1).tolist()
        correct = {i: best[n] == item.ids[i] for n, i in enumerate(learned)}
        result.append([all(correct[i] for i in span) for span in _answers(item)])
    return result


def _answers(item: Encoded) -> list[list[int]]:
    spans: list[list[int]] = []
    previous = 0.0
    for index, weight in enumerate(item.weights):
        if weight > 0:
            if previous == 0 or (previous < 1 and weight >= 1):
                spans.append([])
            spans[-1].append(index)
        previous = weight
    return spans
