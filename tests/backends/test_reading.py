"""Choices with a backend that reads one text at a time, and what no reader reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.backends.reading import most_probable, read, read_choices
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.gemma.decode import all_logits
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.protocols import ChoosingBackend, ReadingBackend
from gemma_eval.records import ChoiceReading, EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from tests.gemma.tiny import BOS, write_model

PROMPT = Prompt(messages=(), text="<bos>Finn lives in", n_tokens=None)
CHOICES = (" Rome", " Oslo", " in", " Oslo lives")


@pytest.fixture
def choosing(tmp_path: Path) -> NumpyGemma:
    """Return a backend that reads choices together."""
    spec = ModelSpec(name="tiny", backend="numpy_gemma", location=str(write_model(tmp_path)))
    return numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)


class OneByOne:
    """A backend that reads, and has no word for choices."""

    chat_template = None

    def __init__(self, reads: NumpyGemma, *, tells: bool = True) -> None:
        self._reads = reads
        self._tells = tells
        self.asked: list[str | None] = []

    def info(self) -> EngineInfo:
        """Be another backend."""
        return self._reads.info()

    def count_tokens(self, text: str) -> int:
        """Count as that does."""
        return self._reads.count_tokens(text)

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer as that does."""
        return self._reads.generate(prompt, profile=profile, seed=seed)

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read as that does, and forget what only it tells."""
        self.asked.append(prompt.text)
        made = self._reads.read(prompt, continuation=continuation)
        return replace(made, choices=(), log_probabilities=made.log_probabilities if self._tells else None)

    def close(self) -> None:
        """Keep it."""


def of(read: Generation) -> list[tuple[str, Sequence[float], float | None]]:
    """Return what was found of each choice, rounded as far as two ways agree."""
    return [
        (
            choice.text,
            [round(value, 4) for value in choice.log_probabilities],
            None if choice.unconditional is None else round(choice.unconditional, 4),
        )
        for choice in read.choices
    ]


@pytest.mark.parametrize("unconditional", [True, False])
def test_a_backend_that_only_reads_is_asked_once_per_choice(
    choosing: NumpyGemma, *, unconditional: bool
) -> None:
    """And finds what one finds that reads them together, but for what it does not tell."""
    single = OneByOne(choosing)
    assert isinstance(single, ReadingBackend)
    assert not isinstance(single, ChoosingBackend)
    together = read_choices(choosing, PROMPT, choices=CHOICES, unconditional=unconditional)
    one_by_one = read_choices(single, PROMPT, choices=CHOICES, unconditional=unconditional)
    assert of(one_by_one) == of(together)
    assert one_by_one.text == together.text
    assert one_by_one.log_probabilities == pytest.approx(together.log_probabilities, abs=1e-5)
    assert single.asked == [PROMPT.text] * 4 + ["<bos>"] * 4 * unconditional
    assert {choice.is_greedy for choice in one_by_one.choices} == {None}


def test_a_backend_that_tells_no_probabilities_has_not_read(choosing: NumpyGemma) -> None:
    """Nothing would be the most probable choice."""
    silent = OneByOne(choosing, tells=False)
    with pytest.raises(BackendError, match="no log-probabilities"):
        read_choices(silent, PROMPT, choices=CHOICES, unconditional=False)
    with pytest.raises(BackendError, match="no choices"):
        read_choices(silent, PROMPT, choices=(), unconditional=False)


def test_a_prompt_of_messages_alone_is_refused(choosing: NumpyGemma) -> None:
    """There is no text to go on from."""
    with pytest.raises(BackendError, match="no text"):
        choosing.read_choices(
            Prompt(messages=(), text=None, n_tokens=None), choices=("a",), unconditional=False
        )


def test_of_equals_the_first_is_the_most_probable() -> None:
    """By the sum over all tokens, whatever their number."""
    known = ((-3.0,), (-1.0, -1.0), (-2.0,))
    assert most_probable([ChoiceReading(text="x", log_probabilities=each) for each in known]) == 1


EMPTY = Prompt(messages=(), text="", n_tokens=0)
LONG = "Finn lives in Oslo, and Ada in Rome. " * 6
"""More tokens than the context of the small model has."""


def of_windows(model: Transformer, ids: Sequence[int], *, most: int) -> list[float]:
    """Return the log-probability of each token by the definition, from all logits of each window."""
    known: list[float] = []
    while len(known) < len(ids):
        end = min(len(known) + most, len(ids))
        before = [BOS, *ids][max(0, end - most) : len(known) + 1]
        asked = [*before, *ids[len(known) : end]]
        logits = all_logits(model, asked[:-1]).astype(np.float64)[len(before) - 1 :]
        wide = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        known += [float(row[token]) for row, token in zip(wide, ids[len(known) : end], strict=True)]
    return known


def wrong_by(made: Generation, ids: Sequence[int], model: Transformer, *, most: int) -> float:
    """Return how far a log-probability is, at most, from that of its window."""
    there = of_windows(model, ids, most=most)
    return max(abs(a - b) for a, b in zip(made.log_probabilities or (), there, strict=True))


def test_a_text_longer_than_the_context_is_read_in_windows(choosing: NumpyGemma) -> None:
    """Each token once, with the log-probability it has in its window and in no other."""
    ids, model, limit = choosing.tokenizer.encode(LONG), choosing.model, choosing.context_tokens
    assert model is not None
    assert limit is not None
    assert len(ids) > limit
    made = choosing.read(EMPTY, continuation=LONG)
    assert (made.text, made.prompt_tokens, made.output_tokens) == (LONG, 1, len(ids))
    assert wrong_by(made, ids, model, most=limit - 1) < 1e-4
    assert wrong_by(made, ids, model, most=limit // 2) > 1e-3  # planted: windows of another length


def test_after_an_empty_prompt_a_text_is_read_as_after_the_token_that_begins_one(
    choosing: NumpyGemma,
) -> None:
    """By a backend that reads choices, and by one that has to be told that token as a text."""
    single = OneByOne(choosing)
    expected = choosing.read(replace(EMPTY, text="<bos>"), continuation="Finn").log_probabilities
    assert read(choosing, EMPTY, continuation="Finn").log_probabilities == expected
    assert read(single, EMPTY, continuation="Finn").log_probabilities == expected
    assert single.asked == ["<bos>"]
    with pytest.raises(BackendError, match="empty"):
        choosing.read(EMPTY, continuation="")


def test_after_a_prompt_a_text_longer_than_the_context_is_refused(choosing: NumpyGemma) -> None:
    """Windows would lose the prompt."""
    with pytest.raises(ContextOverflow):
        choosing.read(PROMPT, continuation=LONG)
