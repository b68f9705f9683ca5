"""Fusion gives the numbers of its formulas, written here a second way, and of worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory.fuse import convex, fuse, min_max, rrf
from gemma_eval.records import Hit, Retrieval

IDS = st.lists(st.sampled_from("abcdef"), max_size=6, unique=True)
SCORES = st.integers(-4, 4)
LEGS = st.lists(IDS, min_size=1, max_size=3)
SCORED = st.dictionaries(st.sampled_from("abcdef"), SCORES, max_size=6)


def leg(ids: Sequence[str]) -> tuple[Hit, ...]:
    """Return a leg that found these, best first."""
    return tuple(Hit(id=id_, score=1.0 / rank) for rank, id_ in enumerate(ids, start=1))


def scored(scores: dict[str, int]) -> tuple[Hit, ...]:
    """Return a leg with these scores, best first."""
    return tuple(
        Hit(id=id_, score=float(scores[id_])) for id_ in sorted(scores, key=lambda id_: (-scores[id_], id_))
    )


def rrf_oracle(legs: Sequence[Sequence[str]], *, k: int, first_rank: int = 1) -> list[tuple[str, Fraction]]:
    """Sum exact fractions, id by id."""
    totals = []
    for id_ in sorted({id_ for ids in legs for id_ in ids}):
        total = Fraction(0)
        for ids in legs:
            if id_ in ids:
                total += Fraction(1, k + ids.index(id_) + first_rank)
        totals.append((id_, total))
    return sorted(totals, key=lambda pair: -pair[1])


def convex_oracle(
    lexical: dict[str, int], vector: dict[str, int], *, alpha: Fraction, equal: Fraction = Fraction(1, 2)
) -> list[tuple[str, Fraction]]:
    """Scale and add exact fractions, id by id."""

    def share(scores: dict[str, int], id_: str) -> Fraction:
        if id_ not in scores:
            return Fraction(0)
        low, high = min(scores.values()), max(scores.values())
        return equal if low == high else Fraction(scores[id_] - low, high - low)

    ids = sorted({*lexical, *vector})
    totals = [(id_, alpha * share(vector, id_) + (1 - alpha) * share(lexical, id_)) for id_ in ids]
    return sorted(totals, key=lambda pair: -pair[1])


def agree(fused: Sequence[Hit], expected: Sequence[tuple[str, Fraction]]) -> bool:
    """Whether scores are the same to rounding, and the order but for what rounding decides."""
    got = {hit.id: hit.score for hit in fused}
    exact = {id_: float(score) for id_, score in expected}
    in_order = [exact[hit.id] for hit in fused]
    return (
        got.keys() == exact.keys()
        and all(abs(got[id_] - exact[id_]) < 1e-12 for id_ in got)
        and all(before >= after - 1e-12 for before, after in pairwise(in_order))
    )


@settings(max_examples=100, deadline=None)
@given(LEGS, st.integers(0, 100))
def test_reciprocal_rank_fusion_is_its_formula(legs: list[list[str]], k: int) -> None:
    """Exact fractions agree to rounding."""
    assert agree(rrf([leg(ids) for ids in legs], k=k), rrf_oracle(legs, k=k))


def test_ranks_that_count_from_zero_are_noticed() -> None:
    """The oracle can fail."""
    legs = [["a", "b"], ["b", "c"]]
    assert not agree(rrf([leg(ids) for ids in legs], k=60), rrf_oracle(legs, k=60, first_rank=0))


def test_a_worked_example_of_reciprocal_ranks_comes_out() -> None:
    """With k = 60: a at 1 and 3 has 1/61 + 1/63, b at 2 and 1 has 1/62 + 1/61, and d, found once, 1/62."""
    fused = rrf([leg(["a", "b", "c"]), leg(["b", "d", "a"])], k=60)
    assert [(hit.id, round(hit.score, 6)) for hit in fused] == [
        ("b", 0.032522),
        ("a", 0.032266),
        ("d", 0.016129),
        ("c", 0.015873),
    ]


@settings(max_examples=100, deadline=None)
@given(SCORED, SCORED, st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(7, 10), Fraction(1)]))
def test_a_convex_blend_is_its_formula(
    lexical: dict[str, int], vector: dict[str, int], alpha: Fraction
) -> None:
    """Exact fractions agree to rounding, where all of a leg are equal too."""
    blend = convex(scored(lexical), scored(vector), alpha=float(alpha))
    assert agree(blend, convex_oracle(lexical, vector, alpha=alpha))


def test_another_worth_of_equals_is_noticed() -> None:
    """The oracle can fail."""
    lexical, vector, alpha = {"a": 1}, {"a": 3, "b": 1}, Fraction(1, 2)
    blend = convex(scored(lexical), scored(vector), alpha=0.5)
    assert not agree(blend, convex_oracle(lexical, vector, alpha=alpha, equal=Fraction(1)))


def test_a_worked_example_of_a_convex_blend_comes_out() -> None:
    """BM25 of 8, 6 and 4 is 1, .5 and 0; cosines of .9, .6 and .4 are 1, .4 and 0; 0.7 of these is taken."""
    lexical = (Hit(id="a", score=8.0), Hit(id="b", score=6.0), Hit(id="c", score=4.0))
    vector = (Hit(id="b", score=0.9), Hit(id="d", score=0.6), Hit(id="a", score=0.4))
    blend = convex(lexical, vector, alpha=0.7)
    assert [(hit.id, round(hit.score, 6)) for hit in blend] == [
        ("b", 0.85),
        ("a", 0.3),
        ("d", 0.28),
        ("c", 0.0),
    ]


@given(LEGS)
def test_the_order_of_the_legs_does_not_matter(legs: list[list[str]]) -> None:
    """To the last bit, and no id is there twice."""
    fused = rrf([leg(ids) for ids in legs], k=60)
    for order in permutations(legs):
        assert fused == rrf([leg(ids) for ids in order], k=60)
    assert len({hit.id for hit in fused}) == len(fused)


@given(IDS, IDS, st.integers(1, 5))
def test_a_better_rank_never_lowers_a_score(one: list[str], other: list[str], at: int) -> None:
    """A passage that moves up in one leg does not move down in what is fused."""
    if at >= len(one):
        return
    raised = [*one[: at - 1], one[at], one[at - 1], *one[at + 1 :]]
    before = [hit.id for hit in rrf([leg(one), leg(other)], k=60)]
    after = [hit.id for hit in rrf([leg(raised), leg(other)], k=60)]
    assert after.index(one[at]) <= before.index(one[at])


def test_equals_stand_by_their_ids() -> None:
    """Whichever leg found them."""
    assert [hit.id for hit in rrf([leg(["b"]), leg(["a"])], k=60)] == ["a", "b"]
    assert [hit.id for hit in convex(leg(["b"]), leg(["a"]), alpha=0.5)] == ["a", "b"]


def test_an_id_that_a_leg_gives_twice_counts_once() -> None:
    """By its better place."""
    assert rrf([leg(["a", "a", "b"])], k=0) == (Hit(id="a", score=1.0), Hit(id="b", score=0.5))


def test_the_retrieval_says_which_fusion_and_how() -> None:
    """With its k or its alpha."""
    legs = leg(["a", "b"]), leg(["b"])
    assert fuse(*legs, retrieval=Retrieval(rrf_k=7)) == rrf(legs, k=7)
    assert fuse(*legs, retrieval=Retrieval(fusion="convex", alpha=0.2)) == convex(*legs, alpha=0.2)


@pytest.mark.parametrize(
    ("values", "scaled"),
    [
        ((), ()),
        ((3.0,), (0.5,)),
        ((2.0, 2.0), (0.5, 0.5)),
        ((1.0, 3.0, 2.0), (0.0, 1.0, 0.5)),
        ((float("nan"), 1.0, 2.0), (0.0, 0.0, 1.0)),
        ((float("inf"), 1.0), (0.0, 0.5)),
        ((float("-inf"), float("nan")), (0.0, 0.0)),
    ],
)
def test_values_are_scaled_between_the_least_and_the_greatest_that_are_finite(
    values: tuple[float, ...], scaled: tuple[float, ...]
) -> None:
    """Equals are worth one half, and what is not finite nothing."""
    assert min_max(values) == scaled
