"""Errors, p-values, sample sizes and layouts agree with statsmodels, an implementation of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import fdtrc

from gemma_eval.stats.binary import mcnemar
from gemma_eval.stats.layout import layout
from gemma_eval.stats.multiple import benjamini_hochberg, holm
from gemma_eval.stats.paired import Paired, p_not_worse, p_worse, paired
from gemma_eval.stats.power import deciding, detectable
from gemma_eval.stats.variance import ledger
from tests.required import module

module("statsmodels", extra="test")
statsmodels: Any = module("statsmodels.api", extra="test")
multitest: Any = module("statsmodels.stats.multitest", extra="test")
tables: Any = module("statsmodels.stats.contingency_tables", extra="test")
power: Any = module("statsmodels.stats.power", extra="test")
anova: Any = module("statsmodels.stats.anova", extra="test")
weightstats: Any = module("statsmodels.stats.weightstats", extra="test")
pandas: Any = module("pandas", extra="test")

CLUSTERED = st.lists(st.tuples(st.integers(-99, 99).map(float), st.integers(0, 5)), min_size=3, max_size=40)


def clustered_error(values: Sequence[float], keys: Sequence[int], *, corrected: bool = True) -> float:
    """Return the error of the mean as that of a regression on a constant, clustered."""
    fit = statsmodels.OLS(np.array(values), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(keys), "use_correction": corrected}
    )
    return float(fit.bse[0])


@given(CLUSTERED)
def test_a_clustered_error_is_that_of_a_regression(data: list[tuple[float, int]]) -> None:
    """With the correction for few clusters, of clusters of any size."""
    values, keys = [value for value, _ in data], [key for _, key in data]
    if len(set(keys)) < 2 or len(set(values)) < 2:
        return
    found = cast(Paired, paired(values, clusters=keys))
    assert found.se == pytest.approx(clustered_error(values, keys), abs=1e-9)


def test_the_regression_catches_planted_errors() -> None:
    """An error without the correction, and one without clusters, are others."""
    values, keys = [float(i) for i in range(20)], [i % 4 for i in range(20)]
    assert clustered_error(values, keys) == pytest.approx(0.6454972243679028, rel=1e-12)
    assert clustered_error(values, keys, corrected=False) == pytest.approx(0.5590, abs=1e-4)
    assert cast(Paired, paired(values)).se != pytest.approx(clustered_error(values, keys), rel=0.1)


@given(st.lists(st.integers(-99, 99).map(float), min_size=3, max_size=30), st.sampled_from((-5.0, 0.0, 20.0)))
def test_the_two_proofs_are_the_two_one_sided_tests(values: list[float], margin: float) -> None:
    """Of t tests against the margin from above and from below."""
    if len(set(values)) < 2:
        return
    found, described = cast(Paired, paired(values)), weightstats.DescrStatsW(values)
    above, below = (described.ttest_mean(margin, alternative=to)[1] for to in ("larger", "smaller"))
    assert p_worse(found, margin) == pytest.approx(above, abs=1e-12)
    assert p_not_worse(found, margin) == pytest.approx(below, abs=1e-12)


@settings(max_examples=25)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_statsmodels(ps: list[float]) -> None:
    """Holm's, and Benjamini and Hochberg's."""
    assert holm(ps) == pytest.approx(multitest.multipletests(ps, method="holm")[1])
    assert benjamini_hochberg(ps) == pytest.approx(multitest.multipletests(ps, method="fdr_bh")[1])


def test_adjusted_p_values_of_other_methods_are_others() -> None:
    """Hochberg's step up, Šidák's and Benjamini and Yekutieli's."""
    ps = [0.01, 0.02, 0.022, 0.4]
    for method in ("simes-hochberg", "holm-sidak", "bonferroni"):
        assert holm(ps) != pytest.approx(multitest.multipletests(ps, method=method)[1])
    assert benjamini_hochberg(ps) != pytest.approx(multitest.multipletests(ps, method="fdr_by")[1])


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_exact_p_is_that_of_statsmodels(worse: int, better: int) -> None:
    """Where no pair is discordant statsmodels has none."""
    if worse + better:
        expected = tables.mcnemar([[5, worse], [better, 5]], exact=True).pvalue
        assert mcnemar(worse, better) == pytest.approx(float(expected))


@pytest.mark.parametrize(("sd", "margin"), [(0.02, 0.02), (0.05, 0.02), (0.3, 0.05)])
@pytest.mark.parametrize("level", [0.05, 0.0216])
def test_the_data_that_decide_are_those_of_the_noncentral_t(sd: float, margin: float, level: float) -> None:
    """The formula with two central quantiles is never more than two off; half the level, planted, is."""
    expected = power.tt_solve_power(effect_size=margin / sd, alpha=level, power=0.8, alternative="larger")
    found = deciding(sd, 0.0, margin=margin, level=level)
    assert found is not None
    assert abs(found - expected) <= 2
    assert abs(cast(int, deciding(sd, 0.0, margin=margin, level=level / 4)) - expected) > 2


def test_what_can_be_found_is_that_of_the_noncentral_t() -> None:
    """Of twenty blocks, in standard deviations."""
    expected = power.tt_solve_power(nobs=20, alpha=0.05, power=0.8, alternative="larger")
    assert detectable(1.0, 20, level=0.05) == pytest.approx(expected, rel=0.01)
    assert detectable(1.0, 20, level=0.025) != pytest.approx(expected, rel=0.01)


def table(seed: int) -> tuple[dict[tuple[str, str], list[float]], Any]:
    """Return the same scores as cells and as a table of one row per score."""
    random = np.random.default_rng(seed)
    names = list(product(("greedy", "warm", "hot"), ("short", "long")))
    cases = random.normal(0.5, 0.2, 12)
    cells = {name: (cases + random.normal(0.02 * at, 0.1, 12)).tolist() for at, name in enumerate(names)}
    rows = [
        {"case": case, "profile": profile, "template": template, "score": score}
        for (profile, template), scores in cells.items()
        for case, score in enumerate(scores)
    ]
    return cells, pandas.DataFrame(rows)


@pytest.mark.parametrize("seed", range(4))
def test_the_tests_of_a_layout_are_those_of_an_anova_of_repeated_measures(seed: int) -> None:
    """F and both degrees of freedom of each effect, and the p of two levels, which need no correction."""
    cells, rows = table(seed)
    found = layout(cells)
    assert found is not None
    expected = anova.AnovaRM(rows, "score", "case", within=["profile", "template"]).fit().anova_table
    tests = {
        "profile": found.profile_test,
        "template": found.template_test,
        "profile:template": found.both_test,
    }
    for name, test in tests.items():
        assert test is not None
        row = expected.loc[name]
        assert (test.f, test.df_effect, test.df_error) == pytest.approx(
            (row["F Value"], row["Num DF"], row["Den DF"])
        )
        uncorrected = fdtrc(test.df_effect, test.df_error, test.f)
        assert float(uncorrected) == pytest.approx(row["Pr > F"])
    assert tests["template"] is not None
    assert tests["template"].p == pytest.approx(expected.loc["template", "Pr > F"])


def test_the_anova_catches_a_layout_of_other_cases() -> None:
    """The planted error: scores that do not stand in the order of the cases."""
    cells, rows = table(0)
    mixed = layout({name: scores[at:] + scores[:at] for at, (name, scores) in enumerate(cells.items())})
    assert mixed is not None
    assert mixed.profile_test is not None
    expected = anova.AnovaRM(rows, "score", "case", within=["profile", "template"]).fit().anova_table
    assert mixed.profile_test.f != pytest.approx(expected.loc["profile", "F Value"], rel=0.1)


def test_the_ledger_is_that_of_a_mixed_model() -> None:
    """Balanced, so that restricted likelihood and the analysis of variance agree."""
    random = np.random.default_rng(31)
    scores = random.normal(0.5, 0.3, (40, 1)) + random.normal(0.0, 0.4, (40, 4))
    found = ledger(scores.tolist())
    assert found is not None
    keys = np.repeat(np.arange(40), 4)
    fit = statsmodels.MixedLM(scores.ravel(), np.ones((160, 1)), groups=keys).fit(reml=True)
    assert found.within == pytest.approx(float(fit.scale), rel=1e-3)
    assert found.between == pytest.approx(float(np.asarray(fit.cov_re)[0, 0]), rel=1e-3)
    assert found.between != pytest.approx(float(scores.mean(axis=1).var(ddof=1)), rel=0.1)
    assert math.isclose(
        float(fit.bse[0]), math.sqrt((found.between + (found.within or 0) / 4) / 40), rel_tol=1e-3
    )
