"""What eight answers to one prompt cost together, beside one.

pytest tests/benchmarks/test_batch_speed.py -m slow -s
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import perf_counter, perf_counter_ns

import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.records import ModelSpec, Prompt, SamplingProfile

FACTS = "Finn lives in Oslo. Mia lives in Rome. Ada lives in Bern."
PROMPT = Prompt(
    messages=(),
    text=f"<bos><start_of_turn>user\n{FACTS}\nTell me a story.<end_of_turn>\n<start_of_turn>model\n",
    n_tokens=None,
)
PROFILES = (
    SamplingProfile(name="greedy", temperature=0.0, max_tokens=64),
    SamplingProfile(name="plain", temperature=1.0, max_tokens=64),
    SamplingProfile(name="chain", temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, max_tokens=64),
)
ANSWERS = 8


@pytest.fixture(scope="module")
def backend() -> NumpyGemma:
    """Return the shipped model; no token ends its answers, so that all are of one length."""
    spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
    loaded = numpy_gemma.load(spec, clock=perf_counter_ns, transforms=plugins.load().transforms)
    loaded.tokenizer.stop_ids = frozenset()
    return loaded


def ratio(backend: NumpyGemma, profile: SamplingProfile, *, rounds: int) -> tuple[float, float]:
    """Return the median seconds of one answer and of eight together, measured in turns."""
    one: list[float] = []
    together: list[float] = []
    for number in range(rounds + 1):
        started = perf_counter()
        backend.generate(PROMPT, profile=profile, seed=number)
        between = perf_counter()
        made = backend.generate_batch(PROMPT, profile=profile, seeds=range(number, number + ANSWERS))
        ended = perf_counter()
        assert {answer.output_tokens for answer in made} == {profile.max_tokens}
        one.append(between - started)
        together.append(ended - between)
    return median(one[1:]), median(together[1:])


def test_eight_answers_together_cost_much_less_than_eight(backend: NumpyGemma) -> None:
    """A generous bound, for a machine that does other things as well."""
    one, together = ratio(backend, replace(PROFILES[1], max_tokens=24), rounds=5)
    assert together < 5 * one


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_eight_answers_together_cost_less_than_three(backend: NumpyGemma, profile: SamplingProfile) -> None:
    """Prompt, decoding, sampling and text of 64 tokens each."""
    one, together = ratio(backend, profile, rounds=20)
    print(f"\n{profile.name}: one {one * 1e3:.1f} ms, eight {together * 1e3:.1f}, ratio {together / one:.2f}")
    assert together < 3 * one
