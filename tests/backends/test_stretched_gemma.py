"""A model spec stretches the model that it loads, and says so in what is recorded."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.errors import BackendError, ContextOverflow
from gemma_eval.records import Message, ModelSpec, Prompt, RopeScaling, SamplingProfile
from tests.gemma.tiny import write_model

GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=8)
YARN = RopeScaling(rope_type="yarn", factor=4.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of 128 positions."""
    return write_model(tmp_path_factory.mktemp("stretched") / "model")


def load(folder: Path, *, scaling: RopeScaling | None, context_tokens: int | None = None) -> NumpyGemma:
    """Load the model with a scaling."""
    spec = ModelSpec(
        name="tiny",
        backend="numpy_gemma",
        location=str(folder),
        rope_scaling=scaling,
        context_tokens=context_tokens,
    )
    return numpy_gemma.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)


def prompt(length: int) -> Prompt:
    """Return a prompt of so many tokens, the first of which the tokenizer puts before every text."""
    text = "<bos>" + "x" * (length - 1)
    return Prompt(messages=(Message(role="user", content=text),), text=text, n_tokens=length)


def test_a_stretched_model_holds_its_length_times_the_factor(folder: Path) -> None:
    """To the token, and an error beyond it that names the way out."""
    backend = load(folder, scaling=YARN)
    assert backend.info().context_tokens == 512
    backend.generate(prompt(504), profile=GREEDY, seed=1)
    with pytest.raises(ContextOverflow, match="rope_scaling") as caught:
        backend.generate(prompt(505), profile=GREEDY, seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (513, 512)


def test_the_scaling_is_recorded_with_the_engine(folder: Path) -> None:
    """For each kind of layer, so that results of two ways to stretch can be told apart."""
    assert load(folder, scaling=YARN).info().details["rope"] == (
        "global: yarn, theta 1000000.0, factor 4.0, original_max_position_embeddings 128",
        "local: default, theta 10000.0",
    )
    assert load(folder, scaling=None).info().details["rope"] == (
        "global: default, theta 1000000.0",
        "local: default, theta 10000.0",
    )


def test_stretching_changes_what_is_computed(folder: Path) -> None:
    """The scaling reaches the arithmetic, not the record alone."""
    text = "where does Finn live now that Mia has gone to Rome again"
    asked = Prompt(messages=(), text=text, n_tokens=None)
    plain, stretched = (
        load(folder, scaling=scaling).read(asked, continuation="abc").log_probabilities
        for scaling in (None, replace(YARN, original_max_position_embeddings=16))
    )
    assert stretched != pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    ("scaling", "context_tokens", "complaint"),
    [
        (YARN, 513, "context_tokens = 513 is more than the 512 that the model can hold"),
        (None, 129, "context_tokens = 129 is more than the 128 that the model can hold"),
        (
            RopeScaling(rope_type="longrope", factor=2.0, short_factor=(1.0,), long_factor=(2.0,)),
            None,
            "short_factor has 1 numbers, 2 are needed",
        ),
        (replace(YARN, original_max_position_embeddings=4096), None, "at most its own 128"),
    ],
)
def test_what_the_model_cannot_take_is_refused_when_it_is_loaded(
    folder: Path, scaling: RopeScaling | None, context_tokens: int | None, complaint: str
) -> None:
    """With the name of the model, before any generation."""
    with pytest.raises(BackendError, match=r"^model tiny: ") as caught:
        load(folder, scaling=scaling, context_tokens=context_tokens)
    assert complaint in str(caught.value)
