"""Passages that are too much like better ones are passed over, as a search over all choices does it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.memory.diversity import diversify, mmr, unlike
from gemma_eval.memory.rank import Candidate
from gemma_eval.records import Retrieval
from tests.memory.letters import Letters, pieces

SIXTEENTHS = st.integers(0, 16)
"""Shares whose products no rounding changes, so that equals are equal."""


def candidates(*texts: str) -> tuple[Candidate, ...]:
    """Return candidates with falling scores."""
    return tuple(
        Candidate(piece=piece, score=float(len(texts) - at)) for at, piece in enumerate(pieces(*texts))
    )


def likeness(n: int, cells: Sequence[int]) -> NDArray[np.float64]:
    """Return a symmetric matrix of sixteenths, [N, N], 1 on its diagonal."""
    like = np.eye(n)
    for at in range(n):
        for other in range(at):
            like[at, other] = like[other, at] = cells[(at * 7 + other) % len(cells)] / 16
    return like


def mmr_oracle(
    relevance: Sequence[float], like: Sequence[Sequence[float]], *, weight: float, k: int, mean: bool
) -> list[int]:
    """Choose one after the other by the formula, looking at every candidate and every chosen one anew."""
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        best, best_value = -1, -float("inf")
        for at in range(len(relevance)):
            if at in chosen:
                continue
            likes = [like[at][other] for other in chosen]
            penalty = (sum(likes) / len(likes) if mean else max(likes)) if likes else 0.0
            value = weight * relevance[at] - (1 - weight) * penalty
            if value > best_value:
                best, best_value = at, value
        chosen.append(best)
    return chosen


@settings(max_examples=100, deadline=None)
@given(
    st.lists(SIXTEENTHS, max_size=6),
    st.lists(SIXTEENTHS, min_size=5, max_size=9),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.integers(0, 7),
)
def test_maximal_marginal_relevance_is_its_formula(
    shares: list[int], cells: list[int], weight: float, k: int
) -> None:
    """The same choices in the same order, and values that never rise."""
    relevance, like = [share / 16 for share in shares], likeness(len(shares), cells)
    chosen = mmr(relevance, like, weight=weight, k=k)
    assert [at for at, _ in chosen] == mmr_oracle(relevance, like.tolist(), weight=weight, k=k, mean=False)
    values = [value for _, value in chosen]
    assert values == sorted(values, reverse=True)


def test_the_mean_likeness_in_place_of_the_greatest_is_noticed() -> None:
    """The oracle can fail: d is like one of two that are chosen, c a little like both."""
    relevance = [1.0, 0.9, 0.5, 0.5]
    like = [[1, 0, 0.4, 0.6], [0, 1, 0.4, 0], [0.4, 0.4, 1, 0], [0.6, 0, 0, 1]]
    chosen = [at for at, _ in mmr(relevance, np.array(like), weight=0.5, k=4)]
    assert chosen == mmr_oracle(relevance, like, weight=0.5, k=4, mean=False)
    assert chosen != mmr_oracle(relevance, like, weight=0.5, k=4, mean=True)


def test_a_worked_example_of_maximal_marginal_relevance_comes_out() -> None:
    """With λ = .7: first a; then b has .63 - .3 · .9 = .36, c .49 - .3 · .1 = .46, so c, then b."""
    like = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    chosen = mmr([1.0, 0.9, 0.7], like, weight=0.7, k=3)
    assert [(at, round(value, 10)) for at, value in chosen] == [(0, 0.7), (2, 0.46), (1, 0.36)]


@given(st.integers(0, 6), st.lists(SIXTEENTHS, min_size=5, max_size=9), SIXTEENTHS)
def test_what_stays_is_unlike_what_stays_before_it(n: int, cells: list[int], most: int) -> None:
    """And what goes is like something better that stays."""
    like = likeness(n, cells)
    kept = unlike(like, most=most / 16)
    for at in range(n):
        nearest = max((like[at, other] for other in kept if other < at), default=-1.0)
        assert (at in kept) == (nearest <= most / 16)


def test_vectors_say_what_is_alike_where_there_are_any() -> None:
    """An anagram has the same letters, and other words."""
    found = candidates("live on", "evil no", "so far")
    thin = Retrieval(near_duplicate=0.97)
    vectors = Letters().embed([each.piece.text for each in found])
    assert diversify(found, vectors=vectors, retrieval=thin) == (found[0], found[2])
    assert diversify(found, vectors=None, retrieval=thin) == found


def test_without_vectors_common_words_say_it() -> None:
    """The share of words that two have in common: 3 of 4 are .75, whatever the order and the case."""
    found = candidates("Finn lives in Oslo", "oslo, in lives", "Ada lives")
    assert diversify(found, vectors=None, retrieval=Retrieval(near_duplicate=0.75)) == found
    assert diversify(found, vectors=None, retrieval=Retrieval(near_duplicate=0.74)) == (found[0], found[2])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=5).map(" ".join), max_size=6),
    st.sampled_from([0, Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), 1]),
)
def test_common_words_are_counted_as_sets_have_them(texts: list[str], most: Fraction | int) -> None:
    """Exact fractions of sets leave the same passages; two empty sets are the same."""
    kept: list[int] = []
    for at, text in enumerate(texts):
        mine = set(text.split())
        shares = [
            Fraction(len(mine & set(texts[other].split())), len(mine | set(texts[other].split())) or 1)
            if mine or texts[other]
            else Fraction(1)
            for other in kept
        ]
        if max(shares, default=Fraction(-1)) <= most:
            kept.append(at)
    found = candidates(*texts)
    thin = Retrieval(near_duplicate=float(most))
    assert diversify(found, vectors=None, retrieval=thin) == tuple(found[at] for at in kept)


def test_diversity_puts_what_says_something_new_before_what_repeats() -> None:
    """Though it is less relevant; scores are the values, and at most `top_k` are chosen."""
    found = candidates("a b c", "a b c d", "x y z")
    chosen = diversify(found, vectors=None, retrieval=Retrieval(diversity=0.5, top_k=2))
    assert [each.piece.id for each in chosen] == ["p0", "p2"]
    assert [each.score for each in chosen] == [0.5, 0.0]


def test_what_points_away_is_not_like_it_at_all() -> None:
    """And gains nothing by that: a passage is new or not."""
    found = candidates("a", "b")
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    chosen = diversify(found, vectors=opposite, retrieval=Retrieval(diversity=0.25))
    assert [(each.piece.id, each.score) for each in chosen] == [("p0", 0.25), ("p1", 0.0)]


@pytest.mark.parametrize("vectors", [None, np.zeros((0, 3), np.float32)])
def test_of_nothing_nothing_is_chosen(vectors: NDArray[np.float32] | None) -> None:
    """With and without vectors."""
    assert diversify((), vectors=vectors, retrieval=Retrieval(diversity=0.5, near_duplicate=0.9)) == ()


def test_passages_without_words_are_alike() -> None:
    """Nothing tells them apart."""
    found = candidates("…", "!")
    assert diversify(found, vectors=None, retrieval=Retrieval(near_duplicate=0.9)) == found[:1]
