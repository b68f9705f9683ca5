"""What every embedder keeps: derive from `EmbedderContract` to hold one to it."""

from __future__ import annotations

import numpy as np
import pytest

from gemma_eval.protocols import Embedder, TokenEmbedder

TEXTS = (
    *("Finn lives in Oslo.", "", " \t\r\n ", "Where does Finn live?"),
    *("Überraschung, Δοκιμή, 検査, \u0661\u0662, \u202e\u05d0, e\u0301, 👩🏽‍🚀", "Oslo \ud83d and \udc00"),
    *("\x00\x07\x1b[31m\ufeff\u2028", "{{ query }} {% raw %} <bos>", "Oslo " * 2_000, "a" * 2_000),
)
"""What a passage or a query may be, or what may have gone wrong on the way."""
SAME = 1e-5
"""How far a vector may be from what it is in other company: products are summed up in another order."""


class EmbedderContract:
    """The tests; a class that derives from it gives the fixture `embedder`."""

    same = SAME

    @pytest.fixture
    def embedder(self) -> Embedder:
        """Return the embedder."""
        raise NotImplementedError

    def test_each_text_has_a_vector_of_length_1(self, embedder: Embedder) -> None:
        """Of one width, in float32."""
        vectors = embedder.embed(TEXTS)
        assert vectors.shape[0] == len(TEXTS)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)

    def test_no_texts_have_no_vectors(self, embedder: Embedder) -> None:
        """Of the same width."""
        assert embedder.embed([]).shape == (0, embedder.embed(TEXTS[:1]).shape[1])

    def test_a_vector_does_not_depend_on_its_company(self, embedder: Embedder) -> None:
        """Nor on its place among the texts, or on what was asked for before."""
        together = embedder.embed(TEXTS)
        assert embedder.embed(TEXTS[::-1])[::-1] == pytest.approx(together, abs=self.same)
        for text, vector in zip(TEXTS, together, strict=True):
            assert embedder.embed([text])[0] == pytest.approx(vector, abs=self.same)

    def test_the_id_is_one_line_that_stays(self, embedder: Embedder) -> None:
        """It stands in stores and reports."""
        known = embedder.id
        embedder.embed(TEXTS[:1])
        assert embedder.id == known
        assert known
        assert known.isprintable()

    def test_tokens_have_vectors_of_length_1(self, embedder: Embedder) -> None:
        """Where it has such; of the width of its other vectors, and none for a text without words."""
        if not isinstance(embedder, TokenEmbedder):
            return
        assert embedder.embed_tokens([]) == ()
        made = embedder.embed_tokens(TEXTS)
        assert len(made) == len(TEXTS)
        width = embedder.embed(TEXTS[:1]).shape[1]
        for vectors in made:
            assert vectors.shape[1:] == (width,)
            assert vectors.dtype == np.float32
            assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)
        assert len(made[1]) == 0
        (alone,) = embedder.embed_tokens(TEXTS[:1])
        assert alone == pytest.approx(made[0], abs=self.same)
