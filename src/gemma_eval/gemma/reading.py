"""Reading what was given instead of writing: how probable a text is, or several that begin alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gemma_eval.gemma.decode import PREFILL_TOKENS, parts
from gemma_eval.gemma.kv_cache import KVCache
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer

Ids = Sequence[int]
HEAD_TOKENS = 32
"""For how many tokens of a text logits are made at once, since each has one per word of the vocabulary."""


class Reading(NamedTuple):
    """What a model found of tokens that it was given.

    `log_probabilities` are natural, one for each token, given all before it; NaN or -inf where the arithmetic
    has failed. `greedy` says of each token whether it was the most probable one, of equals the first.
    """

    log_probabilities: tuple[float, ...]
    greedy: tuple[bool, ...]

    def part(self, start: int, end: int) -> Reading:
        """Return what was found of the tokens from `start` up to `end`."""
        return Reading(self.log_probabilities[start:end], self.greedy[start:end])


def found(logits: Array, tokens: Ids) -> Reading:
    """Return what logits [L, V] say of the L tokens that follow."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    chosen = wide[np.arange(len(tokens)), np.asarray(tokens, np.intp)]
    known: list[float] = (chosen - np.log(np.exp(wide).sum(axis=-1))).tolist()
    greedy: list[bool] = (wide.argmax(axis=-1) == np.asarray(tokens, np.intp)).tolist()
    return Reading(tuple(known), tuple(greedy))


def joined(readings: Sequence[Reading]) -> Reading:
    """Return the reading of a text of those of its parts, in order."""
    return Reading(
        tuple(value for reading in readings for value in reading.log_probabilities),
        tuple(value for reading in readings for value in reading.greedy),
    )


def read_after(model: Transformer, before: Ids, tokens: Ids) -> Reading:
    """Read `tokens` after at least one token `before` them."""
    ids = (*before, *tokens)
    cache = KVCache(model.architecture, capacity=len(ids))
    hidden = np.concatenate([model.read(part, cache) for part in parts(ids[:-1], PREFILL_TOKENS)])
    return _of_hidden(model, hidden[len(before) - 1 :], tokens)


def read_beside(model: Transformer, before: Ids, texts: Sequence[Ids]) -> tuple[Reading, ...]:
    """Read each of `texts`, of one token at least, after what stands `before` all, which is read once.

    They are read together, each as if it were alone, up to 256 tokens at a time; a longer one is read with
    all that is before it. What a generation's length decides of the positions is that of the longest.
    """
    if min(map(len, texts)) > PREFILL_TOKENS:
        return tuple(read_after(model, before, text) for text in texts)
    cache = KVCache(model.architecture, capacity=len(before) + max(map(len, texts)))
    for part in parts(before, PREFILL_TOKENS):
        hidden = model.read(part, cache)
    firsts = model.logits(hidden[-1:])
    known: list[Reading] = []
    for group in groups(texts, size=lambda some: sum(map(len, some))):
        if len(group[0]) > PREFILL_TOKENS:
            known.append(read_after(model, before, group[0]))
            continue
        more = [text for text in group if len(text) > 1]
        rows = model.read_branches([text[:-1] for text in more], cache) if more else hidden[:0]
        # the rows of all texts together, for a product of many rows costs less than that of few at a time
        rest = _of_hidden(model, rows, [token for text in more for token in text[1:]])
        start = 0
        for text in group:
            end = start + len(text) - 1
            known.append(joined((found(firsts, text[:1]), rest.part(start, end))))
            start = end
    return tuple(known)


def groups(texts: Sequence[Ids], *, size: Callable[[Sequence[Ids]], int]) -> Iterator[Sequence[Ids]]:
    """Yield texts that are read together: one, or more whose `size` is at most what is read at once."""
    group: list[Ids] = []
    for text in texts:
        if group and size((*group, text)) > PREFILL_TOKENS:
            yield group
            group = []
        group.append(text)
    yield group


def _of_hidden(model: Transformer, hidden: Array, tokens: Ids) -> Reading:
    """Return what hidden states [L, D] say of the L tokens that follow them."""
    pieces = range(0, len(tokens), HEAD_TOKENS)
    return joined(
        [
            found(model.logits(hidden[start : start + HEAD_TOKENS]), tokens[start : start + HEAD_TOKENS])
            for start in pieces
        ]
    )
