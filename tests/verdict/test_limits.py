"""What a side may be whatever the base has: exact bounds of shares, and those of Student over blocks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from gemma_eval.records import Comparison, Failure
from gemma_eval.verdict.limits import ONE_BLOCK, cost_limit, score_limit, unscored_limit
from tests.verdict import blocks
from tests.verdict.two_sides import Scores, scored

NOISE = (0.021, -0.013, 0.034, 0.002, -0.027, 0.015, 0.008, -0.019, 0.011, -0.006)


def of_scores(scores: Scores, limit: float, *, cluster: Sequence[str] = ()) -> Comparison:
    """Return how these scores stand to a limit."""
    found = score_limit(scored(scores, cluster=cluster), limit, shared="greedy")
    assert found is not None
    return found


def of_costs(
    values: blocks.Values, limit: float, metric: str = "ttft_s", *, looks: Sequence[int] | None = None
) -> Comparison:
    """Return how the costs of blocks stand to a limit."""
    side = blocks.in_blocks(values, metric=metric)
    found = cost_limit(side, metric, limit, shared="greedy", looks=looks)
    assert found is not None
    return found


@pytest.mark.parametrize("right", [0, 1, 30, 45, 54, 59, 60])
@pytest.mark.parametrize("limit", [0.0, 0.6, 0.85, 1.0])
def test_right_and_wrong_answers_have_the_bounds_of_clopper_and_pearson(right: int, limit: float) -> None:
    """The oracles: statsmodels' interval of 90 %, each end of which has 5 %, and SciPy's binomial test."""
    found = of_scores([1.0] * right + [0.0] * (60 - right), limit)
    low, high = proportion_confint(right, 60, alpha=0.1, method="beta")
    low, high = (0.0 if right == 0 else low), (1.0 if right == 60 else high)
    assert found.low == pytest.approx(limit - high)
    assert found.high == pytest.approx(limit - low)
    assert found.p == pytest.approx(stats.binomtest(right, 60, limit, alternative="less").pvalue)
    expected = "PASS" if low > limit else "REGRESSED" if high < limit else "INCONCLUSIVE"
    assert (found.verdict, found.unit, found.n) == (expected, "case", 60)
    assert (found.base, found.margin) == (limit, 0.0)
    assert found.difference == pytest.approx(limit - right / 60)


def test_graded_scores_have_the_bounds_of_a_mean() -> None:
    """The oracle: SciPy's one-sample t test."""
    scores = [((index * 37) % 100) / 100 for index in range(40)]
    found = of_scores(scores, 0.9)
    test = stats.ttest_1samp([0.9 - score for score in scores], 0, alternative="greater")
    low, high = stats.ttest_1samp([0.9 - score for score in scores], 0).confidence_interval(0.9)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)
    assert found.p == pytest.approx(test.pvalue)
    assert found.verdict == "REGRESSED"
    assert of_scores(scores, 0.3).verdict == "PASS"
    assert of_scores(scores, 0.5).lean == "worse"


def test_cases_of_one_cluster_are_one_datum_of_a_limit() -> None:
    """Though they are right and wrong."""
    found = of_scores([1.0, 0.0] * 20, 0.5, cluster=[f"d{index % 4}" for index in range(40)])
    assert (found.n, found.unit) == (4, "cluster")


def test_a_case_without_a_score_keeps_a_limit_from_passing() -> None:
    """And is told; of no score at all nothing is known."""
    assert of_scores([1.0] * 100, 0.9).verdict == "PASS"
    found = of_scores([*[1.0] * 100, None], 0.9)
    assert (found.verdict, found.left_out) == ("INCONCLUSIVE", ("1 case without a score",))
    assert found.reason == "there is no score of 1 case, so nothing can pass"
    assert of_scores([*[0.0] * 100, None], 0.9).verdict == "REGRESSED"
    nothing = of_scores([None, None], 0.9)
    assert (nothing.verdict, nothing.n, nothing.reason) == ("INCONCLUSIVE", 0, "no case has a score")
    assert score_limit(blocks.in_blocks([0.1]), 0.9, shared="") is not None  # it has checks, and no score


@pytest.mark.parametrize(("metric", "sign"), [("ttft_s", 1), ("output_tokens_per_s", -1)])
@pytest.mark.parametrize(("shift", "verdict"), [(-0.1, "PASS"), (0.0, "INCONCLUSIVE"), (0.1, "REGRESSED")])
def test_blocks_have_the_bounds_of_student_about_a_limit(
    metric: str, sign: int, shift: float, verdict: str
) -> None:
    """The oracle: SciPy's t test of logarithms; of a rate less is worse."""
    found = of_costs([2.0 * math.exp(sign * (shift + noise)) for noise in NOISE], 2.0, metric)
    data = [shift + noise for noise in NOISE]
    low, high = stats.ttest_1samp(data, 0).confidence_interval(0.9)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)
    assert found.p == pytest.approx(stats.ttest_1samp(data, 0, alternative="greater").pvalue)
    assert (found.verdict, found.unit, found.n, found.base) == (verdict, "block", 10, 2.0)
    assert found.candidate == pytest.approx(2.0 * math.exp(sign * statistics.mean(data)))
    assert found.difference == pytest.approx(statistics.mean(data))


def test_blocks_that_end_when_a_limit_is_decided_are_looked_at_with_the_levels_of_looks() -> None:
    """Else five looks at 5 % would err in 13 %: what passes at once need not pass as the first of looks."""
    values = [2.0 * math.exp(-0.03 + noise) for noise in NOISE[:5]]
    assert of_costs(values, 2.0).verdict == "PASS"
    found = of_costs(values, 2.0, looks=(5, 8, 10))
    assert found.verdict == "INCONCLUSIVE"
    assert found.level < 0.01
    half = stats.t.isf(found.level, 4) * stats.sem([math.log(value / 2) for value in values])
    assert found.high == pytest.approx(statistics.mean(math.log(value / 2) for value in values) + half)
    assert of_costs(values[:4], 2.0, looks=(5, 8)).reason == "it is first looked at after 5 blocks"


def test_one_start_of_an_engine_proves_nothing_about_a_limit() -> None:
    """However many answers it gave, in a block or in the session."""
    for first in (0, 1):
        side = blocks.in_blocks([[0.1] * 400], first=first)
        for percent in (None, 95):
            found = cost_limit(side, "ttft_s", 9.0, shared="", percent=percent)
            assert found is not None
            assert (found.verdict, found.n, found.reason) == ("INCONCLUSIVE", 1, ONE_BLOCK)
            assert found.candidate == pytest.approx(0.1)
            assert found.difference == pytest.approx(math.log(0.1 / 9))


@pytest.mark.parametrize(("metric", "sign"), [("ttft_s", 1), ("output_tokens_per_s", -1)])
def test_a_percentile_stands_to_its_limit_with_the_error_of_blocks(metric: str, sign: int) -> None:
    """The oracles: NumPy's percentile, and a bootstrap drawn here from other random numbers."""
    random = np.random.default_rng(3)
    values = np.exp(random.normal(0, 0.2, (12, 20)) + random.normal(0, 0.05, (12, 1)))
    side = blocks.in_blocks(values.tolist(), metric=metric)
    found = cost_limit(side, metric, 1.0, shared="", percent=95)
    assert found is not None
    assert found.candidate == pytest.approx(np.percentile(values, 95))
    center = sign * math.log(np.percentile(values, 95))
    drawn = [math.log(np.percentile(values[random.integers(12, size=12)], 95)) for _ in range(4000)]
    half = stats.t.isf(0.05, 11) * np.std(drawn, ddof=1) * math.sqrt(12 / 11)
    assert found.difference == pytest.approx(center)
    assert found.low == pytest.approx(center - half, rel=0.1)
    assert found.verdict == ("REGRESSED" if sign > 0 else "PASS")


def test_a_percentile_of_too_few_answers_is_refused_whatever_they_are() -> None:
    """With 58 answers of 59."""
    side = blocks.in_blocks([[0.1] * 29] * 2)
    found = cost_limit(side, "ttft_s", 1.0, shared="", percent=95)
    assert found is not None
    assert (found.candidate, found.verdict) == (None, "INCONCLUSIVE")
    assert found.reason == "a p95 needs 59 answers, and there are 58"


def test_an_answer_that_failed_keeps_a_limit_from_passing() -> None:
    """It may have been the slowest; where all failed that is told, and what was never measured is nothing."""
    side = blocks.in_blocks([[0.1, 0.1 * math.exp(noise)] for noise in NOISE])
    whole = cost_limit(side, "ttft_s", 1.0, shared="")
    lost = cost_limit((*side[:-1], blocks.failed(side[-1])), "ttft_s", 1.0, shared="")
    assert whole is not None
    assert lost is not None
    assert (whole.verdict, lost.verdict) == ("PASS", "INCONCLUSIVE")
    assert lost.reason == "1 answer failed and may have been the worst, so nothing can pass"
    nothing = cost_limit([blocks.failed(each) for each in side], "ttft_s", 1.0, shared="")
    assert nothing is not None
    assert (nothing.verdict, nothing.reason) == ("INCONCLUSIVE", "no answer has a value")
    assert cost_limit(side, "tpot_s", 1.0, shared="") is None


def test_equal_blocks_are_judged_by_their_signs_against_a_limit() -> None:
    """Five of them have 2^-5, which is below 5 %, and four have not."""
    for value, verdict in ((100, "PASS"), (300, "REGRESSED")):
        found = of_costs([value] * 5, 200, "peak_memory_bytes")
        assert found.verdict == verdict
        assert found.low == found.high == pytest.approx(math.log(value / 200))
        assert of_costs([value] * 4, 200, "peak_memory_bytes").verdict == "INCONCLUSIVE"


def test_how_many_blocks_would_decide_is_told_where_they_do_not() -> None:
    """By the formula of power: of the difference that was found, which has no margin to be a quarter of."""
    values = [2.0 * math.exp(0.005 + noise) for noise in NOISE]
    found = of_costs(values, 2.0)
    assert found.needed is not None
    sd = statistics.stdev(math.log(value) for value in values)
    mean = statistics.mean(math.log(value / 2) for value in values)

    def finds(n: int) -> bool:
        return bool((stats.t.ppf(0.95, n - 1) + stats.t.ppf(0.8, n - 1)) * sd <= abs(mean) * math.sqrt(n))

    assert finds(found.needed)
    assert not finds(found.needed - 1)


@given(st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=12), st.floats(-0.3, 0.0), st.floats(1.0, 50.0))
def test_more_noise_never_makes_a_limit_pass(residuals: list[float], middle: float, by: float) -> None:
    """About a value that may be."""
    center = math.fsum(residuals) / len(residuals)
    noise = [each - center for each in residuals]
    assume(max(map(abs, noise)) > 1e-6)
    one = of_costs([math.exp(middle + each) for each in noise], 1.0)
    more = of_costs([math.exp(middle + by * each) for each in noise], 1.0)
    assert one.verdict == "PASS" or more.verdict != "PASS"


@given(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=1, max_size=60), st.floats(0, 1), st.data())
def test_losing_a_score_never_makes_a_limit_pass(
    scores: list[float | None], limit: float, data: st.DataObject
) -> None:
    """Not even a wrong one."""
    at = data.draw(st.integers(0, len(scores) - 1))
    assert of_scores([*scores[:at], None, *scores[at + 1 :]], limit).verdict != "PASS"


@pytest.mark.parametrize("right", [30, 45, 54, 60])
def test_a_limit_of_right_answers_says_what_it_would_find(right: int) -> None:
    """The oracle: SciPy's binomial distribution, of the most right answers that prove it."""
    limit = 0.85
    found = of_scores([1.0] * right + [0.0] * (60 - right), limit)
    most = max(each for each in range(61) if stats.binom.cdf(each, 60, limit) < 0.05)
    assert found.detectable is not None
    assert stats.binom.cdf(most, 60, limit - found.detectable) == pytest.approx(0.8)
    assert found.needed is None or found.verdict == "INCONCLUSIVE"


def test_how_many_right_answers_would_decide_is_told() -> None:
    """All of ten are right: so many more would prove that at least 90 % are, by (9 / 10)^n."""
    found = of_scores([1.0] * 10, 0.9)
    assert (found.verdict, found.needed) == ("INCONCLUSIVE", 29)
    assert 0.9**29 < 0.05 < 0.9**28
    some = of_scores([1.0] * 54 + [0.0] * 6, 0.85)
    assert some.verdict == "INCONCLUSIVE"
    assert some.needed is not None
    chance = stats.binom.sf(
        stats.binom.isf(0.05, some.needed, 0.85), some.needed, 0.9
    )  # as many right as prove it
    assert chance == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.3])
def test_every_verdict_about_a_limit_says_what_it_would_find(shift: float) -> None:
    """The oracle: the quantiles of SciPy."""
    found = of_costs([math.exp(shift + noise) for noise in NOISE], 1.0)
    far = stats.t.isf(0.05, 9) + stats.t.ppf(0.8, 9)
    assert found.detectable == pytest.approx(far * statistics.stdev(NOISE) / math.sqrt(10))


def test_the_cost_that_is_held_against_a_limit_is_of_the_blocks_that_the_look_saw() -> None:
    """As its difference is."""
    values = [0.5 * math.exp(noise) for noise in NOISE]
    found = of_costs([*values, 7.0, 7.0], 1.0, looks=(5, 8, 12))
    assert (found.n, found.verdict) == (5, "PASS")
    assert found.candidate == pytest.approx(statistics.geometric_mean(values[:5]))
    assert found.difference == pytest.approx(math.log(found.candidate or 1.0))


@pytest.mark.parametrize("unscored", [0, 1, 6, 30])
@pytest.mark.parametrize("limit", [0.0, 0.05, 0.3])
def test_the_unscored_share_has_exact_bounds_above_its_limit(unscored: int, limit: float) -> None:
    """The oracle is statsmodels again; more than the limit is worse, and the limit itself is shown."""
    side = scored([None] * unscored + [1.0] * (60 - unscored))
    found = unscored_limit(side, limit, shared="greedy")
    assert found is not None
    low, high = proportion_confint(unscored, 60, alpha=0.1, method="beta")
    low, high = (0.0 if unscored == 0 else low), (1.0 if unscored == 60 else high)
    assert found.low == pytest.approx(low - limit)
    assert found.high == pytest.approx(high - limit)
    assert found.base == limit
    assert found.candidate == pytest.approx(unscored / 60)
    assert found.difference == pytest.approx(unscored / 60 - limit)
    expected = "PASS" if high < limit else "REGRESSED" if low > limit else "INCONCLUSIVE"
    assert (found.metric, found.verdict, found.n) == ("unscored", expected, 60)


def test_the_unscored_share_of_a_case_is_that_of_its_answers_and_failures_are_none() -> None:
    """One of two answers, a case without answers, and no case with checks."""
    side = scored([(1.0, None), (1.0, 1.0)])
    found = unscored_limit(side, 0.5, shared="greedy")
    assert found is not None
    assert (found.candidate, found.n) == (0.25, 2)
    failed = tuple(replace(each, failure=Failure(kind="backend", message="gone")) for each in side)
    assert unscored_limit(failed, 0.5, shared="greedy") is None
