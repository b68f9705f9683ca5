"""Choices with a backend that reads one text at a time, and what no reader reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.backends.reading import most_probable, read_choices
from gemma_eval.errors import BackendError
from gemma_eval.protocols import ChoosingBackend, ReadingBackend
from gemma_eval.records import ChoiceReading, EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from tests.gemma.tiny import write_model

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
        from dataclasses import replace

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
