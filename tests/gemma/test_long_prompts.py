"""A long prompt is read in parts, so that memory grows with its length and not with its square."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gemma_eval.gemma import decode
from gemma_eval.gemma.architecture import extended
from gemma_eval.gemma.decode import PREFILL_TOKENS, Decoding
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.records import RopeScaling
from tests.gemma.tiny import write_model

TRAINED = 8_192


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Transformer:
    """A small random model of 8,192 positions, stretched to four times as many."""
    settings = {"max_position_embeddings": TRAINED, "num_hidden_layers": 2, "num_attention_heads": 2}
    folder = write_model(tmp_path_factory.mktemp("long") / "model", config=settings)
    loaded = decode.load(folder)
    scaling = RopeScaling(rope_type="yarn", factor=4.0)
    return replace(loaded, architecture=extended(loaded.architecture, scaling, context_tokens=4 * TRAINED))


def peak_bytes(model: Transformer, ids: Sequence[int]) -> int:
    """Return the most memory that reading the ids took."""
    tracemalloc.start()
    try:
        logits = Decoding(model, capacity=len(ids)).prefill(ids)
        assert np.isfinite(logits).all()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def affordable_bytes(model: Transformer, length: int) -> int:
    """Return twice what the scores of one part take, for their mask, with 16 MiB for the rest."""
    return 2 * PREFILL_TOKENS * length * model.architecture.heads * 4 + (16 << 20)


def ids_of(length: int) -> list[int]:
    """Return so many random ids."""
    ids: list[int] = np.random.RandomState(1).randint(6, 256, size=length).tolist()
    return ids


def test_a_prompt_is_read_in_the_memory_of_its_parts(model: Transformer) -> None:
    """4,096 tokens."""
    assert peak_bytes(model, ids_of(4_096)) <= affordable_bytes(model, 4_096)


@pytest.mark.slow
def test_a_prompt_of_four_times_the_trained_length_is_read_in_the_memory_of_its_parts(
    model: Transformer,
) -> None:
    """32,768 tokens, of which all scores at once would take 8 GiB."""
    assert peak_bytes(model, ids_of(4 * TRAINED)) <= affordable_bytes(model, 4 * TRAINED)


def test_the_bound_would_show_scores_that_are_made_all_at_once(model: Transformer) -> None:
    """A prompt of 4,096 tokens, read as one part."""
    tracemalloc.start()
    try:
        decode.all_logits(model, ids_of(4_096), at_once=4_096)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found > affordable_bytes(model, 4_096)
