"""The likelihood of a text is one over its perplexity: known values, an oracle, and planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.records import Score
from gemma_eval.scoring.likelihood import likelihood
from tests.examples import a_case, a_generation

PROBABILITIES = st.lists(st.floats(1e-300, 1.0), min_size=1, max_size=30)


def score(known: Sequence[float] | None) -> Score:
    """Score a text whose tokens had these log-probabilities."""
    kept = None if known is None else tuple(known)
    return likelihood({})(a_case(), replace(a_generation(), log_probabilities=kept))


def value(probabilities: Sequence[float]) -> float:
    """Return the score of a text whose tokens had these probabilities."""
    found = score([math.log(each) for each in probabilities]).value
    assert found is not None
    return found


def wrong_by(scored: Callable[[Sequence[float]], float], probabilities: Sequence[float]) -> float:
    """Return how far a score is, relatively, from the n-th root of the product, in decimals."""
    with localcontext(prec=60) as context:
        product = Decimal(1)
        for each in probabilities:
            product *= Decimal(each)
        root = context.power(product, Decimal(1) / len(probabilities))
        return abs(float((Decimal(scored(probabilities)) - root) / root))


@given(PROBABILITIES)
def test_the_value_is_the_geometric_mean_of_the_probabilities(probabilities: list[float]) -> None:
    """Computed a second way, as a root of a product in decimal arithmetic."""
    assert wrong_by(value, probabilities) < 1e-10


def test_the_comparison_catches_planted_errors() -> None:
    """The arithmetic mean, the whole text's probability, and the last token left out."""
    unequal = [0.9, 0.1, 0.5]
    assert wrong_by(lambda given: sum(given) / len(given), unequal) > 0.01
    assert wrong_by(math.prod, unequal) > 0.01
    assert wrong_by(lambda given: value(given[:-1]), unequal) > 0.01


@given(PROBABILITIES)
def test_the_value_lies_between_the_least_and_the_most_probable_token(probabilities: list[float]) -> None:
    """So it is in 0..1, and 1 only for a text that was certain."""
    assert min(probabilities) * (1 - 1e-9) <= value(probabilities) <= max(probabilities) * (1 + 1e-9)


def test_four_tokens_that_were_one_of_two_have_perplexity_two() -> None:
    """The textbook example: a fair coin."""
    found = score([math.log(0.5)] * 4)
    assert found.value == pytest.approx(0.5, rel=1e-15)
    assert found.explanation == "perplexity 2 over 4 tokens"
    assert found.passed is None
    assert score([0.0]).explanation == "perplexity 1 over 1 token"


@pytest.mark.parametrize("known", [None, (), (-1.0, float("nan")), (-1.0, float("-inf")), (0.1,)])
def test_without_log_probabilities_nothing_is_scored(known: tuple[float, ...] | None) -> None:
    """And the reason is given; a text is never called impossible or certain because nobody told."""
    found = score(known)
    assert found.value is None
    assert found.unscored


def test_a_text_beyond_all_probability_has_the_value_zero() -> None:
    """Its perplexity is written as a power of ten."""
    assert score([-2000.0, -2000.0]).value == 0.0
    assert score([-2000.0]).explanation == "perplexity 1e869 over 1 token"


def test_there_are_no_options() -> None:
    """What is meant is said in the suite's continuation."""
    with pytest.raises(UsageError, match='likelihood: unknown option "text"'):
        likelihood({"text": "Oslo"})
