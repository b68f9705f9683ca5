"""Other tools take the samples of one start for data, and call the same code slower; a gate does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gemma_eval.stats.looks import LOOKS
from tests.statistics.peers import (
    RULES,
    SAMPLES,
    WITHIN,
    Measured,
    asv,
    benchstat,
    criterion,
    in_turns,
    ours,
    pyperf,
    pytest_benchmark,
    runs_apart,
    slower,
)
from tests.statistics.simulated import Array

RUNS = 2000
NOISES = (0.01, 0.03, 0.08)
CALM = np.array([1.000, 1.001, 0.999, 1.002, 0.998, 1.003, 0.997, 1.004, 0.996, 1.0005])

# Bands of the share of comparisons that are called slower: at no change, and at a tenth slower.
BANDS = {
    ("pytest-benchmark", 0.01): ((0.0, 0.02), (0.97, 1.0)),
    ("pytest-benchmark", 0.03): ((0.10, 0.17), (0.82, 0.90)),
    ("pytest-benchmark", 0.08): ((0.30, 0.38), (0.62, 0.70)),
    ("pyperf", 0.01): ((0.10, 0.20), (0.98, 1.0)),
    ("pyperf", 0.03): ((0.28, 0.40), (0.92, 0.98)),
    ("pyperf", 0.08): ((0.41, 0.48), (0.71, 0.79)),
    ("benchstat", 0.01): ((0.09, 0.22), (0.98, 1.0)),
    ("benchstat", 0.03): ((0.29, 0.41), (0.93, 0.99)),
    ("benchstat", 0.08): ((0.41, 0.49), (0.72, 0.79)),
    ("criterion", 0.01): ((0.04, 0.11), (0.97, 1.0)),
    ("criterion", 0.03): ((0.23, 0.34), (0.91, 0.97)),
    ("criterion", 0.08): ((0.38, 0.46), (0.70, 0.77)),
    ("asv", 0.01): ((0.0, 0.01), (0.45, 0.56)),
    ("asv", 0.03): ((0.0, 0.03), (0.46, 0.57)),
    ("asv", 0.08): ((0.17, 0.25), (0.46, 0.56)),
}


def side(*rows: Array) -> Array:
    """Return the samples of a side, a comparison in each row."""
    return np.stack(rows)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (pytest_benchmark, [False, False, True, True]),
        (pyperf, [False, True, True, True]),
        (benchstat, [False, True, True, True]),
        (criterion, [False, True, True, True]),
        (asv, [False, False, False, True]),
    ],
)
def test_each_rule_has_its_own_threshold(rule: object, expected: list[bool]) -> None:
    """Times that differ by thousandths, and are 0, 3, 8 and 20 % longer; shorter ones are never slower."""
    assert callable(rule)
    base = side(CALM, CALM, CALM, CALM)
    candidate = side(CALM, 1.03 * CALM, 1.08 * CALM, 1.2 * CALM)
    assert rule(base, candidate).tolist() == expected
    assert not rule(candidate, base).any()


def test_a_t_test_with_drawn_quantiles_is_near_that_of_student() -> None:
    """Criterion's draws agree with Welch's p on which of 400 differences are significant, but for few."""
    random = np.random.default_rng(5)
    base, candidate = 1 + 0.02 * random.normal(size=(2, 400, SAMPLES))
    candidate = candidate + 0.02
    found = stats.ttest_ind(candidate, base, axis=1, equal_var=False)
    least = found.confidence_interval(0.95).low
    student = (found.pvalue < 0.05) & (least > 0.01)
    # Ten values drawn anew spread less than ten values, by √(9 / 10), so a few more lie above.
    assert float(np.mean(criterion(base, candidate) != student)) < 0.06


def foretold(threshold: float, change: float, sd: float) -> float:
    """Return how often a ratio of two starts is above a threshold, taking their noise for normal."""
    spread = (2 * (sd**2 + WITHIN**2 / SAMPLES)) ** 0.5
    return float(stats.norm.sf((np.log(threshold) - np.log1p(change)) / spread))


@pytest.mark.parametrize(("change", "sd"), [(0.0, 0.03), (0.0, 0.08), (0.1, 0.03), (0.1, 0.08)])
def test_a_threshold_is_passed_as_often_as_theory_foretells(change: float, sd: float) -> None:
    """To 2.5 points; a threshold of another percent, planted, is further off where starts differ by 3 %."""
    found = slower("pytest-benchmark", runs_apart(change=change, sd=sd, runs=RUNS))
    assert found == pytest.approx(foretold(1.05, change, sd), abs=0.025)
    if sd < 0.05:
        assert abs(found - foretold(1.04, change, sd)) > 0.025


def same_data(change: float, runs: int) -> tuple[Measured, Measured]:
    """Return runs apart and starts in turns of a machine of which starts differ by 3 %."""
    return runs_apart(change=change, sd=0.03, runs=runs), in_turns(change=change, sd=0.03, runs=runs)


def test_what_a_start_shares_is_no_proof_for_a_gate_and_is_for_others() -> None:
    """The same code on both sides, 200 times."""
    apart, turns = same_data(0.0, 200)
    assert slower("benchstat", apart) > 0.25
    assert slower("pyperf", apart) > 0.25
    assert ours(turns).regressed == 0
    assert ours(turns).passed >= 0.98


def test_a_gate_finds_a_tenth() -> None:
    """It is passed in none."""
    _, turns = same_data(0.1, 200)
    assert ours(turns).regressed >= 0.98
    assert ours(turns).passed == 0


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "sd"), list(BANDS))
def test_other_rules_call_the_same_code_slower(rule: str, sd: float) -> None:
    """As often as starts of an engine differ, whatever the test; asv's tenth is found half of the time."""
    for change, (low, high) in zip((0.0, 0.1), BANDS[rule, sd], strict=True):
        assert low <= slower(rule, runs_apart(change=change, sd=sd, runs=RUNS)) <= high


@pytest.mark.slow
@pytest.mark.parametrize("sd", NOISES)
def test_a_gate_of_starts_in_turns_calls_none_slower(sd: float) -> None:
    """And finds a tenth in at least 99 %, at the cost of seven to twelve starts a side."""
    same, at_margin, longer = (ours(in_turns(change=change, sd=sd, runs=RUNS)) for change in (0.0, 0.05, 0.1))
    assert same.regressed <= 0.001
    assert same.passed >= 0.99
    assert max(at_margin.regressed, at_margin.passed) <= 0.05
    assert longer.regressed >= 0.99
    assert longer.passed <= 0.001
    assert max(same.blocks, longer.blocks) < 13 < max(LOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("sd", NOISES)
def test_starts_that_share_nothing_leave_a_gate_open_and_do_not_mislead_it(sd: float) -> None:
    """What starts in turns share is no assumption of the rule."""
    same, at_margin, longer = (
        ours(in_turns(change=change, sd=sd, runs=RUNS, own=1.0)) for change in (0.0, 0.05, 0.1)
    )
    assert same.regressed <= 0.005
    assert longer.passed <= 0.005
    assert max(at_margin.regressed, at_margin.passed) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("rule", list(RULES))
def test_other_rules_err_seldom_too_where_starts_are_the_samples(rule: str) -> None:
    """It is the datum that makes the difference: means of ten starts a side, in turns."""
    assert all(slower(rule, in_turns(change=0.0, sd=sd, runs=RUNS)) <= 0.01 for sd in NOISES)
