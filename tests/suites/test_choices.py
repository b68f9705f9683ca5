"""The shipped model's choices of known probability, drawn through its backend at temperature 1."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scipy import stats

import world
from gemma_eval import plugins
from gemma_eval.backends.numpy_gemma import NumpyGemma, load
from gemma_eval.records import ModelSpec, Prompt, SamplingProfile
from tests.sampling.chance import LEVEL, fits

LEARNED = 0.03
"""How far the model's probabilities may lie from those that it was trained with."""
DRAWS = 640


@pytest.fixture(scope="module")
def pocket() -> Iterator[NumpyGemma]:
    """Load the shipped model."""
    backend = load(
        ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket"),
        clock=time.perf_counter_ns,
        transforms=plugins.load().transforms,
    )
    yield backend
    backend.close()


def asked(user: str) -> Prompt:
    """Return the prompt of one user turn."""
    text = f"<bos><start_of_turn>user\n{user}<end_of_turn>\n<start_of_turn>model\n"
    return Prompt(messages=(), text=text, n_tokens=None)


def drawn(pocket: NumpyGemma, user: str, profile: SamplingProfile) -> Counter[str]:
    """Return how often each answer was given, one seed each."""
    made = pocket.generate_batch(asked(user), profile=profile, seeds=range(DRAWS))
    return Counter(generation.text for generation in made)


def believed(pocket: NumpyGemma, user: str, options: Sequence[str]) -> list[float]:
    """Return the model's probability of each option as a whole answer, its end included, and of the rest."""
    known = []
    for option in options:
        read = pocket.read(asked(user), continuation=f"{option}<end_of_turn>")
        assert read.log_probabilities is not None
        known.append(float(np.exp(sum(read.log_probabilities))))
    return [*known, 1 - sum(known)]


PLAIN = SamplingProfile(name="plain", max_tokens=4)


@pytest.mark.parametrize("user", world.CHOICES)
def test_choices_are_drawn_as_often_as_the_model_says(user: str, pocket: NumpyGemma) -> None:
    """640 answers by chi-square against the model's own softmax, at the family-wise rate of `chance`."""
    options = [text for text, _ in world.CHOICES[user]]
    answers = drawn(pocket, user, PLAIN)
    counts = [answers[option] for option in options]
    assert fits([*counts, DRAWS - sum(counts)], believed(pocket, user, options))


@pytest.mark.parametrize("user", world.CHOICES)
def test_choices_are_drawn_as_often_as_the_world_says(user: str, pocket: NumpyGemma) -> None:
    """Each within 0.03 of the probability in training/WORLD.md, and what 640 draws may add by chance."""
    answers = drawn(pocket, user, PLAIN)
    for option, probability in world.CHOICES[user]:
        chance = float(stats.norm.isf(LEVEL / 2)) * np.sqrt(probability * (1 - probability) / DRAWS)
        assert abs(answers[option] / DRAWS - probability) <= LEARNED + chance


def test_the_check_of_choices_fails_on_another_temperature(pocket: NumpyGemma) -> None:
    """At 0.7 the first name comes more often than the model says of itself."""
    user = "Pick a name."
    options = [text for text, _ in world.CHOICES[user]]
    answers = drawn(pocket, user, SamplingProfile(name="cool", temperature=0.7, max_tokens=4))
    counts = [answers[option] for option in options]
    assert not fits([*counts, DRAWS - sum(counts)], believed(pocket, user, options))
