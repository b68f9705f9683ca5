"""The contract, kept by the embedders that ship."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.protocols import Embedder
from gemma_eval.records import ModelSpec
from tests import bert, bert_onnx, required
from tests.backends.openai_http.telling_server import embeddings, tell
from tests.contract.embedder_contract import EmbedderContract


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights."""
    return bert.write(tmp_path_factory.mktemp("bert"))


def load(backend: str, location: str) -> Embedder:
    """Load an embedder by its name, through the door that a run uses."""
    made = plugins.load().embedders.find(backend)
    return made(ModelSpec(name="small", backend=backend, location=location))


class TestHashing(EmbedderContract):
    """Without a model."""

    same = 0

    @pytest.fixture
    def embedder(self) -> Embedder:
        """Nothing is read."""
        return load("hashing", "-")


class TestSentenceBert(EmbedderContract):
    """In NumPy."""

    @pytest.fixture
    def embedder(self, folder: Path) -> Embedder:
        """The small one."""
        return load("sentence_bert", str(folder))


class TestOnnxBert(EmbedderContract):
    """In onnxruntime."""

    @pytest.fixture
    def embedder(self, folder: Path) -> Embedder:
        """The small one, exported."""
        required.module("onnxruntime", extra="onnx")
        return load("onnx_bert", str(bert_onnx.write(folder)))


class TestOpenAiEmbeddings(EmbedderContract):
    """Behind a server."""

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        """Vectors by the hash of each text."""
        with tell(embeddings) as server:
            yield load("openai_embeddings", server.url)
