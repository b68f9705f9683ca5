"""The scorer of meaning, with vectors that are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import pytest

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Services, models_of
from gemma_eval.records import Question, Score
from gemma_eval.scoring.similarity import similarity
from tests.examples import a_case, a_generation

VECTORS = {"Oslo": (1.0, 0.0), "near": (0.6, 0.8), "across": (0.0, 1.0), "against": (-1.0, 0.0)}


def embed(embedder: str, texts: Sequence[str]) -> np.ndarray:
    """Look vectors up."""
    assert embedder == "minilm"
    return np.array([VECTORS[text] for text in texts], np.float32)


def nobody(model: str, question: Question) -> NoReturn:
    """Refuse to be asked."""
    raise AssertionError


def scored(answer: str, *references: str) -> Score:
    """Score an answer."""
    scorer = similarity({"reference": references, "embedder": "minilm"})
    bound = scorer.bind(Services(ask=nobody, embed=embed))
    return bound(a_case(), a_generation(answer))


@pytest.mark.parametrize(
    ("answer", "value", "cosine"), [("Oslo", 1, 1), ("near", 0.6, 0.6), ("across", 0, 0), ("against", 0, -1)]
)
def test_the_value_is_the_cosine_and_no_less_than_none(answer: str, value: float, cosine: float) -> None:
    """Beside it stands the cosine as it is."""
    score = scored(answer, "Oslo")
    assert score.value == pytest.approx(value)
    assert score.figures["cosine"] == pytest.approx(cosine)


def test_of_several_references_the_nearest_counts() -> None:
    """And is named."""
    score = scored("near", "Oslo", "across")
    assert score.value == pytest.approx(0.8)
    assert '"across"' in score.explanation


def test_an_empty_answer_is_near_nothing() -> None:
    """An embedder would give it some vector."""
    assert scored("  ", "Oslo").value == 0


def test_it_names_its_embedder_and_needs_one() -> None:
    """The name is one of models.toml."""
    assert models_of(similarity({"reference": "Oslo", "embedder": "minilm"})) == ("minilm",)
    with pytest.raises(UsageError, match='the option "embedder" is missing'):
        similarity({"reference": "Oslo"})


def test_one_name_may_stand_for_a_list_of_one() -> None:
    """A text read letter by letter would ask for models named p, o, c …"""

    class Asking:
        models = "pocket"

    assert models_of(Asking()) == ("pocket",)  # type: ignore[arg-type]
