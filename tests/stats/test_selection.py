"""The best cell is the one with the highest mean, and its flattery is what choosing adds by luck."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.stats.selection import Best, best


def alike(seed: int, *, cells: int = 8, cases: int = 100) -> Mapping[str, list[float]]:
    """Return the scores of cells of which none is better: normal, of mean 0.5 and deviation 0.2."""
    scores = np.random.default_rng(seed).normal(0.5, 0.2, (cells, cases))
    return {f"cell-{at}": row.tolist() for at, row in enumerate(scores)}


def found(cells: Mapping[str, list[float]], **settings: int) -> Best[str]:
    """Return the best of cells that have one."""
    chosen = best(cells, **settings)
    assert chosen is not None
    return chosen


EXPECTED = 1.4236 * 0.2 / math.sqrt(50)


def luck(of: Callable[[Best[str]], float]) -> float:
    """Return the mean of something over 200 sets of eight cells that are alike."""
    return float(np.mean([of(found(alike(seed), halvings=20)) for seed in range(200)]))


def test_luck_flatters_by_the_expected_maximum_of_eight() -> None:
    """Half of 100 cases choose, so a mean has the deviation 0.2 / √50; the largest is 1.4236 of it above.

    Source: Harter 1961, Biometrika 48:151-165, table 1 (expected values of normal order statistics).
    """
    assert luck(lambda one: one.flattery) == pytest.approx(EXPECTED, rel=0.1)


def test_the_expected_maximum_catches_planted_errors() -> None:
    """What all cases choose and report looks better by less; what others report, hardly at all."""
    assert luck(lambda one: one.mean - 0.5) == pytest.approx(EXPECTED / math.sqrt(2), rel=0.1)
    assert abs(luck(lambda one: one.reported - 0.5)) < EXPECTED / 10


def test_what_is_clearly_best_is_chosen_again_and_not_flattered() -> None:
    """Nearly all of what it has is its own."""
    cells = {**alike(1), "better": [0.9 + score / 10 for score in alike(2)["cell-0"]]}
    chosen = found(cells)
    assert (chosen.cell, chosen.again) == ("better", 1.0)
    assert abs(chosen.flattery) < 0.005
    assert chosen.mean == pytest.approx(float(np.mean(cells["better"])))


def test_cells_that_are_alike_take_turns() -> None:
    """The cell that all cases choose is often not that of a half."""
    assert found(alike(3)).again < 0.9


@given(st.integers(0, 50))
def test_halves_are_drawn_from_the_seed_alone(seed: int) -> None:
    """The same seed, the same caveat; one halving is enough to have one."""
    assert best(alike(4), seed=seed, halvings=1) == best(alike(4), seed=seed, halvings=1)


def test_two_cells_and_four_cases_are_the_least() -> None:
    """Nothing is chosen among one, and two cases have no halves that have a mean worth the name."""
    assert best({}) is None
    assert best({"a": [1.0] * 9}) is None
    assert best({"a": [1.0] * 3, "b": [0.0] * 3}) is None
    assert best({"a": [1.0] * 4, "b": [0.0] * 5}) is None
    assert found({"a": [0.0] * 4, "b": [1.0] * 4}).cell == "b"
