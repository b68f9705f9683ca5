"""The quantisation suite asks the same of every precision, and precision is lost in the order of the bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from gemma_eval import plugins
from gemma_eval.backends.model_files import exported, locate
from gemma_eval.config import shipped
from gemma_eval.gemma import checkpoint, decode
from gemma_eval.gemma.gguf_write import DTYPES
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.records import Cell, Suite
from gemma_eval.suite import load_suite
from tests import required

STORY = (
    "<bos><start_of_turn>user\nTell a story about a fox.<end_of_turn>\n<start_of_turn>model\n"
    "Once there was a young fox. It lived in the forest. One day it found a map."
)


@pytest.fixture(scope="module")
def loaded() -> tuple[Suite, tuple[Cell, ...]]:
    """The suite and its cells."""
    return load_suite(shipped.suites_directory() / "quantisation.toml", plugins.load())


def test_every_case_runs_in_every_precision(loaded: tuple[Suite, tuple[Cell, ...]]) -> None:
    """The means of two models are then means over the same cases."""
    suite, cells = loaded
    assert {cell.model.location for cell in cells} == {f"@pocket.{dtype}.gguf" for dtype in DTYPES}
    assert len(cells) == 4 * len(suite.cases)


def test_there_are_enough_cases_of_each_kind(loaded: tuple[Suite, tuple[Cell, ...]]) -> None:
    """What is read is the finer measure: a hundredth of a story's likelihood shows with forty of them."""
    suite, _ = loaded
    assert sum(case.continuation is not None for case in suite.cases) >= 40
    assert sum(case.continuation is None for case in suite.cases) >= 80
    assert not [case.id for case in suite.cases if not case.tags]


@pytest.fixture(scope="module")
def log_probabilities(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Array]:
    """The pocket model's log-probabilities [L, V] of each next token of a story, by precision."""
    required.module("gguf", extra="gguf")
    cache = tmp_path_factory.mktemp("cache")
    found: dict[str, Array] = {}
    for dtype in DTYPES:
        model = checkpoint.load(exported(locate("@pocket"), dtype, cache=cache))
        transformer = Transformer(architecture=model.architecture, weights=model.weights)
        logits = decode.all_logits(transformer, model.tokenizer.encode(STORY)).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        found[dtype] = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    return found


def test_fewer_bits_are_further_from_full_precision(log_probabilities: Mapping[str, Array]) -> None:
    """The mean Kullback-Leibler divergence of the next token, each type at least ten times the one before."""
    exact = log_probabilities["F32"]
    lost = [
        float((np.exp(exact) * (exact - log_probabilities[dtype])).sum(axis=1).mean())
        for dtype in ("F16", "Q8_0", "Q4_0")
    ]
    assert 0 <= lost[0] < lost[1] / 10 < lost[2] / 100
