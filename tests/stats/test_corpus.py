"""Figures of a corpus against lm-evaluation-harness's formulas and scikit-learn, with planted errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.stats import corpus
from tests import required

metrics = required.module("sklearn.metrics", extra="test")

TEXTS = st.lists(st.tuples(st.floats(-500, 0), st.integers(1, 900)), min_size=1, max_size=20)
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(TEXTS)
@settings(max_examples=30)
def test_perplexities_are_those_of_lm_evaluation_harness(texts: list[tuple[float, int]]) -> None:
    """Its `perplexity`, `weighted_perplexity` and `bits_per_byte`, written with NumPy."""
    sums, sizes = (np.array(column, dtype=np.float64) for column in zip(*texts, strict=True))
    assert corpus.perplexity(list(sums)) == pytest.approx(np.exp(-sums.mean()), rel=1e-9)
    per_size = sums.sum() / sizes.sum()
    assert corpus.weighted_perplexity(list(sums), list(sizes)) == pytest.approx(np.exp(-per_size), rel=1e-9)
    expected = -per_size / np.log(2)
    assert corpus.bits_per_byte(list(sums), list(sizes)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_long_texts_weigh_more_in_a_weighted_perplexity() -> None:
    """A mean of the texts' own perplexities, or of their bits, would be another number."""
    sums, sizes = [-1.0, -90.0], [1, 30]
    of_all = corpus.weighted_perplexity(sums, sizes)
    assert of_all == pytest.approx(math.exp(91 / 31))
    own = [math.exp(-value / size) for value, size in zip(sums, sizes, strict=True)]
    assert of_all is not None
    assert abs(of_all - sum(own) / 2) > 1


def wrong_by(ours: Callable[[Sequence[int], Sequence[int]], float | None], name: str) -> float:
    """Return the largest difference from scikit-learn over some random choices of three."""
    draw = np.random.default_rng(3)
    differences = []
    for _ in range(20):
        right, chosen = draw.integers(0, 3, (2, 30)).tolist()
        theirs = {
            "mcc": metrics.matthews_corrcoef,
            "macro_f1": lambda right, chosen: metrics.f1_score(right, chosen, average="macro"),
        }[name](right, chosen)
        differences.append(abs((ours(right, chosen) or 0.0) - float(theirs)))
    return max(differences)


def test_planted_errors_are_seen() -> None:
    """The share of right choices is no correlation, and a weighted mean no macro mean."""
    assert wrong_by(corpus.mcc, "mcc") < 1e-12
    assert wrong_by(corpus.macro_f1, "macro_f1") < 1e-12
    accuracy = wrong_by(lambda right, chosen: float(np.mean(np.equal(right, chosen))), "mcc")
    assert accuracy > 0.1
    assert wrong_by(corpus.f1, "macro_f1") > 0.01


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(PAIRS)
@settings(max_examples=40)
def test_agreement_of_choices_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Any number of choices, one-sided ones included."""
    right, chosen = (list(column) for column in zip(*pairs, strict=True))
    assert corpus.mcc(right, chosen) == pytest.approx(metrics.matthews_corrcoef(right, chosen), abs=1e-12)
    macro = metrics.f1_score(right, chosen, average="macro", zero_division=0)
    assert corpus.macro_f1(right, chosen) == pytest.approx(macro, abs=1e-12)
    binary = [[int(each == 1) for each in side] for side in (right, chosen)]
    expected = metrics.f1_score(*binary, zero_division=0)
    assert corpus.f1(right, chosen) == pytest.approx(expected, abs=1e-12)


def test_nothing_has_no_figure_and_too_much_is_infinite() -> None:
    """No exception of arithmetic reaches a report."""
    assert corpus.perplexity([]) is None
    assert corpus.bits_per_byte([], []) is None
    assert corpus.mcc([], []) is None
    assert corpus.f1([], []) is None
    assert corpus.macro_f1([], []) is None
    assert corpus.weighted_perplexity([-1e6], [1]) == math.inf
