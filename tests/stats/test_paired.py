"""Paired differences agree with SciPy and with published values; bounds and p-values say the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.bounds import UNKNOWN, Bounds
from gemma_eval.stats.exact import exact_bounds, exact_not_worse, exact_worse
from gemma_eval.stats.paired import Paired, Prior, bounds, p_not_worse, p_worse, paired

SPREAD = st.lists(st.integers(-1000, 1000).map(lambda count: count / 1000), min_size=2, max_size=40)
SCORES = st.lists(st.sampled_from((0.0, 0.0, 0.0, 1.0, -1.0, 0.5, -0.25)), min_size=1, max_size=60)
LEVELS = st.sampled_from((0.0001, 0.0216, 0.05, 0.1))
# Inspect AI's test of clustered errors, which statsmodels 0.14 agrees with: 0..19 in clusters of i % 4.
CLUSTERED = 0.6454972243679028


def known(values: list[float], **given_too: object) -> Paired:
    """Return the paired mean of values of which there are some."""
    return cast(Paired, paired(values, **given_too))  # type: ignore[arg-type]


def ends(found: Bounds) -> tuple[float, float]:
    """Return bounds that are there."""
    return cast(float, found.low), cast(float, found.high)


def agrees_with_scipy(p: Callable[[list[float], float], float], values: list[float], margin: float) -> bool:
    """Say whether a p is that of SciPy's one-sided t test against a margin."""
    expected = float(stats.ttest_1samp(values, margin, alternative="greater").pvalue)
    return math.isclose(p(values, margin), expected, rel_tol=1e-6, abs_tol=1e-12)


@given(SPREAD, st.sampled_from((-0.05, 0.0, 0.05)))
def test_p_values_are_those_of_scipys_t_test(values: list[float], margin: float) -> None:
    """One-sided, against a margin, in both directions."""
    assume(len(set(values)) > 1)
    assert agrees_with_scipy(lambda data, at: p_worse(known(data), at), values, margin)
    below = float(stats.ttest_1samp(values, margin, alternative="less").pvalue)
    assert p_not_worse(known(values), margin) == pytest.approx(below, rel=1e-6, abs=1e-12)


def test_the_comparison_with_scipy_catches_planted_errors() -> None:
    """A normal p, a two-sided one, a population deviation and the other direction fail it."""
    values = [0.01, 0.03, 0.02, 0.08, 0.04]

    def normal(data: list[float], margin: float) -> float:
        return p_worse(replace(known(data), df=math.inf), margin)

    def two_sided(data: list[float], margin: float) -> float:
        return 2 * p_worse(known(data), margin)

    def population(data: list[float], margin: float) -> float:
        found = known(data)
        return p_worse(replace(found, se=cast(float, found.se) * math.sqrt(4 / 5)), margin)

    def mirrored(data: list[float], margin: float) -> float:
        return p_not_worse(known(data), margin)

    assert agrees_with_scipy(lambda data, at: p_worse(known(data), at), values, 0.01)
    planted = (normal, two_sided, population, mirrored)
    assert not any(agrees_with_scipy(p, values, 0.01) for p in planted)


@given(SPREAD, LEVELS)
def test_bounds_are_those_of_scipys_t_interval(values: list[float], level: float) -> None:
    """One-sided ones of a level are the interval of 1 - 2·level."""
    assume(len(set(values)) > 1)
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(1 - 2 * level)
    assert ends(bounds(known(values), level=level)) == pytest.approx(
        (float(interval.low), float(interval.high)), rel=1e-6, abs=1e-9
    )


def test_a_clustered_error_is_the_published_one() -> None:
    """And its degrees of freedom are those of the clusters."""
    values, keys = [float(i) for i in range(20)], [i % 4 for i in range(20)]
    found = known(values, clusters=keys)
    assert found.se == pytest.approx(CLUSTERED, rel=1e-14)
    assert (found.n, found.data, found.df) == (20, 4, 3)


def test_the_published_clustered_error_catches_planted_errors() -> None:
    """Cases as the data, and Miller's formula without the correction, have others."""
    values, keys = [float(i) for i in range(20)], [i % 4 for i in range(20)]
    assert known(values).se != pytest.approx(CLUSTERED, rel=0.1)
    assert CLUSTERED * math.sqrt(3 / 4) == pytest.approx(0.5590, abs=1e-4)
    assert known(values, clusters=[i // 5 for i in range(20)]).se != pytest.approx(CLUSTERED, rel=0.1)
    assert known(values, clusters=keys).se != pytest.approx(CLUSTERED * math.sqrt(3 / 4), rel=0.1)


def miller(values: list[float], keys: list[int]) -> float:
    """Return the clustered error as Miller writes it, by pairs within clusters."""
    n, center = len(values), sum(values) / len(values)
    squares = sum((value - center) ** 2 for value in values) / n**2
    pairs = sum(
        (values[i] - center) * (values[j] - center)
        for i in range(n)
        for j in range(n)
        if i != j and keys[i] == keys[j]
    )
    return math.sqrt(max(0.0, squares + pairs / n**2))


@given(st.lists(st.tuples(st.integers(-9, 9).map(float), st.integers(0, 4)), min_size=2, max_size=25))
def test_a_clustered_error_is_millers_with_the_correction(data: list[tuple[float, int]]) -> None:
    """Clusters of any size, by his sum over pairs."""
    values, keys = [value for value, _ in data], [key for _, key in data]
    count = len(set(keys))
    assume(count > 1)
    expected = miller(values, keys) * math.sqrt(count / (count - 1))
    assert known(values, clusters=keys).se == pytest.approx(expected, abs=1e-7)


@given(SPREAD)
def test_clusters_of_one_are_no_clusters(values: list[float]) -> None:
    """Nor does it matter in which order the data are."""
    plain = known(values)
    alone = known(values, clusters=range(len(values)))
    assert (alone.mean, alone.df) == (plain.mean, plain.df)
    assert alone.se == pytest.approx(plain.se)
    assert known(values[::-1]).se == pytest.approx(plain.se)


def test_a_prior_moderates_the_variance() -> None:
    """By hand: (12 · 0.0004 + 2 · 0.0001) / 14, on 14 degrees of freedom."""
    found = known([0.0, 0.01, 0.02], prior=Prior(variance=0.0004, df=12))
    assert found.df == 14
    assert found.sd == pytest.approx(math.sqrt((12 * 0.0004 + 2 * 0.0001) / 14))
    assert found.se == pytest.approx(cast(float, found.sd) / math.sqrt(3))


def test_a_prior_gives_one_datum_and_equal_ones_an_error() -> None:
    """What was seen before tells how far the next may lie."""
    prior = Prior(variance=0.0004, df=12)
    assert known([0.03], prior=prior).sd == pytest.approx(0.02)
    assert ends(bounds(known([0.01] * 5, prior=prior), level=0.05))[1] > 0.01


@pytest.mark.parametrize("values", [[0.0], [0.02], [0.0] * 5, [0.1, 0.1, 0.1], [0.1 + 0.2, 0.3, 0.3]])
def test_no_spread_is_no_certainty(values: list[float]) -> None:
    """Neither bound is known, and no margin is proved."""
    found = known(values)
    assert bounds(found, level=0.05) == UNKNOWN
    assert p_worse(found, -1.0) == p_not_worse(found, 1.0) == 1.0


def test_of_nothing_there_is_nothing() -> None:
    """And one datum has no spread."""
    assert paired([]) is None
    assert (known([0.5]).sd, known([0.5]).se) == (None, None)


@pytest.mark.parametrize(("n", "high"), [(10, 0.2589), (100, 0.0295), (300, 0.0099), (1000, 0.0030)])
def test_equal_scores_prove_more_the_more_there_are(n: int, high: float) -> None:
    """1 - 0.05^(1 / n): a margin of 2 points needs 149 equal cases, not three."""
    assert ends(bounds(known([0.0] * n, span=1.0), level=0.05)) == pytest.approx((-high, high), abs=5e-5)


def test_few_scores_that_differ_are_not_trusted_to_show_the_spread() -> None:
    """One answer of three hundred that is a hundredth worse: the t bound alone would be 0.0001."""
    values = [0.0] * 299 + [0.01]
    assert ends(bounds(known(values), level=0.05))[1] < 0.0001
    assert ends(bounds(known(values, span=1.0), level=0.05))[1] > 0.008


def test_scores_that_merely_jitter_are_not_trusted_to_show_the_spread() -> None:
    """Every score of a hundred moves by a hundredth: equal ones would have a bound of 0.0295."""
    values = [0.01, -0.01] * 50
    assert ends(bounds(known(values), level=0.05))[1] < 0.002
    assert ends(bounds(known(values, span=1.0), level=0.05))[1] > 0.0295


@pytest.mark.parametrize(("jitter", "far"), [(0.02, 9), (0.05, 9)])
def test_few_scores_far_off_are_few_beside_others_that_jitter(jitter: float, far: int) -> None:
    """With ten of them, or where the others are spread more widely, the t bounds are the bounds."""
    others = [-jitter + 2 * jitter * each / 90 for each in range(91)]
    assert known([*others, *[1.0] * far], span=1.0).few is not None
    assert known([*others, *[1.0] * (far + 1)], span=1.0).few is None
    assert known([10 * jitter * other for other in range(20)], span=1.0).few is None


def test_jitter_counts_for_next_to_no_worse_or_better_answers() -> None:
    """By its squares: 200 · 0.01² is 0.02, of which either has half."""
    few = known([0.01, -0.01] * 100, span=1.0).few
    assert few is not None
    assert (few.worse, few.better) == pytest.approx((0.01, 0.01))


@settings(max_examples=30)
@given(SCORES, LEVELS)
def test_bounds_of_few_differing_scores_hold_those_of_counts(values: list[float], level: float) -> None:
    """Counts of right and wrong answers with their sum and squares that are rather further apart."""
    found = known(values, span=1.0)
    low, high = ends(bounds(found, level=level)) if found.few else (-1.0, 1.0)
    total = sum(values)
    both = max(abs(total), sum(value * value for value in values))
    worse, better = (both + total) / 2, (both - total) / 2
    n, (up, down) = len(values), (math.ceil(worse), math.floor(better))
    assert high >= cast(float, exact_bounds(up, down, n=n, level=level).high)
    up, down = math.floor(worse), math.ceil(better)
    assert low <= cast(float, exact_bounds(up, down, n=n, level=level).low)


def test_p_values_of_few_right_and_wrong_answers_are_the_exact_ones() -> None:
    """Five worse and one better of sixty; swapped they would be others."""
    found = known([1.0] * 5 + [-1.0] + [0.0] * 54, span=1.0)
    assert p_worse(found, 0.01) == pytest.approx(exact_worse(5, 1, n=60, margin=0.01))
    assert p_not_worse(found, 0.2) == pytest.approx(exact_not_worse(5, 1, n=60, margin=0.2))
    assert p_not_worse(found, 0.2) != pytest.approx(exact_not_worse(1, 5, n=60, margin=0.2), rel=0.5)


def test_bounds_of_few_differing_scores_are_in_the_unit_of_the_scores() -> None:
    """Scores of 0..10 differ by ten times as much."""
    small = ends(bounds(known([0.0] * 40 + [0.5], span=1.0), level=0.05))
    large = ends(bounds(known([0.0] * 40 + [5.0], span=10.0), level=0.05))
    assert large == pytest.approx((10 * small[0], 10 * small[1]))


@given(SCORES, LEVELS, st.floats(-0.9, 0.9), st.sampled_from((None, 1.0)))
def test_p_values_and_bounds_say_the_same(
    values: list[float], level: float, margin: float, span: float | None
) -> None:
    """A p is below a level just where the bound of that level is beyond the margin; never both."""
    found = known(values, span=span)
    at = bounds(found, level=level)
    assume(all(end is None or abs(end - margin) > 1e-9 for end in (at.low, at.high)))
    assert at.above(margin) == (p_worse(found, margin) < level)
    assert at.below(margin) == (p_not_worse(found, margin) < level)
    assert not (at.above(margin) and at.below(margin))


@settings(max_examples=40)
@given(SCORES, LEVELS, st.sampled_from((None, 1.0)))
def test_swapping_the_sides_mirrors_the_bounds(values: list[float], level: float, span: float | None) -> None:
    """Candidate minus base is the negative of base minus candidate."""
    there = bounds(known(values, span=span), level=level)
    back = bounds(known([-value for value in values], span=span), level=level)
    if there.low is None or there.high is None:
        assert back == UNKNOWN
    else:
        assert ends(back) == pytest.approx((-there.high, -there.low), abs=1e-12)


@given(SPREAD, LEVELS, st.floats(1.0, 20.0), st.floats(0.001, 0.5))
def test_more_noise_widens_the_bounds_and_never_turns_an_open_question_into_a_pass(
    values: list[float], level: float, by: float, margin: float
) -> None:
    """The same mean with every datum further from it."""
    assume(len(set(values)) > 1)
    calm = known(values)
    noisy = known([calm.mean + by * (value - calm.mean) for value in values])
    (low, high), (lower, higher) = (ends(bounds(each, level=level)) for each in (calm, noisy))
    assert lower <= low + 1e-9
    assert higher >= high - 1e-9
    assert higher - 1e-9 >= margin or high < margin


@given(SPREAD, st.floats(0.0, 1.0))
def test_a_smaller_level_widens_the_bounds(values: list[float], share: float) -> None:
    """An early look proves less."""
    assume(len(set(values)) > 1)
    level = 1e-4 + share * 0.3
    (low, high), (lower, higher) = (ends(bounds(known(values), level=at)) for at in (level, level / 2))
    assert lower <= low <= high <= higher


def coverage(n: int, p: float, *, span: float | None) -> float:
    """Return how often the high bound holds a mean of rare large differences, over 2,000 samples."""
    random = np.random.default_rng(11)
    found: dict[int, bool] = {}
    counts = random.binomial(n, p, size=2000).tolist()
    for count in set(counts):
        high = bounds(known([1.0] * count + [0.0] * (n - count), span=span), level=0.05).high
        found[count] = high is not None and high >= p
    return sum(found[count] for count in counts) / len(counts)


@pytest.mark.parametrize("p", [0.01, 0.02, 0.03, 0.05])
def test_rare_large_differences_are_covered(p: float) -> None:
    """One answer of a hundred that is wholly wrong is seldom seen in a hundred; t bounds miss it then."""
    assert coverage(100, p, span=1.0) > 0.945


def test_the_coverage_catches_a_t_interval() -> None:
    """The planted error: the spread that was seen is all there is."""
    assert coverage(100, 0.02, span=None) < 0.90
