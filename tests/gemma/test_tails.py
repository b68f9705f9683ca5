"""Answers that share a prompt see what each would see in a text of its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.gemma.attention import attend, mask
from gemma_eval.gemma.tails import Tail
from gemma_eval.gemma.tensors import Array

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 8


def random(*shape: int, seed: int) -> Array:
    """Return random values."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


class Texts:
    """B texts that begin alike: their queries, keys and values [B, T, heads, H]."""

    def __init__(self, *, answers: int, prompt: int, written: int) -> None:
        total = prompt + written
        self.prompt = prompt
        self.queries = random(answers, total, HEADS, HEAD_DIM, seed=1)
        self.keys = random(answers, total, KV_HEADS, HEAD_DIM, seed=2)
        self.values = random(answers, total, KV_HEADS, HEAD_DIM, seed=3)
        self.keys[:, :prompt] = self.keys[0, :prompt]
        self.values[:, :prompt] = self.values[0, :prompt]

    def seen(self, row: int, position: int, *, window: int, softcap: float | None) -> Array:
        """Return what a position of one text sees, by attention over the whole text."""
        keys, values = (array[row, : position + 1].transpose(1, 0, 2) for array in (self.keys, self.values))
        query = self.queries[row, position : position + 1]
        seen = mask(1, position + 1, window=window)
        return attend(query, keys, values, mask=seen, softcap=softcap).ravel()

    def tail(self, *, window: int, room: int, softcap: float | None = None) -> Tail:
        """Return a tail that goes on from the prompt, of which it is shown what a window leaves."""
        shown = slice(max(0, self.prompt - window + 1), self.prompt)
        keys, values = (array[0, shown].transpose(1, 0, 2) for array in (self.keys, self.values))
        answers = len(self.queries)
        return Tail(keys, values, window=window, room=room, answers=answers, softcap=softcap)


@given(
    answers=st.integers(1, 4),
    prompt=st.integers(1, 12),
    written=st.integers(1, 12),
    window=st.integers(1, 25),
    softcap=st.sampled_from([None, 2.0]),
)
@settings(max_examples=80)
def test_each_answer_sees_its_own_text(
    answers: int, prompt: int, written: int, window: int, softcap: float | None
) -> None:
    """Prompt and tail, within any window, are what attention over the whole text with that window sees."""
    texts = Texts(answers=answers, prompt=prompt, written=written)
    tail = texts.tail(window=window, room=written, softcap=softcap)
    for position in range(prompt, prompt + written):
        mixed = tail.mix(texts.queries[:, position], texts.keys[:, position], texts.values[:, position])
        for row in range(answers):
            expected = texts.seen(row, position, window=window, softcap=softcap)
            np.testing.assert_allclose(mixed[row], expected, atol=1e-5)


def test_a_window_off_by_one_is_seen() -> None:
    """The law above fails for a tail that forgets a position too early."""
    texts = Texts(answers=2, prompt=6, written=3)
    tail = texts.tail(window=4, room=3)
    mixed = tail.mix(texts.queries[:, 6], texts.keys[:, 6], texts.values[:, 6])
    assert np.abs(mixed[1] - texts.seen(1, 6, window=5, softcap=None)).max() > 1e-3


@given(drops=st.lists(st.integers(0, 4), max_size=4), window=st.integers(1, 9))
@settings(max_examples=40)
def test_an_answer_that_leaves_changes_no_bit_of_the_others(drops: list[int], window: int) -> None:
    """Whoever leaves, in whatever order: the others are what they were alone; the last takes the place."""
    texts = Texts(answers=5, prompt=4, written=5)
    together = texts.tail(window=window, room=5)
    single = [texts.tail(window=window, room=5) for _ in range(5)]
    for one in single:
        for row in reversed(range(1, 5)):
            one.drop(row)
    rows = list(range(5))
    for position in range(4, 9):
        now = tuple(array[:, position] for array in (texts.queries, texts.keys, texts.values))
        alone = [tail.mix(*(array[row : row + 1] for array in now))[0] for row, tail in enumerate(single)]
        mixed = together.mix(*(array[rows] for array in now))
        np.testing.assert_array_equal(mixed, np.stack([alone[row] for row in rows]))
        if position - 4 < len(drops) and len(rows) > 1:
            leaving = drops[position - 4] % len(rows)
            together.drop(leaving)
            rows[leaving] = rows[-1]
            del rows[-1]
