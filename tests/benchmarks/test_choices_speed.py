"""What the choices of a question cost together, after one reading of the question, beside one by one.

pytest tests/benchmarks/test_choices_speed.py -m slow -s
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns

import pytest

from gemma_eval import plugins
from gemma_eval.protocols import ChoosingBackend
from gemma_eval.records import ModelSpec, Prompt
from tests import required
from tests.oracle import shape_270m

CITIES = ("Oslo", "Rome", "Paris", "Lima", "Cairo", "Tokyo", "Berlin", "Madrid", "Vienna", "Prague")
FACTS = "Finn lives in Oslo. Mia lives in Rome. Ada lives in Paris. Leo lives in Lima.\n"
PROMPT = Prompt(
    messages=(),
    text=f"<bos><start_of_turn>user\n{FACTS * 5}Where is Finn?<end_of_turn>\n<start_of_turn>model\n",
    n_tokens=None,
)
SHORT_PROMPT = Prompt(messages=(), text=f"<bos>{FACTS * 2}", n_tokens=None)
"""For a tokenizer of bytes, which makes some hundred tokens of it."""


def load(backend: str, location: str) -> ChoosingBackend:
    """Load through the door that a run uses."""
    registry = plugins.load()
    spec = ModelSpec(name="speed", backend=backend, location=location)
    loaded = registry.backends.find(backend)(spec, clock=perf_counter_ns, transforms=registry.transforms)
    assert isinstance(loaded, ChoosingBackend)
    return loaded


def medians(
    backend: ChoosingBackend, *, count: int, rounds: int, prompt: Prompt = PROMPT
) -> tuple[float, float]:
    """Return the median seconds of all choices together and one by one, measured in turns."""
    texts = [f"Finn lives in {city}." for city in CITIES[:count]]
    together: list[float] = []
    one_by_one: list[float] = []
    for _ in range(rounds + 1):
        started = perf_counter()
        backend.read_choices(prompt, choices=texts, unconditional=False)
        between = perf_counter()
        for text in texts:
            backend.read(prompt, continuation=text)
        together.append(between - started)
        one_by_one.append(perf_counter() - between)
    medians = median(together[1:]), median(one_by_one[1:])
    print(
        f"\n{count} choices after {backend.count_tokens(prompt.text or '')} tokens: "
        f"together {medians[0] * 1e3:.1f} ms, one by one {medians[1] * 1e3:.1f} ms, "
        f"{medians[1] / medians[0]:.1f} times"
    )
    return medians


def test_four_choices_together_cost_less_than_one_by_one() -> None:
    """A generous bound, for a machine that does other things as well."""
    together, one_by_one = medians(load("numpy_gemma", "@pocket"), count=4, rounds=5)
    assert together < one_by_one


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 10])
@pytest.mark.parametrize("backend", ["numpy_gemma", "hf_transformers"])
def test_the_pocket_model_reads_a_question_once(backend: str, count: int) -> None:
    """Less than two thirds of one by one."""
    if backend == "hf_transformers":
        required.module("transformers", extra="transformers")
    together, one_by_one = medians(load(backend, "@pocket"), count=count, rounds=20)
    assert together < one_by_one * 2 / 3


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 10])
def test_llama_cpp_keeps_a_question_that_is_longer_than_the_window(count: int) -> None:
    """One by one as well as together: its cache is what they share, and nothing is gained."""
    required.module("xllamacpp", extra="llama-cpp")
    together, one_by_one = medians(load("llama_cpp", "@pocket"), count=count, rounds=20)
    assert together < one_by_one * 2


@pytest.mark.slow
def test_a_model_of_270_million_parameters_reads_a_question_once(tmp_path: Path) -> None:
    """Random weights in the shape of Gemma 3 270M; needs 3 GB of memory and 1 GB of disk."""
    folder = shape_270m.write(tmp_path / "model", vocab_size=shape_270m.VOCABULARY)
    backend = load("numpy_gemma", str(folder))
    for count in (4, 10):
        together, one_by_one = medians(backend, count=count, rounds=3, prompt=SHORT_PROMPT)
        assert together < one_by_one * 2 / 3
