"""The variance of history agrees with SciPy and statsmodels, and is seldom too small."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gemma_eval.stats.paired import Prior
from gemma_eval.stats.prior import of_series, of_sessions

Values = Sequence[float]
VALUES = st.integers(-1000, 1000).map(lambda count: count / 1000)
SESSIONS = st.lists(st.lists(VALUES, max_size=6), max_size=6)
# Snedecor and Cochran 1989, table 12.2.1: fat absorbed by six batches in each of four fats. Their mean square
# within fats is 100.9 on 20 degrees of freedom.
DOUGHNUTS = (
    (64.0, 72.0, 68.0, 77.0, 56.0, 95.0),
    (78.0, 91.0, 97.0, 82.0, 85.0, 77.0),
    (75.0, 93.0, 78.0, 71.0, 63.0, 76.0),
    (55.0, 66.0, 49.0, 64.0, 70.0, 68.0),
)


def inflated(variance: float, df: float) -> float:
    """Return the upper 75 % bound of a variance by SciPy's chi-squared distribution."""
    return variance * df / float(stats.chi2.ppf(0.25, df))


def known(found: Prior | None) -> Prior:
    """Return a prior that is there."""
    return cast(Prior, found)


def test_the_variance_within_sessions_is_the_published_one() -> None:
    """What sets the sessions apart is no part of it; it counts as 12, not as 20."""
    found = known(of_sessions(DOUGHNUTS))
    assert found.variance == pytest.approx(inflated(100.9, 20), rel=1e-3)
    assert found.df == 12
    assert known(of_sessions(DOUGHNUTS, most=30)).df == 20


def test_the_published_variance_catches_planted_errors() -> None:
    """Sessions thrown together, a division by n, and the other quartile give another."""

    def together(sessions: Sequence[Values]) -> float:
        return inflated(float(np.var([value for each in sessions for value in each], ddof=1)), 20)

    def by_n(sessions: Sequence[Values]) -> float:
        return inflated(float(np.mean([np.var(each) for each in sessions])), 20)

    def low(sessions: Sequence[Values]) -> float:
        del sessions
        return 100.9 * 20 / float(stats.chi2.ppf(0.75, 20))

    found = known(of_sessions(DOUGHNUTS)).variance
    assert all(planted(DOUGHNUTS) != pytest.approx(found, rel=0.05) for planted in (together, by_n, low))


@given(SESSIONS)
def test_sessions_of_any_length_are_pooled(sessions: list[list[float]]) -> None:
    """Each by NumPy's variance, weighted with its degrees of freedom; one block alone tells nothing."""
    long = [each for each in sessions if len(each) > 1]
    df = sum(len(each) - 1 for each in long)
    total = sum(float(np.var(each, ddof=1)) * (len(each) - 1) for each in long)
    found = of_sessions(sessions)
    if df < 3 or total < 1e-12:
        assert found is None or found.variance < 1e-9
    else:
        assert known(found).variance == pytest.approx(inflated(total / df, df))
        assert known(found).df == min(12, df)


@pytest.mark.parametrize("sessions", [(), ((),), ((0.1, 0.2), (0.3, 0.5)), ((0.1,) * 5, (0.2,) * 5)])
def test_little_history_is_none(sessions: Sequence[Values]) -> None:
    """Nor is one whose blocks are all equal: it would make any difference a certain one."""
    assert of_sessions(sessions) is None


def differences(n: int) -> NDArray[np.float64]:
    """Return the matrix that turns n values into their successive differences."""
    return np.diff(np.eye(n), axis=0)


def exact_df(n: int) -> float:
    """Return 2·E² / V of the mean square successive difference, by the traces of its quadratic form."""
    form = differences(n).T @ differences(n)
    return float(np.trace(form) ** 2 / np.trace(form @ form))


@pytest.mark.parametrize("n", [6, 7, 10, 13])
def test_successive_differences_count_for_what_their_form_says(n: int) -> None:
    """As of any quadratic form of normal values: (tr A)² / tr A², 3.6 of six runs."""
    values = [math.sin(each) for each in range(n)]
    variance = float(np.mean(np.diff(values) ** 2))
    found = known(of_series(values, most=50))
    assert found.df == pytest.approx(exact_df(n))
    assert found.variance == pytest.approx(inflated(variance, exact_df(n)))


def test_differences_taken_for_independent_ones_would_count_for_too_much() -> None:
    """The planted errors: n - 1 differences, and n - 1 runs."""
    assert exact_df(10) == pytest.approx(6.23, abs=0.01)
    assert exact_df(10) < 9 - 2


def test_fewer_than_six_runs_are_no_history() -> None:
    """And no more are any that are equal."""
    values = [0.1, 0.2, 0.15, 0.12, 0.18, 0.11]
    assert of_series(values[:5]) is None
    assert of_series([]) is of_series([0.1]) is of_series([0.1] * 20) is None
    assert of_series(values) is not None


@given(st.lists(VALUES, min_size=6, max_size=30), st.integers(1, 5))
def test_a_change_that_was_real_makes_a_series_noisier(values: list[float], at: int) -> None:
    """One that is larger than what differs otherwise, wherever it was."""
    stepped = [value + (10.0 if place >= at else 0.0) for place, value in enumerate(values)]
    before, after = of_series(values), known(of_series(stepped))
    assert before is None or after.variance > before.variance


def too_small(of: Callable[[NDArray[np.float64]], float]) -> float:
    """Return how often the variance of a history is less than the true one, 1."""
    random = np.random.default_rng(20_261)
    return float(np.mean([of(random.normal(size=(12, 5))) < 1 for _ in range(4000)]))


def test_a_history_is_too_quiet_in_a_quarter_of_cases() -> None:
    """Taken as it is, the planted error, it would be in more than half; a series is no different."""
    sessions = too_small(lambda drawn: known(of_sessions(drawn.tolist())).variance)
    assert sessions == pytest.approx(0.25, abs=0.03)
    assert too_small(lambda drawn: float(np.var(drawn, axis=1, ddof=1).mean())) > 0.5
    # A difference of two values has twice their variance.
    series = too_small(lambda drawn: known(of_series(drawn.ravel()[:14].tolist())).variance / 2)
    assert series == pytest.approx(0.25, abs=0.03)
