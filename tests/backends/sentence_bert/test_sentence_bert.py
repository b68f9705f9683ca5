"""Vectors of sentences, held against transformers' BERT with random weights and the tokenizer of a folder."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy import special

from gemma_eval.backends import sentence_folder
from gemma_eval.backends.sentence_bert.embedder import SentenceBert, load
from gemma_eval.backends.sentence_bert.gelu import gelu
from gemma_eval.errors import ModelNotFound
from gemma_eval.records import ModelSpec
from tests import bert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights, as sentence-transformers lays it out."""
    return bert.write(tmp_path_factory.mktemp("bert"))


def embedder(folder: Path) -> SentenceBert:
    """Load the folder."""
    return load(ModelSpec(name="small", backend="sentence_bert", location=str(folder)))


def test_vectors_are_those_of_transformers(folder: Path) -> None:
    """Also of no words, of letters beyond ASCII and of a text that is cut off."""
    vectors = embedder(folder).embed(bert.TEXTS)
    assert vectors.dtype == np.float32
    for text, vector in zip(bert.TEXTS, vectors, strict=True):
        assert vector == pytest.approx(bert.vector(folder, text), abs=2e-6)


@pytest.mark.parametrize(
    "name", ["encoder.layer.1.output.LayerNorm.bias", "embeddings.token_type_embeddings.weight"]
)
def test_the_comparison_sees_a_weight_that_is_left_out(folder: Path, tmp_path: Path, name: str) -> None:
    """The oracle can fail."""
    without = copy(folder, tmp_path / "without")
    weights = load_file(without / "model.safetensors")
    weights[name] *= 0
    save_file(weights, without / "model.safetensors")
    vector = embedder(without).embed(bert.TEXTS[:1])[0]
    assert vector != pytest.approx(bert.vector(folder, bert.TEXTS[0]), abs=2e-6)


def test_a_vector_in_any_company_is_the_same_to_1e_6(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of any size; a product of more rows is summed up in another order."""
    made = embedder(folder)
    alone = np.concatenate([made.embed([text]) for text in bert.TEXTS])
    for size in (1, 20, 256):
        monkeypatch.setattr(sentence_folder, "BATCH_TOKENS", size)
        assert made.embed(bert.TEXTS) == pytest.approx(alone, abs=1e-6)
        assert made.embed(bert.TEXTS[::-1])[::-1] == pytest.approx(alone, abs=1e-6)


def test_threads_that_ask_at_once_leave_no_setting_behind(folder: Path) -> None:
    """That of BLAS is of the whole process, and belongs to the engine under test."""
    made = embedder(folder)
    with made.blas.limit(limits=2):
        before = [pool["num_threads"] for pool in made.blas.info()]
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(made.embed, [bert.TEXTS] * 12))
        assert [pool["num_threads"] for pool in made.blas.info()] == before
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_tokens_have_the_states_that_transformers_gives_them(folder: Path) -> None:
    """At length 1, and without those that are put around a text: an empty one has none."""
    for text, vectors in zip(bert.TEXTS, embedder(folder).embed_tokens(bert.TEXTS), strict=True):
        states = bert.states(folder, text)[1:-1]
        expected = states / np.linalg.norm(states, axis=1, keepdims=True)
        assert vectors.shape == expected.shape
        assert vectors == pytest.approx(expected, abs=3e-6)


def test_tokens_of_another_text_are_seen(folder: Path) -> None:
    """The comparison of tokens can fail."""
    (vectors,) = embedder(folder).embed_tokens(["where does finn"])
    others = bert.states(folder, "does where finn")[1:-1]
    assert vectors != pytest.approx(others / np.linalg.norm(others, axis=1, keepdims=True), abs=3e-6)


def test_gelu_is_the_exact_one_to_a_few_units_in_the_last_place() -> None:
    """Over all that it bends, in rows that are no multiple of those bent at a time."""
    x = np.linspace(-9, 9, 45 * 64).reshape(45, 64)
    exact = x * (1 + special.erf(x / np.sqrt(2))) / 2
    assert gelu(x.astype(np.float32)) == pytest.approx(exact, abs=1e-6, rel=3e-7)
    tanh = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    assert tanh != pytest.approx(exact, abs=1e-6, rel=3e-7), "what stands for it elsewhere is told from it"


def test_the_id_names_all_that_decides_a_vector(folder: Path, tmp_path: Path) -> None:
    """Other weights, another pooling or another length are another embedder."""
    first = embedder(folder).id
    other = copy(folder, tmp_path / "weights")
    weights = load_file(other / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1
    save_file(weights, other / "model.safetensors")
    longer = copy(folder, tmp_path / "longer")
    (longer / "sentence_bert_config.json").write_text('{"max_seq_length": 17}')
    first_token = copy(folder, tmp_path / "cls")
    write_pooling(first_token, "cls_token")
    assert len({first, embedder(other).id, embedder(longer).id, embedder(first_token).id}) == 4


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda where: write_pooling(where, "max_tokens"), "pooling_mode_max_tokens"),
        (lambda where: (where / "tokenizer.json").write_text("{}"), "tokenizer"),
        (lambda where: (where / "config.json").write_text('{"model_type": "gemma"}'), "no BERT"),
        (lambda where: (where / "config.json").write_text('{"model_type": "bert"}'), "num_hidden_layers"),
        (lambda where: (where / "model.safetensors").unlink(), "no weights"),
        (lambda where: change_config(where, num_hidden_layers=3), "do not fit together"),
        (lambda where: change_config(where, num_attention_heads=5), "do not fit together"),
        (lambda where: change_config(where, layer_norm_eps="small"), "do not fit together: .*small"),
        (lambda where: change_config(where, position_embedding_type="relative_key"), "not absolute"),
        (lambda where: (where / "sentence_bert_config.json").write_text('{"max_seq_length": 65}'), "fit"),
        (lambda where: (where / "modules.json").write_text('[{"type": "models.Dense"}]'), "the step Dense"),
        (lambda where: (where / "modules.json").write_text('{"type": 1}'), "no list of the steps"),
    ],
)
def test_a_folder_that_is_none_is_one_clear_error(folder: Path, tmp_path: Path, spoil, what: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """It says which file, and what is wrong with it."""
    where = copy(folder, tmp_path / "spoilt")
    spoil(where)
    with pytest.raises(ModelNotFound, match=what):
        embedder(where)


def test_half_a_pair_of_surrogates_has_a_vector(folder: Path) -> None:
    """A model may write it, and the tokenizer takes it for no text."""
    (vector,) = embedder(folder).embed(["Oslo \ud83d ."])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def change_config(where: Path, **changes: object) -> None:
    """Say another thing of the model than its weights do."""
    path = where / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def copy(folder: Path, to: Path) -> Path:
    """Copy the files of a folder."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def write_pooling(folder: Path, mode: str) -> None:
    """Say how tokens become one vector."""
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
