"""Percentiles agree with NumPy, and are not given where there are too few values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.stats.percentiles import (
    Percent,
    mean,
    median_absolute_deviation,
    percentile,
    standard_deviation,
)

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=250)
Estimate = Callable[[Sequence[float], Percent], float | None]


def agrees(estimate: Estimate, values: Sequence[float], percent: Percent) -> bool:
    """Say whether an estimate is NumPy's linear one, up to rounding, or rightly absent."""
    found = estimate(values, percent)
    if percent > 50 and len(values) < 100 / (100 - percent):
        return found is None
    expected = float(np.percentile(values, percent, method="linear"))
    return found is not None and math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-6)


@given(VALUES, st.sampled_from((50, 90, 95, 99)))
def test_a_percentile_is_the_linear_one_of_numpy(values: list[float], percent: Percent) -> None:
    """Definition 7 of Hyndman and Fan."""
    assert agrees(percentile, values, percent)


@pytest.mark.parametrize(("percent", "least"), [(90, 10), (95, 20), (99, 100)])
def test_a_tail_percentile_needs_a_value_above_it(percent: Percent, least: int) -> None:
    """p90 of 9 values, p95 of 19 and p99 of 99 are not given."""
    values = [float(value) for value in range(least)]
    assert percentile(values, percent) is not None
    assert percentile(values[:-1], percent) is None


def test_the_median_is_always_given() -> None:
    """One value is its own median; of nothing there is none."""
    assert percentile([3.0], 50) == 3.0
    assert percentile([1.0, 2.0], 50) == 1.5
    assert percentile([], 50) is None


@given(VALUES)
def test_percentiles_do_not_depend_on_the_order_and_do_not_cross(values: list[float]) -> None:
    """p50 ≤ p90 ≤ p95 ≤ p99 wherever they are given."""
    found = [percentile(values, percent) for percent in (50, 90, 95, 99)]
    assert found == [percentile(values[::-1], percent) for percent in (50, 90, 95, 99)]
    known = [value for value in found if value is not None]
    assert known == sorted(known)


def test_the_comparison_with_numpy_catches_planted_errors() -> None:
    """The nearest rank, a rank off by one, and a p99 of 20 values fail it."""

    def nearest(values: Sequence[float], percent: Percent) -> float | None:
        return sorted(values)[math.ceil(len(values) * percent / 100) - 1]

    def shifted(values: Sequence[float], percent: Percent) -> float | None:
        return percentile([*values, max(values)], percent)

    values = [float(value) ** 2 for value in range(100)]
    assert agrees(percentile, values, 99)
    assert not agrees(nearest, values, 99)
    assert not agrees(shifted, values, 99)
    assert not agrees(nearest, values[:20], 99)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_mean_and_standard_deviation_are_those_of_numpy(values: list[float]) -> None:
    """The divisor is n - 1."""
    assert mean(values) == pytest.approx(float(np.mean(values)), abs=1e-6)
    assert standard_deviation(values) == pytest.approx(float(np.std(values, ddof=1)), abs=1e-6)


@given(st.floats(-1e6, 1e6), st.integers(2, 60))
def test_equal_values_have_that_mean_and_no_spread(value: float, n: int) -> None:
    """Whatever their sum rounds to: 53 times 0.05, divided by 53, is not 0.05."""
    assert mean([value] * n) == value
    assert standard_deviation([value] * n) == 0.0


@given(VALUES)
def test_a_mean_lies_between_the_lowest_and_the_highest_value(values: list[float]) -> None:
    """A score above the best one would be an artefact."""
    found = mean(values)
    assert found is not None
    assert min(values) <= found <= max(values)


def test_the_law_of_equal_values_catches_a_sum_that_is_rounded() -> None:
    """The exactly rounded sum, divided, is off by one bit for 53 times 0.05."""
    assert math.fsum([0.05] * 53) / 53 != 0.05


# --- data that are known to be larger ----------------------------------------------------------------


@given(VALUES, st.integers(0, 60), st.sampled_from((50, 90, 95, 99)))
def test_censored_data_count_as_larger_than_all_values(
    values: list[float], more: int, percent: Percent
) -> None:
    """A percentile that is given is that of all data; one that is not lies among the censored."""
    found = percentile(values, percent, censored=more)
    whole = [*values, *[1e12] * more]
    if percent > 50 and len(whole) < 100 / (100 - percent):
        assert found is None
        return
    expected = float(np.percentile(whole, percent, method="linear"))
    reaches = (len(whole) - 1) * percent / 100 > len(values) - 1
    assert (found is None) == reaches
    assert found is None or math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-6)


def test_forgetting_what_was_censored_is_caught() -> None:
    """A planted error: the median of the values alone is another one."""
    values = [1.0, 2.0, 3.0, 4.0]
    assert percentile(values, 50, censored=2) == 3.5
    assert percentile(values, 50) == 2.5
    assert percentile(values, 50, censored=4) is None
    assert percentile([], 50, censored=3) is None


@given(VALUES)
def test_the_median_absolute_deviation_is_that_of_numpy(values: list[float]) -> None:
    """Unscaled."""
    expected = float(np.median(np.abs(np.array(values) - np.median(values))))
    assert median_absolute_deviation(values) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_median_absolute_deviation_is_not_the_mean_one_nor_scaled() -> None:
    """Planted errors: the mean distance is 21.6, and the scaled one 1.48."""
    assert median_absolute_deviation([1.0, 2.0, 3.0, 4.0, 100.0]) == 1.0
    assert median_absolute_deviation([7.0]) == 0.0
    assert median_absolute_deviation([]) is None
