"""The contract, kept by the rerankers that ship."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.prompts.chat import render
from gemma_eval.protocols import Reranker, RerankerParts
from gemma_eval.records import ModelSpec
from tests import bert, bert_onnx, required
from tests.backends.openai_http.telling_server import scores, tell
from tests.contract.embedder_contract import TEXTS
from tests.contract.reranker_contract import RerankerContract

REGISTRY = plugins.load()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cross-encoder."""
    required.module("onnxruntime", extra="onnx")
    return bert_onnx.write(bert.write(tmp_path_factory.mktemp("pairs"), labels=1), pairs=True)


def load(name: str, parts: RerankerParts) -> Reranker:
    """Build a reranker by its name, through the door that a run uses."""
    return REGISTRY.rerankers.find(name)(parts)


def test_every_reranker_is_held_to_it() -> None:
    """A new one must have a class here."""
    assert set(REGISTRY.rerankers) == {"maxsim", "engine", "onnx", "llama_cpp"}


class TestMaxSim(RerankerContract):
    """Over hashed words."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        """No model."""
        hashing = ModelSpec(name="hashing", backend="hashing", location="-")
        return load("maxsim", RerankerParts(embedder=REGISTRY.embedders.find("hashing")(hashing)))


class TestEngine(RerankerContract):
    """With the model that ships."""

    texts = TEXTS[:8]

    @pytest.fixture
    def reranker(self) -> Reranker:
        """The pocket model."""
        spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
        backend = REGISTRY.backends.find("numpy_gemma")(
            spec, clock=time.perf_counter_ns, transforms=REGISTRY.transforms
        )
        return load("engine", RerankerParts(backend=backend, render=render))


class TestOnnx(RerankerContract):
    """With a small cross-encoder."""

    @pytest.fixture
    def reranker(self, pairs: Path) -> Reranker:
        """Random weights."""
        model = ModelSpec(name="small", backend="onnx_bert", location=str(pairs))
        return load("onnx", RerankerParts(model=model))


class TestLlamaCpp(RerankerContract):
    """Behind a server that scores by length."""

    @pytest.fixture
    def reranker(self) -> Iterator[Reranker]:
        """The best first."""
        with tell(scores(lambda text: len(text) / 1000)) as server:
            model = ModelSpec(name="served", backend="openai_http", location=server.url)
            yield load("llama_cpp", RerankerParts(model=model))
