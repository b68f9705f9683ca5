"""What unseen blocks might have proved is never less than what any values of them prove."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from gemma_eval.stats.paired import Prior, p_worse, paired
from gemma_eval.stats.unseen import could_prove

NOISE = [0.021, -0.013, 0.034, 0.002, -0.027]


def best(seen: list[float], unseen: int, prior: Prior | None = None) -> float:
    """Return the smallest p that any one value of all the unseen gives, searched for here."""

    def p(value: float) -> float:
        of = paired([*seen, *[value] * unseen], prior=prior)
        assert of is not None
        return p_worse(of, 0.0) if of.se else 1.0

    grid = [at / 500 for at in range(-500, 1500)]
    near = min(grid, key=p)
    found = optimize.minimize_scalar(p, bounds=(near - 0.002, near + 0.002), method="bounded")
    return float(found.fun)


@pytest.mark.parametrize("shift", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("unseen", [1, 2, 3])
@pytest.mark.parametrize("prior", [None, Prior(variance=0.03**2, df=6)])
def test_the_best_that_is_unseen_is_that_of_a_search(shift: float, unseen: int, prior: Prior | None) -> None:
    """By SciPy's minimiser: just above its p it could be proved, and just below it could not."""
    seen = [shift + noise for noise in NOISE]
    p = best(seen, unseen, prior)
    assert could_prove(seen, unseen, margin=0.0, level=p * 1.001, prior=prior)
    assert not could_prove(seen, unseen, margin=0.0, level=p * 0.999, prior=prior)


def test_with_nothing_unseen_it_is_the_t_test() -> None:
    """SciPy's."""
    seen = [0.03 + noise for noise in NOISE]
    p = float(stats.ttest_1samp(seen, 0.01, alternative="greater").pvalue)
    assert could_prove(seen, 0, margin=0.01, level=p * 1.001)
    assert not could_prove(seen, 0, margin=0.01, level=p * 0.999)


def test_one_datum_of_no_prior_proves_nothing_and_equal_ones_might_prove_all() -> None:
    """However far above the margin it is."""
    assert not could_prove([], 1, margin=0.0, level=0.05)
    assert not could_prove([9.0], 0, margin=0.0, level=0.05)
    assert could_prove([], 5, margin=0.0, level=1e-9)
    assert could_prove([0.3] * 4, 1, margin=0.0, level=1e-9)
    assert not could_prove([-0.3] * 4, 1, margin=0.0, level=0.05)


VALUES = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


@given(VALUES, VALUES, st.sampled_from([None, Prior(variance=0.01, df=4)]), st.floats(1e-4, 0.1))
def test_what_is_proved_with_values_or_without_them_could_be_proved(
    seen: list[float], others: list[float], prior: Prior | None, level: float
) -> None:
    """Whatever they are: with all of them, and with none."""
    for data in ([*seen, *others], seen):
        of = paired(data, prior=prior)
        assert of is not None
        assume(of.se is not None and of.se > 1e-6)
        if p_worse(of, 0.05) < level:
            assert could_prove(seen, len(others), margin=0.05, level=level, prior=prior)
