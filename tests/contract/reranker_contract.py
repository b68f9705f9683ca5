"""What every reranker keeps: derive from `RerankerContract` to hold one to it."""

from __future__ import annotations

import math

import pytest

from gemma_eval.protocols import Reranker
from tests.contract.embedder_contract import TEXTS

QUERY = "Where does Finn live?"
SAME = 1e-4
"""How far a score may be from what it is in other company."""


class RerankerContract:
    """The tests; a class that derives from it gives the fixture `reranker`."""

    texts: tuple[str, ...] = TEXTS
    """Fewer where one that is slow by its nature would read the long ones again and again."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        """Return the reranker."""
        raise NotImplementedError

    @pytest.mark.parametrize("query", [QUERY, "", "{passage}", "Oslo \ud83d"])
    def test_each_text_has_a_finite_score(self, reranker: Reranker, query: str) -> None:
        """Whatever it holds, and whatever is asked."""
        scores = reranker.score(query, self.texts)
        assert len(scores) == len(self.texts)
        assert all(map(math.isfinite, scores))

    def test_no_texts_have_no_scores(self, reranker: Reranker) -> None:
        """There may be nothing to put in order."""
        assert list(reranker.score(QUERY, [])) == []

    def test_a_score_does_not_depend_on_the_company_of_its_text(self, reranker: Reranker) -> None:
        """Nor on its place; the same text has the same score twice."""
        together = reranker.score(QUERY, self.texts)
        assert list(reranker.score(QUERY, self.texts[::-1]))[::-1] == pytest.approx(list(together), abs=SAME)
        for text, score in zip(self.texts, together, strict=True):
            assert list(reranker.score(QUERY, [text, text])) == pytest.approx([score, score], abs=SAME)
