"""Several answers to one prompt, decoded together, have the logits of each alone, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.gemma import decode
from gemma_eval.gemma.decode import Decoding
from gemma_eval.gemma.reading import read_after
from gemma_eval.gemma.transformer import Transformer
from tests.gemma.tiny import write_model

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
GEMMA_2 = {
    "model_type": "gemma2",
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
    "max_position_embeddings": 128,
}
WIDE = {"hidden_size": 640, "intermediate_size": 1024, "num_key_value_heads": 1, "head_dim": 64}
"""Matrices that are computed row by row, in blocks, beside small ones."""


@pytest.fixture(params=["pocket", "tiny", "gemma 2", "wide"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Transformer:
    """Return a model of each way of computing."""
    configs: Mapping[str, Mapping[str, object]] = {"tiny": {}, "gemma 2": GEMMA_2, "wide": WIDE}
    if request.param == "pocket":
        return decode.load(POCKET)
    return decode.load(write_model(tmp_path, config=configs[request.param]))


def test_logits_of_answers_together_are_those_of_each_alone(model: Transformer) -> None:
    """Eight answers of random tokens, past the window; one leaves now and then until one is left."""
    draw = np.random.default_rng(5)
    answers, steps = 8, 24
    prompt, written = draw.integers(6, 250, 40).tolist(), draw.integers(6, 250, (answers, steps))
    capacity = len(prompt) + steps
    together = Decoding(model, capacity=capacity, answers=answers)
    single = [Decoding(model, capacity=capacity) for _ in range(answers)]
    first = together.prefill(prompt)
    for decoding in single:
        np.testing.assert_array_equal(decoding.prefill(prompt), first)
    rows = list(range(answers))
    for step in range(steps):
        found = together.step([int(written[row, step]) for row in rows])
        for place, row in enumerate(rows):
            np.testing.assert_array_equal(found[place], single[row].step((int(written[row, step]),))[0])
        if step % 3 == 2 and len(rows) > 1:
            leaving = int(draw.integers(len(rows)))
            together.drop(leaving)
            rows[leaving] = rows[-1]
            del rows[-1]
    assert len(rows) == 1


def test_answers_that_differ_have_logits_that_differ(model: Transformer) -> None:
    """The comparison above would see an answer that is given another's tail."""
    decoding = Decoding(model, capacity=12, answers=2)
    decoding.prefill([2, 9, 30])
    decoding.step([40, 50])
    one, other = decoding.step([60, 60])
    assert np.abs(one - other).max() > 1e-3


def test_log_probabilities_of_a_text_are_those_of_the_logits_one_token_at_a_time() -> None:
    """Against stepping through the text with the cache, and in float64; past a part and past a window."""
    model = decode.load(POCKET)
    ids = np.random.default_rng(6).integers(6, 1800, 330).tolist()
    first = 20
    found = read_after(model, ids[:first], ids[first:]).log_probabilities
    decoding = Decoding(model, capacity=len(ids))
    logits = [decoding.prefill(ids[:first])]
    logits += [decoding.step((token,))[0] for token in ids[first:-1]]
    expected = [
        float(row[token]) - float(np.logaddexp.reduce(row.astype(np.float64)))
        for row, token in zip(logits, ids[first:], strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_text_read_one_token_too_late_is_seen() -> None:
    """The log-probabilities of the tokens before are others by far more than the tolerance."""
    model = decode.load(POCKET)
    ids = np.random.default_rng(6).integers(6, 1800, 30).tolist()
    right, late = (
        read_after(model, ids[:10], ids[10:]).log_probabilities,
        read_after(model, ids[:9], ids[9:]).log_probabilities,
    )
    np.testing.assert_allclose(late[1:], right, atol=1e-4)
    assert np.abs(np.subtract(late[:-1], right)).max() > 0.1
