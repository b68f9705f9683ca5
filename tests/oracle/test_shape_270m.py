"""A Gemma 3 of the true 270M shape: 18 layers, 640 wide, a window of 512, one key/value head of 256.

llama.cpp rounds the input of its GELU to half precision, which moves log-probabilities by some thousandths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gemma_eval.gemma import checkpoint, decode, gguf_write
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer
from tests import required
from tests.llama_cpp import serve
from tests.oracle import shape_270m
from tests.oracle.compared import after, log_probabilities

TRANSFORMERS, LLAMA_CPP = 1e-4, 5e-3
"""The largest difference of a logit, and of a log-probability."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The model as a folder and as a GGUF file, and the logits [L, V] computed here from the file."""

    folder: Path
    file: Path
    model: Transformer
    logits: Array


def computed(scratch: Path, *, vocab_size: int) -> Written:
    """Write the model both ways and run the file."""
    required.module("gguf", extra="gguf")
    folder = shape_270m.write(scratch / "model", vocab_size=vocab_size)
    file = scratch / "model.gguf"
    gguf_write.write(folder, file, dtype="F32")
    loaded = checkpoint.load(file)
    model = Transformer(architecture=loaded.architecture, weights=loaded.weights)
    return Written(folder=folder, file=file, model=model, logits=decode.all_logits(model, shape_270m.ids()))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """The model with an embedding of 4,096 rows: 103 million parameters, 412 MB a file."""
    written = computed(tmp_path_factory.mktemp("small"), vocab_size=shape_270m.SMALL_VOCABULARY)
    yield written
    written.file.unlink()
    (written.folder / "model.safetensors").unlink()


def test_logits_equal_those_of_transformers(small: Written) -> None:
    """At the first positions, before the window is full, at its edge and beyond it."""
    expected = load_file(shape_270m.EXPECTED)["logits"]
    assert np.abs(small.logits[list(shape_270m.ROWS)] - expected).max() <= TRANSFORMERS


def test_log_probabilities_equal_those_of_llama_cpp(small: Written) -> None:
    """After all tokens, more than the window holds."""
    with serve(small.file, context_tokens=640) as engine:
        theirs = after(engine, shape_270m.ids())
    assert np.abs(log_probabilities(small.logits[-1]) - theirs).max() <= LLAMA_CPP


def test_a_window_one_short_shows_where_it_is_full(small: Written) -> None:
    """The comparison can fail, and only beyond the window."""
    wrong = replace(small.model, architecture=replace(small.model.architecture, window=511))
    moved = np.abs(decode.all_logits(wrong, shape_270m.ids()) - small.logits).max(axis=1)
    assert moved[:511].max() <= TRANSFORMERS
    assert moved[511:].min() > 10 * TRANSFORMERS


@pytest.mark.slow
def test_the_whole_vocabulary_agrees_with_transformers_and_llama_cpp(tmp_path: Path) -> None:
    """268 million parameters, 262,144 logits, each compared."""
    required.module("torch", extra="train")
    written = computed(tmp_path, vocab_size=shape_270m.VOCABULARY)
    assert written.model.weights.parameters == 268_098_176
    expected = shape_270m.transformers_logits(written.folder)
    assert np.abs(written.logits - expected).max() <= TRANSFORMERS
    with serve(written.file, context_tokens=640) as engine:
        theirs = after(engine, shape_270m.ids())
    assert np.abs(log_probabilities(written.logits[-1]) - theirs).max() <= LLAMA_CPP
