"""Looks see what was there, decide once, and say the same as SciPy's t test at their level."""

from __future__ import annotations

import math
from typing import cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from gemma_eval.stats.bounds import UNKNOWN
from gemma_eval.stats.looks import ALPHA, LOOKS, levels
from gemma_eval.stats.paired import Prior, p_worse, paired
from gemma_eval.stats.sequential import Look, first_decision, look, looks_between, p_over_looks

MARGIN = math.log(1.05)
BLOCKS = st.lists(st.integers(-300, 300).map(lambda count: count / 1000), min_size=5, max_size=24)
PRIORS = st.sampled_from((None, Prior(variance=0.0004, df=12.0), Prior(variance=0.01, df=3.5)))
WORSE = [0.12, 0.10, 0.11, 0.13, 0.10, 0.12, 0.11, 0.12]


def seen(differences: list[float], **given_too: object) -> Look:
    """Return the last look, which there is."""
    return cast(Look, look(differences, **given_too))  # type: ignore[arg-type]


def verdict(of: Look | None) -> str:
    """Return what a look proves about the margin."""
    if of is None:
        return "none"
    assert not (of.bounds.above(MARGIN) and of.bounds.below(MARGIN))
    if of.bounds.above(MARGIN):
        return "REGRESSED"
    return "PASS" if of.bounds.below(MARGIN) else "INCONCLUSIVE"


# --- when to look ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (5, 20, LOOKS),
        (3, 20, (3, 5, 8, 12, 16, 20)),
        (6, 10, (6, 8, 10)),
        (5, 5, (5,)),
        (1, 3, (2, 3)),
        (2, 30, (2, 5, 8, 12, 16, 20, 30)),
    ],
)
def test_looks_lie_between_the_least_and_the_most_blocks(
    least: int, most: int, expected: tuple[int, ...]
) -> None:
    """Both are looked at, and two blocks are the fewest."""
    assert looks_between(least, most) == expected


@pytest.mark.parametrize(("least", "most"), [(8, 5), (1, 1)])
def test_a_most_below_the_first_look_is_refused(least: int, most: int) -> None:
    """Also where one block is asked for."""
    with pytest.raises(ValueError, match="fewer than the"):
        looks_between(least, most)


def test_before_the_first_look_there_is_none() -> None:
    """Four blocks are not five."""
    assert look(WORSE[:4]) is None
    assert first_decision(WORSE[:4], margin=MARGIN) is None
    assert p_over_looks(WORSE[:4], margin=MARGIN) == 1.0


@given(BLOCKS, PRIORS)
def test_a_look_sees_only_the_blocks_that_were_there(blocks: list[float], prior: Prior | None) -> None:
    """Seven blocks are looked at as five, and later ones change nothing of it."""
    found = seen(blocks, prior=prior)
    assert found.blocks == max(at for at in LOOKS if at <= len(blocks))
    assert found == seen(blocks[: found.blocks], prior=prior)
    assert found.is_last == (found.blocks == 20)
    assert found.level == levels()[found.blocks]


# --- what it says ------------------------------------------------------------------------------------


@given(BLOCKS, st.sampled_from((0.05, 0.01)))
def test_bounds_are_those_of_scipys_t_interval_at_the_level_of_the_look(
    blocks: list[float], alpha: float
) -> None:
    """One-sided ones of a level are the interval of 1 - 2·level; those beyond e^20 are none."""
    found = seen(blocks, alpha=alpha)
    data = blocks[: found.blocks]
    assume(len(set(data)) > 1)
    interval = stats.ttest_1samp(data, 0.0).confidence_interval(1 - 2 * levels(alpha=alpha)[found.blocks])
    expected = (float(interval.low), float(interval.high))
    assume(max(map(abs, expected)) < 20)
    assert (found.bounds.low, found.bounds.high) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_interval_catches_planted_errors() -> None:
    """The level of another look, and blocks that were not there, have other bounds."""
    found = seen(WORSE[:7])
    for data, level in ((WORSE[:7], levels()[5]), (WORSE[:5], levels()[8]), (WORSE[:5], ALPHA)):
        interval = stats.ttest_1samp(data, 0.0).confidence_interval(1 - 2 * level)
        assert found.bounds.low != pytest.approx(float(interval.low), rel=1e-3)


def test_a_bound_that_allows_for_anything_is_none() -> None:
    """Two of twenty blocks have a level of 10^-9 and would be bounded by factors of e^10,000,000."""
    found = seen([0.1, 0.15], looks=looks_between(2, 20))
    assert found.bounds == UNKNOWN
    assert found.paired.mean == pytest.approx(0.125)


def test_equal_blocks_prove_nothing_without_a_history() -> None:
    """That few are equal is no certainty that others would be."""
    assert verdict(first_decision([0.2] * 20, margin=MARGIN)) == "INCONCLUSIVE"
    assert (
        verdict(first_decision([0.2] * 20, margin=MARGIN, prior=Prior(variance=1e-4, df=12))) == "REGRESSED"
    )


def test_a_quiet_history_decides_earlier() -> None:
    """Five blocks instead of eight."""
    prior = Prior(variance=0.0004, df=12)
    found = [cast(Look, first_decision(WORSE, margin=MARGIN, prior=each)) for each in (None, prior)]
    assert [(verdict(each), each.blocks) for each in found] == [("REGRESSED", 8), ("REGRESSED", 5)]


# --- once decided ------------------------------------------------------------------------------------


def test_a_decision_stands_whatever_follows() -> None:
    """Twelve fast blocks after eight slow ones do not take it back, though the last look would."""
    blocks = [*WORSE, *[-0.3] * 12]
    found = cast(Look, first_decision(blocks, margin=MARGIN))
    assert (verdict(found), found.blocks) == ("REGRESSED", 8)
    assert verdict(look(blocks)) != "REGRESSED"


@given(BLOCKS, PRIORS)
def test_the_first_decision_is_that_of_looking_as_blocks_come_in(
    blocks: list[float], prior: Prior | None
) -> None:
    """Block by block, ending when a look decides; an open one is the last look."""
    expected = None
    for count in range(1, len(blocks) + 1):
        expected = look(blocks[:count], prior=prior)
        if verdict(expected) in ("REGRESSED", "PASS"):
            break
    assert first_decision(blocks, margin=MARGIN, prior=prior) == expected


@given(BLOCKS, PRIORS, st.floats(1.0, 50.0))
def test_more_noise_never_turns_a_look_into_a_pass(
    blocks: list[float], prior: Prior | None, by: float
) -> None:
    """The same mean with every block further from it."""
    calm = seen(blocks, prior=prior)
    assume(calm.paired.se)
    center = calm.paired.mean
    noisy = seen([center + by * (block - center) for block in blocks[: calm.blocks]], prior=prior)
    assert verdict(noisy) in (verdict(calm), "INCONCLUSIVE")


@given(BLOCKS, PRIORS, st.floats(1.0, 50.0), st.floats(-0.2, MARGIN))
def test_more_noise_never_turns_an_open_comparison_into_a_pass(
    blocks: list[float], prior: Prior | None, by: float, change: float
) -> None:
    """Of a candidate that is no worse than may be: around its change every block lies further off."""
    calm = first_decision(blocks, margin=MARGIN, prior=prior)
    assume(verdict(calm) == "INCONCLUSIVE" and cast(Look, calm).paired.se)
    noisy = first_decision([change + by * (block - change) for block in blocks], margin=MARGIN, prior=prior)
    assert verdict(noisy) != "PASS"


def test_a_rule_that_passes_what_is_not_proved_worse_fails_that() -> None:
    """The planted error: noise would turn a regression into a pass."""

    def lax(blocks: list[float]) -> str:
        return "REGRESSED" if seen(blocks).bounds.above(MARGIN) else "PASS"

    noisy = [0.11375 + 9 * (block - 0.11375) for block in WORSE]
    assert (lax(WORSE), lax(noisy)) == ("REGRESSED", "PASS")
    assert verdict(look(noisy)) == "INCONCLUSIVE"


# --- a p over all looks ------------------------------------------------------------------------------


@given(BLOCKS, PRIORS, st.sampled_from((0.25, 0.05, 0.05 / 24, 1e-5)))
def test_a_p_is_at_most_alpha_just_where_a_look_of_that_alpha_proves_it_worse(
    blocks: list[float], prior: Prior | None, alpha: float
) -> None:
    """At any look, with the levels that alpha gives."""
    reached = [look(blocks[:at], prior=prior, alpha=alpha) for at in LOOKS if at <= len(blocks)]
    p = p_over_looks(blocks, margin=MARGIN, prior=prior)
    assume(abs(p - alpha) > 1e-9)
    assert (p < alpha) == any(each is not None and each.bounds.above(MARGIN) for each in reached)


def test_the_p_of_a_single_look_is_scipys() -> None:
    """There is nothing to spend it on."""
    expected = float(stats.ttest_1samp(WORSE, MARGIN, alternative="greater").pvalue)
    assert p_over_looks(WORSE, margin=MARGIN, looks=(8,)) == pytest.approx(expected, rel=1e-9)


def test_the_p_of_the_look_that_decides_is_too_small() -> None:
    """The planted error: it takes the eighth block for the only look."""
    found = paired(WORSE)
    assert found is not None
    assert p_worse(found, MARGIN) < p_over_looks(WORSE, margin=MARGIN)
