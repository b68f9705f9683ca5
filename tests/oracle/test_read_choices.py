"""Choices read by three engines against transformers, which reads each whole text, and without a cache."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gemma_eval import plugins
from gemma_eval.gemma import tokenizer
from gemma_eval.protocols import ChoosingBackend
from gemma_eval.records import ModelSpec, Prompt
from tests import required

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
CONTEXT = "".join(f"- {name} lives in {city}.\n" for name, city in (("Finn", "Oslo"), ("Mia", "Rome")) * 5)
TEXT = (
    f"<bos><start_of_turn>user\nContext:\n{CONTEXT}\nQuestion: Where does Finn live?<end_of_turn>\n"
    "<start_of_turn>model\n"
)
PROMPT = Prompt(messages=(), text=TEXT, n_tokens=None)
"""Longer than the window of the shipped model."""
CHOICES = ("Oslo", "Rome", "I do not know.", "It is Oslo, I say", "é漢", "Oslo<end_of_turn>")
TOLERANCE: Mapping[str, float] = {"numpy_gemma": 1e-4, "hf_transformers": 1e-4, "llama_cpp": 2e-2}
"""Of a token; llama.cpp rounds the input of its GELU, and keys and values, to half precision."""


def whole(prompt: str, choices: Sequence[str]) -> list[tuple[list[float], bool]]:
    """Return the log-probabilities of each choice, and whether all its tokens are the best, in PyTorch."""
    torch = required.module("torch", extra="transformers")
    auto = import_module("transformers").AutoModelForCausalLM
    model = auto.from_pretrained(POCKET, dtype=torch.float32, attn_implementation="eager").eval()
    words = tokenizer.load(POCKET)
    before = words.encode(prompt)
    found = []
    for choice in choices:
        ids = words.encode(prompt + choice)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double().numpy()
        known: NDArray[np.float64] = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        rows, tokens = known[len(before) - 1 : -1], ids[len(before) :]
        values = rows[np.arange(len(tokens)), list(tokens)]
        found.append((values.tolist(), bool((rows.argmax(axis=-1) == tokens).all())))
    return found


@pytest.fixture(scope="module")
def expected() -> list[tuple[list[float], bool]]:
    """Return what transformers finds of each choice."""
    required.module("transformers", extra="transformers")
    return whole(TEXT, CHOICES)


def load(backend: str) -> ChoosingBackend:
    """Load the shipped model with a backend."""
    if backend == "llama_cpp":
        required.module("xllamacpp", extra="llama-cpp")
        required.module("gguf", extra="gguf")
    registry = plugins.load()
    spec = ModelSpec(name="pocket", backend=backend, location="@pocket")
    loaded = registry.backends.find(backend)(spec, clock=time.perf_counter_ns, transforms=registry.transforms)
    assert isinstance(loaded, ChoosingBackend)
    return loaded


def wrong_by(backend: str, expected: Sequence[tuple[list[float], bool]], *, prompt: Prompt = PROMPT) -> float:
    """Return the largest distance of a token's log-probability from the expected one."""
    loaded = load(backend)
    read = loaded.read_choices(prompt, choices=CHOICES, unconditional=False)
    loaded.close()
    distances = [
        np.abs(np.subtract(choice.log_probabilities, known)).max()
        for choice, (known, _) in zip(read.choices, expected, strict=True)
    ]
    return float(max(distances))


@pytest.mark.parametrize("backend", TOLERANCE)
def test_choices_are_as_probable_as_transformers_finds_them(
    backend: str, expected: list[tuple[list[float], bool]]
) -> None:
    """Each token of each choice, parts of characters and the end of the turn included."""
    assert wrong_by(backend, expected) < TOLERANCE[backend]


@pytest.mark.parametrize("backend", TOLERANCE)
def test_greedy_choices_are_those_of_transformers(
    backend: str, expected: list[tuple[list[float], bool]]
) -> None:
    """And the most probable one is the text."""
    loaded = load(backend)
    read = loaded.read_choices(PROMPT, choices=CHOICES, unconditional=False)
    loaded.close()
    assert [choice.is_greedy for choice in read.choices] == [greedy for _, greedy in expected]
    assert read.text == CHOICES[int(np.argmax([sum(known) for known, _ in expected]))]


@pytest.mark.parametrize("backend", TOLERANCE)
def test_a_planted_error_is_seen(backend: str, expected: list[tuple[list[float], bool]]) -> None:
    """One other fact in the prompt moves a token by far more than any tolerance."""
    other = Prompt(messages=(), text=TEXT.replace("Finn lives in Oslo", "Finn lives in Lima"), n_tokens=None)
    assert wrong_by(backend, expected, prompt=other) > 0.5
