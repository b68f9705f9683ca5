"""Costs of two sides: one start on each proves nothing, and blocks in turn prove what their looks do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from gemma_eval.records import Comparison, Outcome
from gemma_eval.stats.looks import LOOKS
from gemma_eval.stats.paired import Prior
from gemma_eval.stats.percentiles import Percent
from gemma_eval.verdict.sides import Pair
from gemma_eval.verdict.speed import ONLY_BENCHMARKS, UNKNOWN_NOISE, Timing, compare_costs
from tests.verdict import blocks
from tests.verdict.two_sides import scored


def timed(*ttft_s: float | None, case: int = 0) -> tuple[Outcome, ...]:
    """Return the answers to one case with these times to first token."""
    outcome = scored([1.0] * (case + 1))[-1]
    assert outcome.measurement is not None
    return tuple(replace(outcome, measurement=replace(outcome.measurement, ttft_s=each)) for each in ttft_s)


def test_the_ratio_is_that_of_medians_case_by_case() -> None:
    """Twice as long in one case and equal in another is √2 times as long, and so say both values."""
    base = (*timed(0.1, 0.1, 9.0), *timed(0.5, case=1), *timed(7.0, case=2))
    candidate = (*timed(0.2, 0.2, 0.2), *timed(0.5, case=1))
    found = compare_costs(Pair(shared="", base=base, candidate=candidate), "ttft_s", tolerance=0.05)
    assert found is not None
    assert found.difference == pytest.approx(math.log(2) / 2)
    assert found.base == pytest.approx(math.sqrt(0.1 * 0.5))
    assert found.candidate == pytest.approx(math.sqrt(0.2 * 0.5))
    assert found.left_out == ("1 case of the base alone",)
    assert found.margin == pytest.approx(math.log(1.05))


def test_a_thousand_answers_of_one_start_prove_nothing() -> None:
    """However much longer they took."""
    pair = Pair(shared="", base=timed(*[0.1] * 1000), candidate=timed(*[0.9] * 1000))
    found = compare_costs(pair, "ttft_s", tolerance=0.05)
    assert found is not None
    assert (found.n, found.unit, found.low, found.high) == (1, "run", None, None)
    assert (found.verdict, found.lean, found.needed) == ("INCONCLUSIVE", "worse", None)


def test_a_case_that_asks_something_else_has_no_ratio() -> None:
    """A longer prompt is not a slower engine."""
    outcome = timed(0.9)[0]
    case = outcome.trial.cell.case
    longer = replace(case, messages=(replace(case.messages[0], content="word " * 500),))
    cell = replace(outcome.trial.cell, case=longer)
    candidate = (replace(outcome, trial=replace(outcome.trial, cell=cell)),)
    assert (
        compare_costs(Pair(shared="", base=timed(0.1), candidate=candidate), "ttft_s", tolerance=0.05) is None
    )


def test_what_was_not_measured_is_not_compared() -> None:
    """No time on one side, no comparison."""
    assert (
        compare_costs(Pair(shared="", base=timed(None), candidate=timed(0.1)), "ttft_s", tolerance=0.05)
        is None
    )


NOISE = (0.021, -0.013, 0.034, 0.002, -0.027, 0.015, 0.008, -0.019, 0.011, -0.006)


def in_blocks(
    differences: Sequence[float], *, looks: Sequence[int] = LOOKS, prior: Prior | None = None
) -> Comparison:
    """Return what blocks with these log-ratios came to, with a margin of 5 %."""
    timing = Timing(together=True, looks=looks, prior=prior)
    found = compare_costs(blocks.in_turn(differences), "ttft_s", tolerance=0.05, timing=timing)
    assert found is not None
    return found


def level_of(look: int, looks: Sequence[int], alpha: float = 0.05) -> float:
    """Return the level of a look, computed here from the formula of O'Brien and Fleming's spending."""

    def spent(blocks: int) -> float:
        if not blocks:
            return 0.0
        return float(2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(blocks / looks[-1])))

    return spent(look) - spent(([0, *looks])[looks.index(look)])


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "PASS"), (0.05, "INCONCLUSIVE"), (0.15, "REGRESSED")])
def test_one_look_has_the_bounds_of_student(shift: float, verdict: str) -> None:
    """The oracle: SciPy's one-sample t test of the log-ratios, each bound of 5 %."""
    differences = [shift + noise for noise in NOISE]
    found = in_blocks(differences, looks=(10,))
    test = stats.ttest_1samp(differences, math.log(1.05), alternative="greater")
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)
    assert found.p == pytest.approx(test.pvalue)
    assert found.level == pytest.approx(0.05)
    assert (found.verdict, found.unit, found.n) == (verdict, "block", 10)
    assert found.difference == pytest.approx(sum(differences) / 10)
    assert math.log((found.candidate or 0) / (found.base or 0)) == pytest.approx(found.difference)


def test_a_look_has_its_own_level_and_sees_the_blocks_that_were_there() -> None:
    """The first that decides stands: what came after it is not looked at."""
    differences = [0.3 + noise for noise in NOISE[:8]]
    found = in_blocks([*differences, 9.0, -9.0])
    assert (found.n, found.verdict) == (5, "REGRESSED")
    level = level_of(5, LOOKS)
    low, high = stats.ttest_1samp(differences[:5], 0).confidence_interval(1 - 2 * level)
    assert found.level == pytest.approx(level)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


def test_the_p_is_that_of_all_looks() -> None:
    """The oracle: the alpha with which some look would just prove it, found by another method."""
    differences = [0.07 + noise for noise in NOISE]
    found = in_blocks(differences, looks=(5, 8, 10))

    def alpha(look: int) -> float:
        p = float(stats.ttest_1samp(differences[:look], math.log(1.05), alternative="greater").pvalue)

        def missing(each: float) -> float:
            return level_of(look, (5, 8, 10), each) - p

        return float(optimize.brentq(missing, 1e-9, 0.3)) if missing(0.3) > 0 else 1.0

    single = stats.ttest_1samp(differences, math.log(1.05), alternative="greater").pvalue
    assert found.p == pytest.approx(min(map(alpha, (5, 8, 10))), rel=1e-6)
    assert found.p is not None
    assert found.p > single


def test_before_the_first_look_nothing_is_decided() -> None:
    """However large the difference."""
    found = in_blocks([0.9 + noise for noise in NOISE[:4]])
    assert (found.verdict, found.n, found.low, found.p) == ("INCONCLUSIVE", 4, None, None)
    assert (found.lean, found.reason) == ("worse", "it is first looked at after 5 blocks")


def test_earlier_blocks_moderate_the_variance() -> None:
    """By hand: (d0 s0² + (m - 1) s²) / (d0 + m - 1), with as many degrees of freedom."""
    differences, prior = list(NOISE[:5]), Prior(variance=0.01**2, df=12)
    found = in_blocks(differences, looks=(5,), prior=prior)
    variance = (12 * 0.01**2 + 4 * statistics.variance(differences)) / 16
    half = stats.t.isf(0.05, 16) * math.sqrt(variance / 5)
    assert found.high == pytest.approx(statistics.mean(differences) + half)
    assert found.low == pytest.approx(statistics.mean(differences) - half)


def test_two_runs_are_judged_by_what_earlier_runs_differ() -> None:
    """One datum with the prior's degrees of freedom; how many runs would decide is not asked."""
    prior = Prior(variance=0.02**2, df=5.0)
    for ratio, verdict in ((1.2, "REGRESSED"), (1.06, "INCONCLUSIVE"), (0.9, "PASS")):
        pair = Pair(shared="", base=timed(0.1), candidate=timed(0.1 * ratio))
        found = compare_costs(pair, "ttft_s", tolerance=0.05, timing=Timing(prior=prior))
        assert found is not None
        half = stats.t.isf(0.05, 5) * 0.02
        assert found.low == pytest.approx(math.log(ratio) - half)
        assert found.p == pytest.approx(stats.t.sf((math.log(ratio) - math.log(1.05)) / 0.02, 5))
        assert (found.verdict, found.unit, found.needed) == (verdict, "run", None)


def test_what_blocks_in_turn_differ_by_is_no_measure_of_what_was_not_in_blocks() -> None:
    """Sides that share no block differ by more: the first start of each was not made in turn."""
    timing = Timing(together=True, prior=Prior(variance=1e-6, df=12))
    pair = Pair(shared="", base=(blocks.answer(0.1),), candidate=(blocks.answer(0.2),))
    found = compare_costs(pair, "ttft_s", tolerance=0.05, timing=timing)
    assert found is not None
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", UNKNOWN_NOISE)


@pytest.mark.parametrize(("percent", "enough"), [(90, 29), (95, 59), (99, 299)])
@pytest.mark.parametrize("less", [0, 1])
def test_a_percentile_of_too_few_answers_is_refused(percent: Percent, enough: int, less: int) -> None:
    """So many are all below it in one of twenty cases; of fewer no figure is told."""
    assert 1 - (percent / 100) ** enough >= 0.95 > 1 - (percent / 100) ** (enough - 1)
    side = blocks.in_blocks([*([0.1],) * 4, [0.1] * (enough - 4 - less)])
    timing = Timing(together=True, looks=(5,), percentile=percent)
    found = compare_costs(Pair(shared="", base=side, candidate=side), "ttft_s", tolerance=0.05, timing=timing)
    assert found is not None
    if less:
        assert found.reason == f"a p{percent} needs {enough} answers, and there are {enough - 1}"
        assert (found.base, found.candidate, found.difference, found.lean) == (None, None, None, None)
    else:
        assert "needs" not in found.reason


@pytest.mark.parametrize(("metric", "sign"), [("ttft_s", 1), ("output_tokens_per_s", -1)])
def test_a_percentile_is_of_all_answers_and_its_error_of_blocks(metric: str, sign: int) -> None:
    """The oracles: NumPy's percentile, and a bootstrap of blocks drawn here from other random numbers."""
    random = np.random.default_rng(7)
    base = np.exp(random.normal(0, 0.2, (12, 20)) + random.normal(0, 0.05, (12, 1)))
    candidate = 1.5 * np.exp(random.normal(0, 0.2, (12, 20)) + random.normal(0, 0.05, (12, 1)))
    pair = Pair(
        shared="",
        base=blocks.in_blocks(base.tolist(), metric=metric),
        candidate=blocks.in_blocks(candidate.tolist(), metric=metric),
    )
    timing = Timing(together=True, looks=(12,), percentile=95)
    found = compare_costs(pair, metric, tolerance=0.05, timing=timing)
    assert found is not None
    assert found.base == pytest.approx(np.percentile(base, 95))
    assert found.candidate == pytest.approx(np.percentile(candidate, 95))
    ratio = math.log(np.percentile(candidate, 95) / np.percentile(base, 95))
    assert found.difference == pytest.approx(sign * ratio)
    assert found.verdict == ("REGRESSED" if sign > 0 else "PASS")
    drawn = []
    for _ in range(4000):
        at = random.integers(12, size=12)
        drawn.append(math.log(np.percentile(candidate[at], 95) / np.percentile(base[at], 95)))
    half = stats.t.isf(0.05, 11) * np.std(drawn, ddof=1) * math.sqrt(12 / 11)
    assert found.high is not None
    assert found.high - sign * ratio == pytest.approx(half, rel=0.1)
    assert found.p is not None
    assert (found.p < 0.05) == (sign > 0)


def test_the_p_of_a_percentile_is_that_of_all_looks() -> None:
    """The p of its look, times what 5 % are of the level of that look: 0.05 just where it decides."""
    random = np.random.default_rng(5)
    base, candidate = (np.exp(random.normal(by, 0.15, (13, 20))) for by in (0.0, 0.12))
    pair = Pair(
        shared="",
        base=blocks.in_blocks(base.tolist()),
        candidate=blocks.in_blocks(candidate.tolist()),
    )
    timing = Timing(together=True, percentile=90)
    found = compare_costs(pair, "ttft_s", tolerance=0.05, timing=timing)
    assert found is not None
    assert found.difference is not None
    assert found.high is not None
    level = level_of(12, LOOKS)
    se = (found.high - found.difference) / stats.t.isf(level, 11)
    alone = stats.t.sf((found.difference - math.log(1.05)) / se, 11)
    ratio = math.log(np.percentile(candidate[:12], 90) / np.percentile(base[:12], 90))
    assert found.difference == pytest.approx(ratio)
    assert found.level == pytest.approx(level)
    assert found.p == pytest.approx(alone * 0.05 / level)
    assert 0.0 < alone * 0.05 / level < 1.0


def test_a_percentile_of_two_runs_by_themselves_proves_nothing() -> None:
    """Its figures are told, and that two starts are no data."""
    side = timed(*[0.1] * 59)
    timing = Timing(percentile=95, prior=Prior(variance=1e-4, df=9))
    found = compare_costs(
        Pair(shared="", base=side, candidate=timed(*[0.2] * 59)), "ttft_s", tolerance=0.05, timing=timing
    )
    assert found is not None
    assert (found.base, found.candidate) == (0.1, 0.2)
    assert (found.verdict, found.lean, found.reason) == ("INCONCLUSIVE", "worse", UNKNOWN_NOISE)


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.7, "REGRESSED"), (0.0, "PASS"), (math.log(1.05), "INCONCLUSIVE")]
)
def test_blocks_that_are_all_equal_are_judged_by_their_signs(by: float, verdict: str) -> None:
    """As of memory. Twelve equal ones have p = 2^-12 and the look 0.0095; of eight 2^-8 is above 0.0019."""
    few, enough = in_blocks([by] * 8), in_blocks([by] * 12)
    assert level_of(8, LOOKS) < 0.5**8
    assert level_of(12, LOOKS) > 0.5**12
    assert (few.verdict, few.n, few.p) == ("INCONCLUSIVE", 8, 1.0)
    assert few.needed == 9
    if by == math.log(1.05):
        return
    assert (enough.verdict, enough.n) == (verdict, 12)
    assert enough.low == enough.high == pytest.approx(by)
    sign = stats.binomtest(12, 12, 0.5, alternative="greater").pvalue
    expected = sign * 0.05 / level_of(12, LOOKS) if by else 1.0
    assert enough.p == pytest.approx(expected)
    assert in_blocks([by] * 5, looks=(5,)).verdict == verdict  # 2^-5 is below 0.05


def test_what_the_candidate_lacks_keeps_it_from_passing_and_not_from_regressing() -> None:
    """An answer that never came may have been the slowest."""
    for shift, verdict in ((0.0, "INCONCLUSIVE"), (0.5, "REGRESSED")):
        pair = blocks.in_turn([shift + noise for noise in NOISE])
        lost = blocks.in_blocks([0.1] * 10, case="b")
        timing = Timing(together=True, looks=(10,))
        with_lost = replace(pair, base=(*pair.base, *lost))
        found = compare_costs(with_lost, "ttft_s", tolerance=0.05, timing=timing)
        assert found is not None
        assert found.verdict == verdict
    whole = compare_costs(blocks.in_turn(NOISE), "ttft_s", tolerance=0.05, timing=timing)
    assert whole is not None
    assert whole.verdict == "PASS"


@given(
    st.lists(st.floats(-0.3, 0.3), min_size=5, max_size=20),
    st.floats(-0.3, math.log(1.05)),
    st.floats(1.0, 50.0),
)
def test_more_noise_about_the_same_difference_never_makes_a_pass(
    residuals: list[float], middle: float, by: float
) -> None:
    """At every look, and with a difference that may be."""
    center = math.fsum(residuals) / len(residuals)
    noise = [each - center for each in residuals]
    assume(max(map(abs, noise)) > 1e-6)
    assume(len(set(noise[:5])) > 1)
    one = in_blocks([middle + each for each in noise])
    more = in_blocks([middle + by * each for each in noise])
    assert one.verdict == "PASS" or more.verdict != "PASS"


Sides = tuple[tuple[Outcome, ...], tuple[Outcome, ...]]


def of_two_cases(differences: Sequence[float], *, repeats: int = 1) -> Sides:
    """Return two sides in turn of two cases of which one, the last answers, is the same on both."""
    pair = blocks.in_turn(differences)
    second = blocks.in_blocks([[0.2] * repeats] * len(differences), case="b")
    return (*pair.base, *second), (*pair.candidate, *second)


def judged(base: Sequence[Outcome], candidate: Sequence[Outcome], **timing: object) -> Comparison | None:
    """Return what two sides in turn came to, with a margin of 5 %."""
    how: Timing = replace(Timing(together=True), **timing)  # type: ignore[arg-type]
    pair = Pair(shared="", base=tuple(base), candidate=tuple(candidate))
    return compare_costs(pair, "ttft_s", tolerance=0.05, timing=how)


def without(side: Sequence[Outcome], at: int, *, is_gone: bool) -> tuple[Outcome, ...]:
    """Return a side without one answer, which is not there or failed."""
    return (*side[:at], *(() if is_gone else (blocks.failed(side[at]),)), *side[at + 1 :])


RESIDUALS = st.floats(-0.02, 0.02)
DIFFERENCES = st.lists(st.floats(-0.2, 0.2), min_size=5, max_size=14) | st.builds(
    lambda before, after, first, then: [*(before + each for each in first), *(after + each for each in then)],
    st.floats(0.2, 0.9),
    st.floats(-0.9, -0.3),
    st.lists(RESIDUALS, min_size=5, max_size=5),
    st.lists(RESIDUALS, min_size=10, max_size=15),
)
"""Any, and such as are worse up to the first look and better after it."""


@given(DIFFERENCES, st.data(), st.booleans())
def test_losing_an_answer_of_the_candidate_never_makes_a_pass(
    differences: list[float], data: st.DataObject, is_gone: bool
) -> None:
    """Whether it failed or is not there; what was decided before stands."""
    base, candidate = of_two_cases(differences)
    at = data.draw(st.integers(0, len(candidate) - 1))
    whole = judged(base, candidate)
    found = judged(base, without(candidate, at, is_gone=is_gone))
    assert whole is not None
    assert found is not None
    if candidate[at].trial.block > whole.n and whole.verdict != "INCONCLUSIVE":
        assert (found.verdict, found.n) == (whole.verdict, whole.n)
    else:
        assert found.verdict != "PASS"


@settings(max_examples=100)
@given(
    DIFFERENCES,
    st.data(),
    st.booleans(),
    st.sampled_from([1, 2]),
    st.sampled_from([LOOKS, (5, 15), (2, 4, 6), (9,)]),
    st.sampled_from([None, Prior(variance=4e-4, df=12)]),
)
def test_losing_an_answer_of_either_side_never_makes_a_pass_of_a_regression(
    differences: list[float],
    data: st.DataObject,
    is_gone: bool,
    repeats: int,
    looks: Sequence[int],
    prior: Prior | None,
) -> None:
    """Not even where other blocks are then looked at."""
    sides = list(of_two_cases(differences, repeats=repeats))
    whole = judged(*sides, looks=looks, prior=prior)
    side = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(sides[side]) - 1))
    sides[side] = without(sides[side], at, is_gone=is_gone and repeats == 1)
    found = judged(*sides, looks=looks, prior=prior)
    assert whole is not None
    assert whole.verdict != "REGRESSED" or found is None or found.verdict != "PASS"


STEADY = [0.3 + noise for noise in NOISE] + [0.3 - noise for noise in NOISE]


def test_one_failed_answer_of_the_base_does_not_undo_a_regression() -> None:
    """Though the other case, that came every time, is as fast as it was."""
    half = [each / 2 for each in STEADY]
    base, candidate = of_two_cases(STEADY)
    whole = judged(base, candidate)
    assert whole is not None
    assert (whole.verdict, whole.n) == ("REGRESSED", 5)
    assert whole.difference == pytest.approx(statistics.mean(half[:5]))
    later, sooner = (judged(without(base, at, is_gone=False), candidate) for at in (14, 2))
    assert later == whole
    assert sooner is not None
    assert (sooner.verdict, sooner.n) == ("REGRESSED", 5)
    assert sooner.difference == pytest.approx(statistics.mean([*half[:2], *half[3:6]]))
    assert sooner.left_out == ("1 block in which an answer failed or has no value",)


def test_one_case_that_fails_once_still_has_a_verdict() -> None:
    """It is the only one there is."""
    pair = blocks.in_turn(STEADY)
    for sides in ((without(pair.base, 2, is_gone=False), pair.candidate), (pair.base, pair.candidate[1:])):
        found = judged(*sides)
        assert found is not None
        assert (found.verdict, found.n) == ("REGRESSED", 5)


def test_a_failed_answer_of_the_base_keeps_only_that_from_passing_which_it_might_have_proved_worse() -> None:
    """Blocks as fast as before pass without it; of some that were slower at first it is not known."""
    for differences, verdict in ((NOISE, "PASS"), ([*STEADY[:5], *[-0.9] * 5], "INCONCLUSIVE")):
        pair = blocks.in_turn(differences)
        found = judged(without(pair.base, 2, is_gone=False), pair.candidate, looks=(5, 9))
        assert found is not None
        assert found.verdict == verdict


def test_what_equal_blocks_proved_stands_when_others_follow() -> None:
    """As of memory."""
    found = in_blocks([0.7] * 12 + [-0.9, 0.4, -0.8, 0.1])
    assert (found.verdict, found.n) == ("REGRESSED", 12)


def test_a_percentile_that_a_look_proved_stands_when_others_follow() -> None:
    """Its answers are those that the look saw."""
    random = np.random.default_rng(3)
    base = np.exp(random.normal(0, 0.05, (16, 20)))
    candidate = np.exp(random.normal(0.5, 0.05, (16, 20)))
    candidate[12:] *= 0.1
    sides = (blocks.in_blocks(base.tolist()), blocks.in_blocks(candidate.tolist()))
    found = judged(*sides, percentile=90)
    assert found is not None
    assert found.verdict == "REGRESSED"
    assert found.n <= 12
    assert found.candidate == pytest.approx(np.percentile(candidate[: found.n], 90))


def test_both_values_are_of_the_blocks_that_the_look_saw() -> None:
    """As their ratio is."""
    pair = blocks.in_turn([0.3 + noise for noise in NOISE] + [5.0] * 2)
    found = judged(pair.base, pair.candidate)
    assert found is not None
    assert found.n == 5
    first = [each.measurement.ttft_s or 0.0 for each in pair.candidate[:5] if each.measurement]
    assert found.candidate == pytest.approx(statistics.geometric_mean(first))
    assert math.log((found.candidate or 0) / (found.base or 1)) == pytest.approx(found.difference)


@pytest.mark.parametrize("percent", [None, 95])
def test_only_benchmarks_are_measured_in_blocks(percent: Percent | None) -> None:
    """So others are never decided there, and are told to be none."""
    quality = tuple(blocks.answer(0.1, kind="quality") for _ in range(2))
    found = judged(quality, quality, percentile=percent)
    assert found is not None
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", ONLY_BENCHMARKS)
    timed_ones = (blocks.answer(0.1),)
    before = judged(timed_ones, timed_ones)
    assert before is not None
    assert before.reason == UNKNOWN_NOISE


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3])
def test_every_verdict_of_a_spread_says_what_it_would_find(shift: float) -> None:
    """The oracle: the quantiles of SciPy."""
    found = in_blocks([shift + noise for noise in NOISE], looks=(10,))
    far = stats.t.isf(0.05, 9) + stats.t.ppf(0.8, 9)
    sd = statistics.stdev(NOISE)
    assert found.detectable == pytest.approx(math.log(1.05) + far * sd / math.sqrt(10))
