"""Selection without a sort gives what a plain sort gives, whatever the keys are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.sampling.bag import Floats
from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.selection import (
    Indices,
    Side,
    block_sums,
    crossing,
    descending,
    head,
    largest,
    running,
)
from gemma_eval.sampling.stream import draw, pick
from gemma_eval.sampling.transforms import TopP
from tests.sampling.logit_shapes import SHAPES, VOCABULARY, Shaped

SIZES = st.one_of(st.integers(1, 40), st.integers(1, 20_000), st.just(VOCABULARY))
VECTORS = st.builds(Shaped, st.sampled_from(sorted(SHAPES)), SIZES, st.integers(0, 2**32 - 1))
SHARE = st.floats(0, 1)


def sorted_positions(keys: Floats) -> Indices:
    """Return the positions by descending key, equal ones as they lie: a plain sort, the oracle here."""
    return np.argsort(-keys, kind="stable")


def sorted_crossing(order: Indices, weights: Floats, target: float, side: Side) -> tuple[int, float]:
    """Return where the sum along `order` gets to `target`, and how near the nearest sum comes to it."""
    sums = np.cumsum(weights[order], dtype=np.float64)
    place = int(np.searchsorted(sums, target, side=side))
    near = sums[max(0, place - 1) : place + 1]
    return int(order[min(place, len(order) - 1)]), float(np.abs(near - target).min() / sums[-1])


def agrees(found: int, order: Indices, weights: Floats, target: float, side: Side = "left") -> bool:
    """Say whether a crossing is the oracle's; a sum of another order may round across the target."""
    expected, distance = sorted_crossing(order, weights, target, side)
    if found == expected:
        return True
    places = np.flatnonzero(order == found)[0], np.flatnonzero(order == expected)[0]
    between = weights[order[min(places) : max(places)]].sum(dtype=np.float64)
    return distance < 1e-12 and (abs(places[0] - places[1]) == 1 or between <= 1e-12 * weights.sum())


@settings(max_examples=60, deadline=None)
@given(VECTORS)
def test_all_positions_come_in_the_order_of_a_stable_sort(shaped: Shaped) -> None:
    """Signed zeros are equal, and so earlier before later."""
    assert np.array_equal(descending(shaped.logits), sorted_positions(shaped.logits))


@settings(max_examples=100, deadline=None)
@given(VECTORS, st.floats(0, 1))
def test_the_largest_are_those_of_a_full_sort(shaped: Shaped, size: float) -> None:
    """From one to all of them: the sample only bounds, it never decides."""
    logits = shaped.logits
    k = max(1, round(len(logits) ** size))
    assert np.array_equal(largest(logits, k), sorted_positions(logits)[:k])


@settings(max_examples=100, deadline=None)
@given(VECTORS, SHARE, st.sampled_from(("left", "right")))
def test_a_crossing_is_that_of_a_full_sort(shaped: Shaped, share: float, side: Side) -> None:
    """With the weights of a softmax, as a nucleus and a draw have them."""
    logits = shaped.logits
    weights = Candidates.of(logits).bag.weights
    target = share * float(weights.sum(dtype=np.float64))
    found = crossing(logits, weights, target, side=side)
    assert agrees(found, sorted_positions(logits), weights, target, side)


@settings(max_examples=60, deadline=None)
@given(VECTORS, SHARE, st.integers(0, 2**32 - 1))
def test_a_crossing_asks_nothing_of_the_weights(shaped: Shaped, share: float, seed: int) -> None:
    """They need not fall with the keys: the typical set has other keys, a penalty moves some weights."""
    keys = shaped.logits
    weights = np.random.default_rng(seed).random(len(keys)).astype(np.float32)
    target = share * float(weights.sum(dtype=np.float64))
    assert agrees(crossing(keys, weights, target), sorted_positions(keys), weights, target)


@settings(max_examples=60, deadline=None)
@given(VECTORS, st.floats(0, 1, exclude_max=True))
def test_a_head_holds_what_comes_no_later(shaped: Shaped, share: float) -> None:
    """Ties with the last one are split as they lie."""
    logits = shaped.logits
    order = sorted_positions(logits)
    count = int(share * len(order))
    assert np.array_equal(head(logits, int(order[count])), np.sort(order[: count + 1]))


@settings(max_examples=60, deadline=None)
@given(VECTORS, SHARE, st.sampled_from(("left", "right")))
def test_a_running_sum_by_blocks_gets_there_where_a_plain_one_does(
    shaped: Shaped, share: float, side: Side
) -> None:
    """At any length, whole blocks or not."""
    weights = Candidates.of(shaped.logits).bag.weights
    target = share * float(weights.sum(dtype=np.float64))
    found = running(weights, block_sums(weights), target, side=side)
    assert agrees(found, np.arange(len(weights)), weights, target, side)


@settings(max_examples=60, deadline=None)
@given(VECTORS, st.floats(0, 1, exclude_max=True), st.floats(0.01, 1), st.booleans())
def test_a_draw_is_that_of_a_walk_over_sorted_candidates(
    shaped: Shaped, fraction: float, mass: float, ranked: bool
) -> None:
    """With and without an order, after a cut: llama.cpp's walk, which sums up everything in order."""
    candidates = (
        TopP(mass).apply(Candidates.of(shaped.logits), ()) if ranked else Candidates.of(shaped.logits)
    )
    weights = candidates.bag.weights
    order = sorted_positions(candidates.bag.logits) if ranked else np.arange(len(weights))
    target = fraction * float(weights.sum(dtype=np.float64))
    assert agrees(draw(candidates, lambda: fraction), order, weights, target)


@given(st.floats(0, 1, exclude_max=True), st.integers(2, 300))
def test_a_pick_is_that_of_the_standard_discrete_distribution(fraction: float, size: int) -> None:
    """Probabilities in float32, divided by their sum in float64, the last sum set to 1."""
    logits = np.random.default_rng(size).normal(size=size).astype(np.float32)
    candidates = Candidates.of(logits).best_first()
    probabilities = candidates.probabilities().astype(np.float64)
    sums = np.cumsum(probabilities / probabilities.sum())
    sums[-1] = 1.0
    expected = candidates.ids[int(np.searchsorted(sums, fraction, side="left"))]
    assert candidates.bag.ids[pick(candidates, lambda: fraction)] == expected


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=30), st.floats(0.1, 1))
def test_an_order_is_the_same_whether_it_is_read_or_walked(values: list[float], mass: float) -> None:
    """`ids` and `logits` sort; `where` and `each` leave the sort for later and give the same in the end."""
    logits = np.array(values, dtype=np.float32)
    nucleus = TopP(mass).apply(Candidates.of(logits), ())
    cut = nucleus.logits.max() - np.float32(3)
    late = nucleus.where(lambda bag: bag.logits >= cut).each(lambda bag: bag.logits * np.float32(0.5))
    early = nucleus.take(nucleus.logits >= cut)
    early = early.with_logits(early.logits * np.float32(0.5))
    assert list(late.ids) == list(early.ids)
    assert list(late.logits) == list(early.logits)


def test_the_best_of_candidates_in_order_is_the_first_of_the_highest() -> None:
    """A vast temperature makes logits equal; the order that they had still decides."""
    nucleus = TopP(1.0).apply(Candidates.of(np.array([1.0, 3.0, 2.0], dtype=np.float32)), ())
    levelled = nucleus.each(lambda bag: np.zeros(len(bag), dtype=np.float32))
    assert list(levelled.best().ids) == [1]
    assert list(Candidates.of(np.zeros(3, dtype=np.float32)).best().ids) == [0]


# --- planted errors: the oracle must tell them --------------------------------------------------------


def _unstable(keys: Floats) -> Indices:
    """Return a sort in which later ties come first."""
    return len(keys) - 1 - np.argsort(-keys[::-1], kind="stable")


@pytest.mark.parametrize("shape", ["flat", "ties", "signed zeros"])
def test_the_oracle_tells_ties_in_the_wrong_order(shape: str) -> None:
    """The planted error: a sort that turns ties around."""
    logits = Shaped(shape, 500, 1).logits
    assert not np.array_equal(_unstable(logits), sorted_positions(logits))


@pytest.mark.parametrize(
    "shape", sorted(set(SHAPES) - {"huge spread", "denormal weights", "ends of float32"})
)
def test_the_oracle_tells_a_crossing_that_is_one_off(shape: str) -> None:
    """The planted errors: one token too late and one too early."""
    logits = Shaped(shape, 5000, 2).logits
    weights = Candidates.of(logits).bag.weights
    order = sorted_positions(logits)
    target = 0.6001 * float(weights.sum(dtype=np.float64))
    found = crossing(logits, weights, target)
    assert agrees(found, order, weights, target)
    place = int(np.flatnonzero(order == found)[0])
    wrong = [int(order[place + 1])] + ([int(order[place - 1])] if place else [])
    assert not any(agrees(position, order, weights, target) for position in wrong)


def test_the_oracle_tells_a_sum_that_is_kept_in_float32() -> None:
    """The planted error: 262 144 equal weights summed one by one in float32 stop at another token."""
    weights = np.full(VOCABULARY, 0.1, dtype=np.float32)
    target = 0.7 * float(weights.sum(dtype=np.float64))
    rough = int(np.searchsorted(np.cumsum(weights, dtype=np.float32), target))
    order = np.arange(VOCABULARY)
    assert agrees(running(weights, block_sums(weights), target), order, weights, target)
    assert not agrees(rough, order, weights, target)
