"""Texts that are read beside each other after one: whole-sequence logits, windows, planted errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gemma_eval.gemma import branches, decode
from gemma_eval.gemma.decode import all_logits
from gemma_eval.gemma.kv_cache import KVCache
from gemma_eval.gemma.reading import Reading, found, groups, read_beside
from gemma_eval.gemma.rope import rotation
from gemma_eval.gemma.transformer import Transformer
from tests.gemma.tiny import write_model

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"
GEMMA_2 = {"model_type": "gemma2", "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
SIZES = (1, 7, 3, 1, 12, 2)
"""Texts of one token, and one that leaves the window of the tiny model, which is 5."""


@pytest.fixture(params=["pocket", "tiny", "gemma 2"], scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Transformer:
    """Return models with windows of 64 and 5 tokens, and one with soft caps."""
    if request.param == "pocket":
        return decode.load(POCKET)
    config = GEMMA_2 if request.param == "gemma 2" else {}
    return decode.load(write_model(tmp_path_factory.mktemp("model"), config=config))


def drawn(*, before: int, sizes: Sequence[int] = SIZES) -> tuple[list[int], list[list[int]]]:
    """Return random tokens: what stands before all texts, and texts of these sizes."""
    draw = np.random.default_rng(before)
    return draw.integers(6, 250, before).tolist(), [draw.integers(6, 250, size).tolist() for size in sizes]


def wrong_by(model: Transformer, read: Sequence[Reading], before: list[int], texts: list[list[int]]) -> float:
    """Return the largest distance from what the logits of each whole sequence say, without any cache."""
    worst = 0.0
    for reading, text in zip(read, texts, strict=True):
        logits = all_logits(model, before + text)[len(before) - 1 : -1].astype(np.float64)
        expected = logits[np.arange(len(text)), text] - np.logaddexp.reduce(logits, axis=-1)
        worst = max(worst, float(np.abs(np.subtract(reading.log_probabilities, expected)).max()))
        assert reading.greedy == tuple(logits.argmax(axis=-1) == text)
    return worst


@pytest.mark.parametrize("before", [1, 3, 9, 70])
def test_each_text_is_read_as_if_it_were_alone(model: Transformer, before: int) -> None:
    """After prompts shorter and longer than the windows."""
    first, texts = drawn(before=before)
    assert wrong_by(model, read_beside(model, first, texts), first, texts) < 2e-5


def test_many_and_long_texts_are_read_in_several_goes(model: Transformer) -> None:
    """One of them is longer than what is read at once."""
    first, texts = drawn(before=40, sizes=(1, *[50] * 7, 270, 3))
    assert wrong_by(model, read_beside(model, first, texts), first, texts) < 5e-5


def test_groups_hold_what_is_read_at_once() -> None:
    """In order, none lost; one that is longer stands alone."""
    texts = [[0] * size for size in (100, 100, 100, 300, 256, 1)]
    made = list(groups(texts, size=lambda some: sum(map(len, some))))
    assert [[len(text) for text in group] for group in made] == [[100, 100], [100], [300], [256], [1]]


def test_a_text_that_sees_another_is_found_out(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted error: all tokens are of one text, for the mask."""
    first, texts = drawn(before=3)
    mask = branches.branched
    monkeypatch.setattr(
        branches, "branched", lambda positions, owners, **rest: mask(positions, owners * 0, **rest)
    )
    assert wrong_by(model, read_beside(model, first, texts), first, texts) > 1e-3


def test_a_position_that_is_not_its_own_is_found_out(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted error: texts stand one behind the other instead of beside each other."""
    first, texts = drawn(before=9)
    behind = branches.Branches.__init__

    def init(self: branches.Branches, architecture: object, cache: KVCache, *, lengths: list[int]) -> None:
        behind(self, architecture, cache, lengths=lengths)  # type: ignore[arg-type]
        places = cache.length + np.arange(sum(lengths))
        turns = {
            kind: rotation(rope, head_dim=model.architecture.head_dim, tokens=64)[places]
            for kind, rope in model.architecture.rope.items()
        }
        self.turns = turns

    monkeypatch.setattr(branches.Branches, "__init__", init)
    assert wrong_by(model, read_beside(model, first, texts), first, texts) > 1e-3


def test_a_window_is_not_left_beside_other_texts() -> None:
    """Six tokens of two texts after five, with a window of three, by hand."""
    seen = branches.branched(np.array([5, 6, 7, 5, 6, 7]), np.array([0, 0, 0, 1, 1, 1]), shared=2, window=3)
    expected = ["11100000", "01110000", "00111000", "11000100", "01000110", "00000111"]
    assert ["".join("1" if value == 0 else "0" for value in row) for row in seen] == expected


def test_a_greedy_token_is_the_first_of_the_highest() -> None:
    """Each is told for itself."""
    logits = np.array([[1.0, 3.0, 3.0], [5.0, 0.0, 5.0]], np.float32)
    assert found(logits, [1, 0]).greedy == (True, True)
    assert found(logits, [2, 0]).greedy == (False, True)
    assert found(logits, [1, 2]).greedy == (True, False)
