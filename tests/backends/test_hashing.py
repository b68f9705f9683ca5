"""The embedder without a model: what its vectors are near to, and that it is known for what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.backends.hashing import load
from gemma_eval.errors import UnknownName, WrongSetting
from gemma_eval.protocols import TokenEmbedder, is_plumbing
from gemma_eval.records import ModelSpec, Option


def spec(**options: Option) -> ModelSpec:
    """Name the embedder."""
    return ModelSpec(name="quick", backend="hashing", location="-", options=options)


def test_a_text_is_near_what_shares_words_or_parts_of_them() -> None:
    """And not what means the same in others."""
    asked, same, part, other = load(spec()).embed(
        ["The baker lives here", "here lives a BAKER", "bakers living", "Who makes bread?"]
    )
    assert asked @ same > asked @ part > asked @ other
    assert asked @ same > 0.6
    assert abs(asked @ other) < 0.3


def test_vectors_do_not_change_from_run_to_run() -> None:
    """A known answer: crc32 of a word and its runs of three letters, signs by the lowest bit."""
    vector = load(spec(dimensions=8)).embed(["ab"])[0]
    places = {"word ab": 2.0, "<ab": 1.0, "ab>": 1.0}
    expected = np.zeros(8)
    for feature, weight in places.items():
        hashed = __import__("zlib").crc32(feature.encode())
        expected[(hashed // 2) % 8] += weight if hashed % 2 else -weight
    expected = np.sign(expected) * np.sqrt(np.abs(expected))
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert vector != pytest.approx(np.roll(expected, 1) / np.linalg.norm(expected), abs=1e-3)


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=30), max_size=4))
def test_every_text_has_a_vector_of_length_1(texts: list[str]) -> None:
    """No words, too; it is the same in any company."""
    embedder = load(spec())
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(embedder.embed([text])[0], vector)


def test_its_tokens_are_words() -> None:
    """Each with the vector that it has as a text."""
    embedder = load(spec())
    assert isinstance(embedder, TokenEmbedder)
    empty, two = embedder.embed_tokens(["", "naïve café"])
    assert empty.shape == (0, 384)
    assert np.array_equal(two, embedder.embed(["naïve", "café"]))


def test_its_id_says_that_no_model_made_its_vectors() -> None:
    """Whatever a person calls it; and a model that somebody calls hashing is one."""
    assert is_plumbing(load(spec()).id)
    assert load(spec()).id != load(spec(dimensions=64)).id
    assert not is_plumbing("hashing/53aa51172d14/f32/mean/256")
    assert "hashing" in plugins.load().embedders


def test_a_wrong_option_is_named() -> None:
    """With what is right."""
    with pytest.raises(UnknownName, match='did you mean "dimensions"'):
        load(spec(dimension=64))
    with pytest.raises(WrongSetting, match="dimensions = 7; a whole number from 8 to 65536 is needed"):
        load(spec(dimensions=7))
