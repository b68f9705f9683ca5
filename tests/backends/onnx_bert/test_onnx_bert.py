"""Encoders in onnxruntime, held against transformers and our own NumPy path over the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemma_eval.backends.onnx_bert import embedder, reranker
from gemma_eval.backends.sentence_bert import embedder as sentence_bert
from gemma_eval.errors import MissingDependency, ModelNotFound, UnknownName, UsageError
from gemma_eval.protocols import RerankerParts, TokenEmbedder
from gemma_eval.records import ModelSpec, Option
from tests import bert, bert_onnx, required

required.module("onnxruntime", extra="onnx")
QUERY = "Where does Finn live?"
PASSAGES = ("Finn lives in Oslo.", "", "naive cafe", "? . ?", "Oslo " * 70)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with its graph."""
    return bert_onnx.write(bert.write(tmp_path_factory.mktemp("onnx")))


@pytest.fixture(scope="module", params=[1, 2], ids=["one logit", "two logits"])
def pairs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A small cross-encoder with its graph."""
    return bert_onnx.write(bert.write(tmp_path_factory.mktemp("pairs"), labels=request.param), pairs=True)


def spec(folder: Path, **options: Option) -> ModelSpec:
    """Name a folder."""
    return ModelSpec(name="small", backend="onnx_bert", location=str(folder), options=options)


def test_vectors_are_those_of_transformers_and_of_the_numpy_path(folder: Path) -> None:
    """In one batch of several lengths, where shorter texts are filled up."""
    vectors = embedder.load(spec(folder)).embed(bert.TEXTS)
    assert vectors.dtype == np.float32
    for text, vector in zip(bert.TEXTS, vectors, strict=True):
        assert vector == pytest.approx(bert.vector(folder, text), abs=2e-6)
    assert vectors == pytest.approx(sentence_bert.load(spec(folder)).embed(bert.TEXTS), abs=1e-6)


def test_what_fills_up_a_text_would_be_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison fails where filling is not masked."""
    made = embedder.load(spec(folder))
    right = made.embed(bert.TEXTS)
    object.__setattr__(made.session, "runtime", _Unmasked(made.session.runtime))
    assert made.embed(bert.TEXTS) != pytest.approx(right, abs=2e-6)


class _Unmasked:
    def __init__(self, runtime) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.runtime = runtime

    def run(self, names: None, fields: dict[str, np.ndarray]) -> list[np.ndarray]:
        ones = np.ones_like(fields["attention_mask"])
        made: list[np.ndarray] = self.runtime.run(names, {**fields, "attention_mask": ones})
        return made


def test_tokens_are_those_of_the_numpy_path(folder: Path) -> None:
    """Without those that are put around a text."""
    made = embedder.load(spec(folder))
    assert isinstance(made, TokenEmbedder)
    expected = sentence_bert.load(spec(folder)).embed_tokens(bert.TEXTS)
    for ours, theirs in zip(made.embed_tokens(bert.TEXTS), expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours == pytest.approx(theirs, abs=2e-6)


def test_the_id_names_the_graph(folder: Path, tmp_path: Path) -> None:
    """So that vectors of a quantised graph, and those of the NumPy path, are never mixed with its own."""
    other = bert_onnx.write(bert.write(tmp_path, labels=1))
    ids = {embedder.load(spec(folder)).id, embedder.load(spec(other)).id, sentence_bert.load(spec(folder)).id}
    assert len(ids) == 3


def test_a_cross_encoder_scores_as_transformers_does(pairs: Path) -> None:
    """One logit, or that for minus that against; a text that is too long is cut off."""
    made = reranker.load(RerankerParts(model=spec(pairs)))
    logits = bert.logits(pairs, QUERY, PASSAGES[:4])
    expected = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
    scores = made.score(QUERY, PASSAGES)
    assert scores[:4] == pytest.approx(expected, abs=1e-5)
    assert len(scores) == 5
    assert made.score(QUERY, PASSAGES[::-1])[::-1] == pytest.approx(scores, abs=1e-5)


def test_types_that_are_left_out_would_be_seen(pairs: Path) -> None:
    """The oracle of the cross-encoder can fail."""
    right, wrong = (bert.logits(pairs, QUERY, PASSAGES[:1], second_type=kind) for kind in (1, 0))
    assert wrong != pytest.approx(right, abs=1e-3)


def test_what_is_no_such_graph_is_one_clear_error(folder: Path, pairs: Path, tmp_path: Path) -> None:
    """It says which file, and what is wrong with it."""
    with pytest.raises(ModelNotFound, match=r"first output is not \[texts, tokens, width\]"):
        embedder.load(spec(pairs))
    with pytest.raises(ModelNotFound, match=r"first output is not \[texts, 1\]"):
        reranker.load(RerankerParts(model=spec(folder)))
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ModelNotFound, match=r"has no model\.onnx"):
        embedder.load(spec(tmp_path))
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 65}')  # it has 64 positions
    with pytest.raises(
        ModelNotFound, match="a text of 65 tokens is too long for it, or its files do not fit"
    ):
        embedder.load(spec(tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelNotFound, match=r"model\.onnx: onnxruntime cannot load it: .*[Pp]rotobuf"):
        embedder.load(spec(tmp_path))


def test_a_wrong_option_and_a_missing_model_are_named(folder: Path) -> None:
    """Before anything is loaded."""
    with pytest.raises(UnknownName, match='did you mean "threads"'):
        embedder.load(spec(folder, thread=2))
    with pytest.raises(UsageError, match="needs a reranker_model"):
        reranker.load(RerankerParts())


def test_without_onnxruntime_the_pip_line_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is called onnx."""
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemma_eval\[onnx\]"'):
        embedder.load(spec(folder))
