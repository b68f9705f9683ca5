"""What can be found and what would decide agree with published figures, and with simulated decisions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.stats.paired import bounds, paired
from gemma_eval.stats.power import change, deciding, detectable, discordant_sd, log_margin

Detect = Callable[[float, int], float]

# Miller 2024, section 5: right in 60 % on both sides, correlated by 0.5, two-sided 5 %, power 80 %.
MILLER = ((100, 0.137), (200, 0.097), (500, 0.061), (1000, 0.043), (2000, 0.031))
MILLER_SD = math.sqrt(2 * 0.6 * 0.4 * (1 - 0.5))


def by_normal(sd: float, n: int) -> float:
    """Return what can be found where the deviation is known, two-sided at 5 %."""
    return detectable(sd, n, level=0.025, df=math.inf)


def miller_holds(detect: Detect) -> bool:
    """Say whether the effects that can be found are his to a tenth of a point."""
    return all(abs(detect(MILLER_SD, n) - effect) <= 5.01e-4 for n, effect in MILLER)


def test_what_can_be_found_is_as_published() -> None:
    """From 100 to 2,000 questions."""
    assert miller_holds(by_normal)


def test_the_published_figures_catch_planted_errors() -> None:
    """A one-sided level, no power, and the deviation of unpaired answers fail them."""
    assert not miller_holds(lambda sd, n: detectable(sd, n, level=0.05, df=math.inf))
    assert not miller_holds(lambda sd, n: detectable(sd, n, level=0.025, power=0.5, df=math.inf))
    assert not miller_holds(lambda sd, n: by_normal(sd * math.sqrt(2), n))


@pytest.mark.parametrize(("n", "points"), [(100, 7.9), (1000, 2.5)])
def test_a_tenth_of_discordant_answers_hides_so_many_points(n: int, points: float) -> None:
    """One-sided at 5 %."""
    found = detectable(discordant_sd(0.1), n, level=0.05, df=math.inf)
    assert 100 * found == pytest.approx(points, abs=0.05)


def test_a_margin_is_added_to_what_can_be_found() -> None:
    """What is worse than the margin has to be so much beyond it."""
    alone = detectable(0.02, 10, level=0.05)
    assert detectable(0.02, 10, level=0.05, margin=0.05) == pytest.approx(0.05 + alone)
    assert alone > detectable(0.02, 10, level=0.05, df=math.inf)


def test_tolerances_are_ratios_and_back() -> None:
    """5 % longer."""
    assert log_margin(0.05) == pytest.approx(math.log(1.05))
    assert change(log_margin(0.05)) == pytest.approx(0.05)


@given(st.floats(0.0, 1.0), st.data())
def test_the_deviation_of_discordant_answers_is_that_of_their_differences(
    share: float, data: st.DataObject
) -> None:
    """Of ones, minus ones and zeros in these shares."""
    difference = data.draw(st.floats(-share, share))
    worse, better = (share + difference) / 2, (share - difference) / 2
    variance = worse * (1 - difference) ** 2 + better * (1 + difference) ** 2
    variance += (1 - worse - better) * difference**2
    assert discordant_sd(share, difference=difference) ** 2 == pytest.approx(variance, abs=1e-12)


def test_the_data_that_decide_are_those_of_the_formula() -> None:
    """For many data, where t is as good as normal; a gap of 0.01 and a deviation of 0.2."""
    assert deciding(0.2, 0.0, margin=0.01, level=0.05) == pytest.approx((2.486475 * 20) ** 2, abs=2)


@given(st.floats(0.001, 0.3), st.floats(-0.1, 0.2), st.sampled_from((0.05, 0.0216)))
def test_the_data_that_decide_are_the_fewest(sd: float, mean: float, level: float) -> None:
    """One fewer could not find the gap; with so many what can be found is within it."""
    margin = 0.05
    n = deciding(sd, mean, margin=margin, level=level)
    gap = max(abs(margin - mean), margin / 4)
    assert n is not None
    assert detectable(sd, n, level=level) <= gap * (1 + 1e-12)
    assert n == 2 or detectable(sd, n - 1, level=level) > gap


def test_what_no_number_decides_is_not_named() -> None:
    """A difference at a margin of 0; without any spread two data are enough."""
    assert deciding(0.2, 0.0, margin=0.0, level=0.05) is None
    assert deciding(0.2, 1e-7, margin=0.0, level=0.05) is None
    assert deciding(0.0, 0.01, margin=0.05, level=0.05) == 2


def test_a_difference_at_the_margin_counts_as_a_quarter_of_it_away() -> None:
    """Else no number would ever be named where it is most wanted."""
    at, near = (deciding(0.1, mean, margin=0.05, level=0.05) for mean in (0.05, 0.0375))
    assert at == near


def test_what_is_known_before_saves_data() -> None:
    """A deviation that twelve blocks of before tell of needs fewer now."""
    alone = deciding(0.03, 0.02, margin=0.05, level=0.05)
    before = deciding(0.03, 0.02, margin=0.05, level=0.05, prior_df=12)
    assert alone is not None
    assert before is not None
    assert before < alone


def passes(n: int, *, sd: float, margin: float) -> float:
    """Return how often n data without a difference are proved to be below the margin, of 2,000 samples."""
    samples = np.random.default_rng(23).normal(0.0, sd, (2000, n)).tolist()
    found = [paired(sample) for sample in samples]
    return float(np.mean([each is not None and bounds(each, level=0.05).below(margin) for each in found]))


@pytest.mark.parametrize(("sd", "margin"), [(0.02, 0.02), (0.05, 0.02), (0.3, 0.05)])
def test_so_many_data_decide_as_often_as_they_should(sd: float, margin: float) -> None:
    """In 80 %; half as many, the planted error, in clearly less."""
    n = deciding(sd, 0.0, margin=margin, level=0.05)
    assert n is not None
    assert passes(n, sd=sd, margin=margin) == pytest.approx(0.8, abs=0.04)
    assert passes(max(2, n // 2), sd=sd, margin=margin) < 0.7
