"""What a report says that profile and template do is what others compute of the same scores."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.records import Report
from gemma_eval.report.effect_rows import effect_tables
from gemma_eval.report.effects import Change, Effects, effects_of
from gemma_eval.report.grid import Grid, grids
from tests.report.crossed import Array, Crossed, crossed, drawn, outcomes
from tests.required import module

anova: Any = module("statsmodels.stats.anova", extra="test")
power: Any = module("statsmodels.stats.power", extra="test")
api: Any = module("statsmodels.api", extra="test")
pandas: Any = module("pandas", extra="test")

PROFILES, TEMPLATES = Crossed().profiles, Crossed().templates


def grid_of(report: Report) -> Grid:
    """Return the only grid of a report."""
    (found,) = grids(report)
    return found


def known(report: Report) -> Effects:
    """Return the effects of a report's only grid."""
    return cast(Effects, effects_of(grid_of(report)))


def level(found: Effects, axis: str, name: str) -> Change:
    """Return the change of one level from the first."""
    factor = next(each for each in found.factors if each.axis == axis)
    return cast(Change, next(each.change for each in factor.levels if each.name == name))


def two_way(scores: Array) -> dict[str, tuple[float, float, float]]:
    """Return F and its degrees of freedom of scores [cases, profiles, templates], by effect."""
    rows = [
        {"case": case, "profile": profile, "template": template, "score": scores[case, profile, template]}
        for case, profile, template in product(*map(range, scores.shape))
    ]
    model = anova.AnovaRM(pandas.DataFrame(rows), "score", "case", within=["profile", "template"])
    table = model.fit().anova_table
    columns = ("F Value", "Num DF", "Den DF")
    return {name: tuple(row[column] for column in columns) for name, row in table.iterrows()}


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_f_tests_are_those_of_repeated_measures(seed: int) -> None:
    """With the case as block, by another implementation, repeats averaged first."""
    scores = drawn(seed, (12, 2, 3, 2))
    found, table = known(crossed(scores)), two_way(scores.mean(axis=3))
    assert found.together is not None
    tests = [*(each.test for each in found.factors), found.together.test]
    for test, name in zip(tests, ("profile", "template", "profile:template"), strict=True):
        assert test is not None
        assert [test.f, test.df_effect, test.df_error] == pytest.approx(table[name], rel=1e-6)


def test_f_tests_without_blocks_would_be_others() -> None:
    """The planted error: as if every answer were of a case of its own."""
    scores = drawn(3, (12, 2, 3, 1))
    test = known(crossed(scores)).factors[0].test
    flat = stats.f_oneway(*(scores[:, profile].ravel() for profile in range(2)))
    assert test is not None
    assert test.f != pytest.approx(float(flat.statistic), rel=0.05)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_change_is_that_of_a_paired_t_test_with_its_share_of_the_error(seed: int) -> None:
    """Over the case means, against the first level; two templates share 5 %."""
    scores = drawn(seed)
    found = known(crossed(scores))
    by_profile, by_template = scores.mean(axis=(2, 3)), scores.mean(axis=(1, 3))
    for axis, name, pair, level_ in (
        ("profile", "hot", (by_profile[:, 1], by_profile[:, 0]), 0.95),
        ("template", "rag", (by_template[:, 1], by_template[:, 0]), 0.975),
        ("template", "cited", (by_template[:, 2], by_template[:, 0]), 0.975),
    ):
        change, expected = level(found, axis, name), stats.ttest_rel(*pair)
        interval = expected.confidence_interval(level_)
        assert change.value == pytest.approx(float((pair[0] - pair[1]).mean()), abs=1e-9)
        assert [change.low, change.high] == pytest.approx([interval.low, interval.high], abs=1e-9)


def test_a_change_without_pairs_would_be_less_sure() -> None:
    """The planted error: hard and easy cases count as noise."""
    scores = drawn(4)
    first, second = scores.mean(axis=(2, 3)).T
    change = level(known(crossed(scores)), "profile", "hot")
    wide = stats.ttest_ind(second, first).confidence_interval(0.95)
    assert cast(float, change.high) - cast(float, change.low) < 0.7 * (wide.high - wide.low)


@given(st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_the_smallest_detectable_change_would_be_found_in_four_of_five_runs(seed: int) -> None:
    """By the power of a paired t test, one side of it."""
    scores = drawn(seed, (200, 2, 2, 1))
    of = Crossed(templates=("plain", "rag"))
    change = level(known(crossed(scores, of)), "profile", "hot")
    differences = np.diff(scores.mean(axis=(2, 3)), axis=1)
    sd = float(differences.std(ddof=1))
    found = power.TTestPower().power(
        cast(float, change.detectable) / sd, nobs=200, alpha=0.025, alternative="larger"
    )
    assert not change.at_least
    assert found == pytest.approx(0.8, abs=0.005)


def test_what_profile_and_template_do_together_is_the_part_beyond_their_sum() -> None:
    """The pair with the most of it, by hand, and its interval by a t test over the cases."""
    scores = drawn(5)
    scores[:, 1, 2] = np.clip(scores[:, 1, 2] - 0.25, 0, 1)
    together = known(crossed(scores)).together
    means = scores.mean(axis=3)
    beyond = (means - means.mean(axis=1, keepdims=True) - means.mean(axis=2, keepdims=True)) + means.mean(
        axis=(1, 2), keepdims=True
    )
    effects = beyond.mean(axis=0)
    assert together is not None
    index = PROFILES.index(together.pair[0]), TEMPLATES.index(together.pair[1])
    assert abs(effects[index]) == pytest.approx(np.abs(effects).max())
    assert together.change.value == pytest.approx(effects[index])
    interval = stats.ttest_1samp(beyond[:, *index], 0.0).confidence_interval(1 - 0.05 / 6)
    assert together.change.low == pytest.approx(float(interval.low))
    assert together.change.high == pytest.approx(float(interval.high))
    assert together.test is not None
    assert together.test.p < 0.001


def test_pairs_are_ranked_and_each_is_held_against_the_best() -> None:
    """Case by case, with the fifteen comparisons of six pairs that share 5 %."""
    scores = drawn(6)
    scores[:, 0, 1] = np.clip(scores[:, 0, 1] + 0.2, 0, 1)
    found = known(crossed(scores))
    means = scores.mean(axis=(0, 3))
    assert [each.mean for each in found.ranking] == pytest.approx(sorted(means.ravel(), reverse=True))
    assert found.ranking[0].pair == ("greedy", "rag")
    assert found.ranking[0].change is None
    for each in found.ranking[1:]:
        own = scores[:, PROFILES.index(each.pair[0]), TEMPLATES.index(each.pair[1]), 0]
        interval = stats.ttest_rel(own, scores[:, 0, 1, 0]).confidence_interval(1 - 0.05 / 15)
        change = cast(Change, each.change)
        assert [change.low, change.high] == pytest.approx([interval.low, interval.high])
        assert change.shown == "lower"


def grid_with(scores: Array) -> Grid:
    """Return a grid of scores [cases, profiles, templates], without a report around it."""
    return Grid(
        model="pocket",
        profiles=tuple(PROFILES),
        templates=tuple(TEMPLATES),
        scores={
            (profile, template): tuple((float(score),) for score in scores[:, row, column])
            for row, profile in enumerate(PROFILES)
            for column, template in enumerate(TEMPLATES)
        },
        blocks=tuple(range(len(scores))),
        left_out=0,
        absent=(),
    )


@pytest.mark.slow
def test_pairs_that_are_alike_are_seldom_called_lower() -> None:
    """In 4 % of runs, of six pairs; with one share of the error for each row, the planted error, in 9 %."""
    called = planted = 0
    for seed in range(400):
        scores = drawn(seed, (20, 2, 3, 1))[..., 0]
        ranking = cast(Effects, effects_of(grid_with(scores))).ranking
        called += any(each.change is not None and each.change.shown == "lower" for each in ranking)
        behind = scores[:, PROFILES.index(ranking[0].pair[0]), TEMPLATES.index(ranking[0].pair[1])]
        apart = (behind[:, None] - scores.reshape(20, 6)).T
        t = [row.mean() / (row.std(ddof=1) / math.sqrt(20)) for row in apart if row.any()]
        planted += max(t) > stats.t.isf(0.025 / 5, 19)
    assert called / 400 == pytest.approx(0.035, abs=0.015)
    assert planted / 400 == pytest.approx(0.09, abs=0.02)


def test_cases_of_one_cluster_are_one_datum() -> None:
    """The mean is that of the cases, its error that of a regression with clusters."""
    scores = drawn(7, (60, 2, 3, 1))
    of = Crossed(cluster=lambda number: f"c{number % 20 if number < 45 else number % 5}")
    scores += np.random.default_rng(7).normal(0.0, 0.05, (20, 2, 3, 1))[
        [int(cast(str, of.cluster(number))[1:]) for number in range(60)]
    ]
    scores = np.clip(scores, 0, 1)
    report = crossed(scores, of)
    grid, found = grid_of(report), known(report)
    differences = scores.mean(axis=(2, 3)) @ [-1.0, 1.0]
    groups = np.array([int(cast(str, of.cluster(number))[1:]) for number in range(60)])
    fit = api.OLS(differences, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    change = level(found, "profile", "hot")
    half = float(stats.t.ppf(0.975, 19)) * float(fit.bse[0])
    assert (grid.data, grid.cases) == (20, 60)
    assert change.value == pytest.approx(differences.mean())
    assert cast(float, change.high) - change.value == pytest.approx(half, rel=1e-6)
    test = found.factors[0].test
    assert test is not None
    assert test.f == pytest.approx((change.value / float(fit.bse[0])) ** 2, rel=1e-6)


def test_only_cases_that_every_pair_has_a_score_of_count() -> None:
    """What a failed check or a missing case leaves is that of a run without those cases."""
    scores = drawn(8)
    broken = scores.copy()
    broken[3, 1, 2, 0] = np.nan
    report = crossed(broken)
    lacking = [each for each in report.outcomes if each.trial.cell.label != "case-5[pocket/hot/rag]"]
    grid = grid_of(Report(run=report.run, outcomes=tuple(lacking), summaries=report.summaries))
    assert (grid.cases, grid.left_out) == (28, 2)
    whole = grid_of(crossed(np.delete(scores, [3, 5], axis=0)))
    assert [grid.means(pair) for pair in grid.pairs] == [whole.means(pair) for pair in whole.pairs]


def test_a_trial_without_a_score_takes_its_case_out_and_not_its_mean() -> None:
    """What is left of a case's repeats would reward a pair for failing where it is hard."""
    scores = drawn(9, (10, 2, 3, 3))
    scores[4, 0, 0, 1] = np.nan
    grid = grid_of(crossed(scores))
    assert (grid.cases, grid.left_out) == (9, 1)


def test_one_profile_and_one_template_are_no_choice() -> None:
    """And neither are cases without checks."""
    assert grids(crossed(drawn(10)[:, :1, :1])) == ()


def test_one_profile_leaves_templates_to_compare() -> None:
    """There is no interaction then."""
    found = known(crossed(drawn(11)[:, :1]))
    assert [each.axis for each in found.factors] == ["template"]
    assert found.together is None
    assert len(found.ranking) == 3


def test_a_pair_that_never_ran_leaves_no_effects_but_a_best_pair() -> None:
    """Effects of a torn grid would mix profile with template."""
    report = crossed(drawn(12))
    kept = [each for each in report.outcomes if "hot/rag]" not in each.trial.cell.label]
    grid = grid_of(Report(run=report.run, outcomes=tuple(kept), summaries=report.summaries))
    found = cast(Effects, effects_of(grid))
    assert grid.absent == (("hot", "rag"),)
    assert (found.factors, found.together) == ((), None)
    assert len(found.ranking) == 5


def test_one_case_and_one_cluster_show_nothing() -> None:
    """Nothing tells how others would differ."""
    assert effects_of(grid_of(crossed(drawn(13)[:1]))) is None
    assert effects_of(grid_of(crossed(drawn(13), Crossed(cluster=lambda _: "one")))) is None


def test_equal_scores_are_no_certainty() -> None:
    """Thirty cases that are all right have bounds, and no smallest difference."""
    found = known(crossed(np.ones((30, 2, 3, 1))))
    change = level(found, "profile", "hot")
    assert change.value == 0
    assert cast(float, change.low) < -0.05
    assert cast(float, change.high) > 0.05
    assert (change.detectable, change.shown) == (None, "")
    assert all(factor.test is None for factor in found.factors)


def test_cases_that_name_other_templates_have_a_grid_of_their_own() -> None:
    """Questions with and without documents are not the same; what only one pair was asked has none."""
    plain, rag, alone = (Crossed(templates=(name,)) for name in ("plain", "rag", "cited"))
    scores = drawn(16, (10, 2, 2, 1))
    more = [
        *outcomes(scores[:, :, 1:], rag),
        *outcomes(scores[:, :1, :1], replace(alone, profiles=("greedy",))),
    ]
    report = crossed(scores[:, :, :1], plain, more=more)
    assert [grid.templates for grid in grids(report)] == [("plain",), ("rag",)]
    assert [grid.left_out for grid in grids(report)] == [0, 0]
    first, second = effect_tables(report)
    assert (first.title, second.title) == ("plain", "rag")


def test_each_model_has_a_grid_of_its_own() -> None:
    """In the order of the run."""
    report = crossed(drawn(14), more=outcomes(drawn(15), Crossed(model="other")))
    assert [grid.model for grid in grids(report)] == ["pocket", "other"]
    assert [each.title for each in effect_tables(report)] == ["pocket", "other"]
