"""Ranking gives the numbers of its formulas, written here a second way, and of published examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory.rank import Candidate, rank, recency, rerank
from gemma_eval.records import Piece, Retrieval

NOW_S = 1_000_000.0
HOUR_S = 3600.0
PIECE = Piece(id="p", text="t", document="d")
ALL_THREE = Retrieval(relevance_weight=1.0, recency_weight=1.0, importance_weight=1.0)
PLACES = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.integers(-50, 500), st.integers(0, 4)), max_size=6
)
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 3.0])


def candidates(rows: Sequence[tuple[int, int | None, int]]) -> tuple[Candidate, ...]:
    """Return candidates of a relevance, an age in hours and an importance in quarters."""
    return tuple(
        Candidate(
            piece=Piece(
                id=str(at),
                text="t",
                document="d",
                at_s=None if age is None else NOW_S - age * HOUR_S,
                importance=quarters / 4,
            ),
            score=float(relevance),
        )
        for at, (relevance, age, quarters) in enumerate(rows)
    )


def oracle(
    rows: Sequence[tuple[int, int | None, int]], retrieval: Retrieval, *, per_hour: float = 2 ** (-1 / 138.3)
) -> list[float]:
    """Decay by the hour as the paper writes it, scale and add each factor by itself."""
    ages = [math.inf if age is None else max(0, age) for _, age, _ in rows]
    factors = [
        [float(relevance) for relevance, _, _ in rows],
        [0.0 if age == math.inf else per_hour**age for age in ages],
        [quarters / 4 for _, _, quarters in rows],
    ]
    totals = [0.0] * len(rows)
    weights = (retrieval.relevance_weight, retrieval.recency_weight, retrieval.importance_weight)
    for weight, factor in zip(weights, factors, strict=True):
        for at, value in enumerate(factor):
            low, high = min(factor), max(factor)
            totals[at] += weight * (0.5 if low == high else (value - low) / (high - low))
    return totals


def disagreement(ranked: Sequence[Candidate], expected: Sequence[float]) -> float:
    """Return the largest difference of scores, or that between what stands before and what behind it."""
    off = [abs(each.score - expected[int(each.piece.id)]) for each in ranked]
    order = [expected[int(each.piece.id)] for each in ranked]
    off += [after - before for before, after in pairwise(order)]
    return max(off, default=0.0)


@settings(max_examples=100, deadline=None)
@given(PLACES, WEIGHTS, WEIGHTS, WEIGHTS)
def test_the_score_is_the_sum_of_relevance_recency_and_importance(
    rows: list[tuple[int, int | None, int]], relevance: float, of_recency: float, importance: float
) -> None:
    """Each scaled over the candidates and weighted, computed factor by factor."""
    retrieval = Retrieval(
        relevance_weight=relevance, recency_weight=of_recency or 0.1, importance_weight=importance
    )
    ranked = rank(candidates(rows), retrieval=retrieval, now_s=NOW_S)
    assert sorted(each.piece.id for each in ranked) == [str(at) for at in range(len(rows))]
    assert disagreement(ranked, oracle(rows, retrieval)) < 1e-9


def test_another_decay_is_noticed() -> None:
    """The oracle can fail: 0.99 per hour is not 0.995."""
    rows = [(1, 0, 0), (3, 10, 2), (2, 100, 4)]
    ranked = rank(candidates(rows), retrieval=ALL_THREE, now_s=NOW_S)
    assert disagreement(ranked, oracle(rows, ALL_THREE, per_hour=0.99)) > 0.01


def test_recency_is_the_decay_of_the_paper() -> None:
    """0.995 per hour, so one half after 138.3 hours."""
    said = replace(PIECE, at_s=NOW_S - HOUR_S)
    assert recency(said, now_s=NOW_S, half_life_h=138.3) == pytest.approx(0.995, abs=1e-5)
    assert recency(said, now_s=NOW_S, half_life_h=1.0) == 0.5
    assert recency(replace(PIECE, at_s=NOW_S), now_s=NOW_S, half_life_h=1.0) == 1.0


def test_age_counts_from_when_a_passage_was_said_or_last_given() -> None:
    """Whichever was later; one of the two is enough."""
    early, late = NOW_S - 2 * HOUR_S, NOW_S - HOUR_S
    for times in ((early, late), (late, early), (None, late), (late, None)):
        piece = replace(PIECE, at_s=times[0], accessed_s=times[1])
        assert recency(piece, now_s=NOW_S, half_life_h=1.0) == 0.5


@pytest.mark.parametrize("time", [None, math.nan, math.inf, -math.inf])
def test_a_passage_without_a_finite_time_is_the_oldest(time: float | None) -> None:
    """Older than one of a hundred years, and never an error."""
    assert recency(replace(PIECE, at_s=time), now_s=NOW_S, half_life_h=138.3) == 0.0
    rows = [(1, None, 2), (1, 876_000, 2)]
    ranked = rank(candidates(rows), retrieval=ALL_THREE, now_s=NOW_S)
    assert [each.score for each in ranked] == [1.5, 1.5]


def test_a_clock_that_went_backwards_makes_nothing_older() -> None:
    """A time to come is now."""
    assert recency(replace(PIECE, at_s=NOW_S + HOUR_S), now_s=NOW_S, half_life_h=1.0) == 1.0


def test_by_relevance_alone_nothing_changes() -> None:
    """The scores of the search stay as they are, so that a plain search gives plain scores."""
    found = candidates([(1, 3, 1), (5, 2, 0), (2, None, 4)])
    assert rank(found, retrieval=Retrieval(relevance_weight=2.0), now_s=NOW_S) == found


def test_equals_keep_their_order() -> None:
    """A stable order makes runs repeatable."""
    found = candidates([(1, 5, 2)] * 3)
    assert [each.piece.id for each in rank(found, retrieval=ALL_THREE, now_s=NOW_S)] == ["0", "1", "2"]


def rerank_oracle(old: Sequence[int], new: Sequence[int], weight: float) -> list[float]:
    """Scale and blend one by one."""

    def scaled(values: Sequence[int], at: int) -> float:
        low, high = min(values), max(values)
        return 0.5 if low == high else (values[at] - low) / (high - low)

    first = old[: len(new)]
    blended = [weight * scaled(new, at) + (1 - weight) * scaled(first, at) for at in range(len(new))]
    others = old[len(new) :]
    return blended + [scaled(others, at) - 1 for at in range(len(others))]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=7),
    st.lists(st.integers(-9, 9), max_size=7),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_reranker_orders_those_that_it_has_seen_before_the_others(
    old: list[int], new: list[int], weight: float
) -> None:
    """By a blend of its scores and the former ones; the others follow in their order, with lower scores."""
    old, new = sorted(old, reverse=True), new[: len(old)]
    before = candidates([(score, 0, 0) for score in old])
    after = rerank(before, new, weight=weight)
    expected = rerank_oracle(old, new, weight)
    assert disagreement(after, expected) < 1e-12
    assert {each.piece.id for each in after[: len(new)]} == {str(at) for at in range(len(new))}
    assert [each.piece.id for each in after[len(new) :]] == [str(at) for at in range(len(new), len(old))]


def test_a_blend_of_other_weights_is_noticed() -> None:
    """The oracle can fail."""
    before = candidates([(3, 0, 0), (2, 0, 0), (1, 0, 0)])
    assert disagreement(rerank(before, [1, 2, 4], weight=0.3), rerank_oracle([3, 2, 1], [1, 2, 4], 0.5)) > 0.1


def test_a_reranker_alone_decides_unless_it_is_told_to_share() -> None:
    """With weight 1 by its order, with 0 by the former one."""
    before = candidates([(3, 0, 0), (2, 0, 0), (1, 0, 0)])
    assert [each.piece.id for each in rerank(before, [1, 2, 4], weight=1.0)] == ["2", "1", "0"]
    assert [each.piece.id for each in rerank(before, [1, 2, 4], weight=0.0)] == ["0", "1", "2"]
