"""A layout has the effects that were put into it, agrees with textbooks, and errs as often as it says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gemma_eval.stats.layout import FTest, Layout, layout

Array = NDArray[np.float64]
Cells = Mapping[tuple[str, str], list[float]]


def cells(scores: Array) -> Cells:
    """Name the scores [cases, profiles, templates]."""
    return {
        (f"p{row}", f"t{column}"): scores[:, row, column].tolist()
        for row in range(scores.shape[1])
        for column in range(scores.shape[2])
    }


def known(scores: Array) -> Layout:
    """Return the layout of scores that have one."""
    found = layout(cells(scores))
    assert found is not None
    return found


def drawn(seed: int, *, shape: tuple[int, int, int] = (12, 3, 2), like: bool = True) -> Array:
    """Return scores without any effect; cases differ, and of `like` levels all alike."""
    random = np.random.default_rng(seed)
    scores = random.normal(0.5, 0.2, (shape[0], 1, 1)) + random.normal(0.0, 0.1, shape)
    if not like:
        scores[:, 0] += random.normal(0.0, 0.5, (shape[0], 1))
    return scores


def test_effects_are_those_that_were_put_in() -> None:
    """Each kind adds up to 0; cases differ and change none of it."""
    profiles, templates = np.array([-0.2, 0.05, 0.15]), np.array([0.1, -0.1])
    both = np.array([[0.02, -0.02], [-0.03, 0.03], [0.01, -0.01]])
    cases = np.linspace(-0.3, 0.3, 5)[:, None, None]
    found = known(0.5 + cases + profiles[:, None] + templates + both)
    assert found.mean == pytest.approx(0.5)
    assert list(found.profiles.values()) == pytest.approx(profiles)
    assert list(found.templates.values()) == pytest.approx(templates)
    assert list(found.both.values()) == pytest.approx(both.ravel())
    assert (found.profile_test, found.both_test) == (None, None)


@given(st.integers(0, 10_000))
def test_two_levels_are_tested_by_a_paired_t_test(seed: int) -> None:
    """F is t², and two levels cannot vary unlike."""
    scores = drawn(seed)
    test = cast(FTest, known(scores).template_test)
    first, second = scores.mean(axis=1).T
    expected = stats.ttest_rel(first, second)
    assert test.f == pytest.approx(float(expected.statistic) ** 2)
    assert test.p == pytest.approx(float(expected.pvalue))
    assert test.epsilon == pytest.approx(1.0)
    assert (test.df_effect, test.df_error) == (1, 11)


def box(values: Array) -> float:
    """Return the correction of Greenhouse and Geisser as Winer writes it, from the covariances of levels."""
    covariance = np.cov(values, rowvar=False)
    k = len(covariance)
    over, rows = covariance.mean(), covariance.mean(axis=1)
    top = (k * (np.trace(covariance) / k - over)) ** 2
    bottom = (k - 1) * ((covariance**2).sum() - 2 * k * (rows**2).sum() + k * k * over**2)
    return float(top / bottom)


@given(st.integers(0, 10_000), st.booleans())
def test_the_correction_is_that_of_greenhouse_and_geisser(seed: int, like: bool) -> None:
    """By covariances; it lies between 1 / (levels - 1) and 1."""
    scores = drawn(seed, like=like)
    test = cast(FTest, known(scores).profile_test)
    assert test.epsilon == pytest.approx(box(scores.mean(axis=2)))
    assert 1 / 2 - 1e-9 <= test.epsilon <= 1 + 1e-9
    assert test.p == pytest.approx(float(stats.f.sf(test.f, 2 * test.epsilon, 22 * test.epsilon)))


def errors(*, like: bool, corrected: bool = True) -> float:
    """Return how often a profile without an effect has a p of at most 5 %, over 2,000 layouts."""
    found = 0
    for seed in range(2000):
        test = cast(FTest, known(drawn(seed, shape=(12, 4, 2), like=like)).profile_test)
        p = test.p if corrected else float(stats.f.sf(test.f, test.df_effect, test.df_error))
        found += p <= 0.05
    return found / 2000


def test_no_effect_is_called_one_no_more_often_than_the_level() -> None:
    """Whether levels vary alike or not; without the correction, the planted error, it is too often."""
    assert errors(like=True) <= 0.06
    assert errors(like=False) <= 0.065
    assert errors(like=False, corrected=False) > 0.075


def test_a_case_that_is_hard_with_everything_changes_no_test() -> None:
    """That is what the block is for."""
    scores = drawn(5)
    harder = scores.copy()
    harder[3] -= 0.4
    plain, shifted = known(scores), known(harder)
    for name in ("profile_test", "template_test", "both_test"):
        assert getattr(plain, name).f == pytest.approx(getattr(shifted, name).f)
    assert stats.f_oneway(*scores.mean(axis=2).T).statistic != pytest.approx(
        stats.f_oneway(*harder.mean(axis=2).T).statistic, rel=1e-3
    )


def test_names_keep_their_effects_in_any_order() -> None:
    """The order of the cells says nothing."""
    scores = cells(drawn(6))
    forward, backward = layout(scores), layout(dict(list(scores.items())[::-1]))
    assert forward is not None
    assert backward is not None
    assert backward.profiles == pytest.approx(forward.profiles)
    assert backward.both == pytest.approx(forward.both)
    assert math.isclose(cast(FTest, backward.both_test).p, cast(FTest, forward.both_test).p, rel_tol=1e-9)


def test_one_profile_has_no_effect_and_no_test() -> None:
    """Templates still have."""
    found = known(drawn(7, shape=(8, 1, 3)))
    assert list(found.profiles.values()) == pytest.approx([0.0])
    assert (found.profile_test, found.both_test) == (None, None)
    assert found.template_test is not None


def test_what_is_not_complete_is_no_layout() -> None:
    """A combination, a score or a second case is missing."""
    scores = dict(cells(drawn(8)))
    assert layout({}) is None
    assert layout({name: values[:1] for name, values in scores.items()}) is None
    assert layout({**scores, ("p0", "t0"): [0.5]}) is None
    del scores["p0", "t0"]
    assert layout(scores) is None
