"""The likelihood of a text is one over its perplexity: known values, an oracle, and planted errors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer, subject_of
from gemma_eval.records import ChoiceReading, Options, Score
from gemma_eval.scoring.likelihood import bits_per_byte, greedy_match, likelihood
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


@pytest.mark.parametrize("factory", [likelihood, bits_per_byte, greedy_match])
def test_there_are_no_options(factory: Callable[[Options], Scorer]) -> None:
    """What is meant is said in the suite's continuation."""
    with pytest.raises(UsageError, match=f'{factory.__name__}: unknown option "text"'):
        factory({"text": "Oslo"})
    assert subject_of(factory({})) == "continuation"


def bits(text: str, known: Sequence[float]) -> Score:
    """Score a text whose tokens had these log-probabilities."""
    return bits_per_byte({})(a_case(), replace(a_generation(text), log_probabilities=tuple(known)))


@given(st.text(min_size=1, max_size=20), PROBABILITIES)
def test_bits_per_byte_are_those_of_lm_evaluation_harness(text: str, probabilities: list[float]) -> None:
    """Its formula: minus the log-likelihood over the bytes and the logarithm of 2."""
    known = [math.log(each) for each in probabilities]
    found = bits(text, known)
    expected = -sum(known) / len(text.encode("utf-8")) / math.log(2)
    assert found.figures["bits_per_byte"] == pytest.approx(expected, rel=1e-12)
    assert found.value == pytest.approx(0.5**expected, rel=1e-9, abs=1e-300)


def test_bytes_are_counted_and_not_characters_or_tokens() -> None:
    """Five characters in eight bytes: with another divisor the figure is another."""
    figures = bits("é漢a b", [math.log(0.5)] * 16).figures
    assert figures["bits_per_byte"] == 2
    assert (figures["n_bytes"], figures["n_words"], figures["n_tokens"]) == (8, 2, 16)


def test_figures_hold_what_a_corpus_is_summed_from() -> None:
    """The perplexity and the sum; no perplexity where a float has none."""
    figures = score([-1.0, -3.0]).figures
    assert figures["log_likelihood"] == -4
    assert figures["perplexity"] == pytest.approx(math.exp(2))
    assert "perplexity" not in score([-2000.0]).figures


@pytest.mark.parametrize(("told", "value"), [(True, 1.0), (False, 0.0), (None, None)])
def test_a_greedy_match_is_what_the_engine_tells(*, told: bool | None, value: float | None) -> None:
    """Where it does not, there is no score."""
    read = ChoiceReading(text="Oslo", log_probabilities=(-0.5,), is_greedy=told)
    found = greedy_match({})(a_case(), replace(a_generation(), choices=(read,)))
    assert found.value == value
    assert (found.unscored is None) == (value is not None)


def words(text: str, *, alone: bool) -> float:
    """Return how many words a text counts that is read after nothing, or after a prompt."""
    case = replace(a_case(), messages=()) if alone else a_case()
    return likelihood({})(case, replace(a_generation(text), log_probabilities=(-1.0,))).figures["n_words"]


@given(st.text(" \n\t\x1c\u00a0aé", min_size=1, max_size=8))
def test_words_of_a_text_read_alone_are_counted_as_lm_evaluation_harness_does(text: str) -> None:
    """White space at an end has an empty word before or after it; after a prompt there are words only."""
    assert words(text, alone=True) == len(re.split(r"\s+", text))
    assert words(text, alone=False) == max(1, len(text.split()))
    edges = (text[0].isspace()) + (text[-1].isspace())
    assert words(text, alone=True) == len(text.split()) + edges or not text.strip()
