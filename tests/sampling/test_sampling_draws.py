"""Draws follow the distribution that the chain leaves, and mirostat reaches its target.

Every seed is fixed, so a test here passes or fails for good. A correct sampler would have failed a
chi-square test with a probability of 1 in 10 000 for the seed that was chosen, all of them together with
less than 1 in 1000.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import chisquare

from tests.sampling import oracle, vectors
from tests.sampling.vectors import logarithms, profile

PROBABILITIES = (0.05, 0.3, 0.02, 0.2, 0.13, 0.1, 0.15, 0.05)
DRAWN = 10_000


def drawn(
    parameters: Mapping[str, object], *, seed: int = 2024
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how often each token was drawn."""
    sampler = vectors.sampler(profile(**parameters), seed=seed)
    logits = logarithms(PROBABILITIES)
    return np.bincount([sampler.draw(logits) for _ in range(DRAWN)], minlength=len(PROBABILITIES))


def p_value(counts: np.ndarray[tuple[int], np.dtype[np.int64]], expected: Mapping[int, float]) -> float:
    """Return the chi-square p-value of counts; 0 when a token was drawn that may not be."""
    allowed = sorted(expected)
    if counts.sum() != counts[allowed].sum():
        return 0.0
    return float(chisquare(counts[allowed], [DRAWN * expected[token] for token in allowed]).pvalue)


def exact(kept: set[int], heat: float) -> dict[int, float]:
    """Return the probabilities of the kept tokens at a temperature, by the independent sampler."""
    return oracle.softmax({token: float(np.log(PROBABILITIES[token])) / heat for token in kept})


ALL = set(range(len(PROBABILITIES)))
CASES: tuple[tuple[Mapping[str, object], dict[int, float]], ...] = (
    ({}, exact(ALL, 1.0)),
    ({"temperature": 0.6}, exact(ALL, 0.6)),
    ({"temperature": 1.7}, exact(ALL, 1.7)),
    ({"top_k": 3}, exact({1, 3, 6}, 1.0)),
    ({"top_p": 0.7, "temperature": 1.3}, exact({1, 3, 4, 6}, 1.3)),
    ({"min_p": 0.16}, exact(ALL - {2}, 1.0)),
)


@pytest.mark.parametrize(("parameters", "expected"), CASES, ids=str)
def test_draws_follow_the_exact_distribution(
    parameters: Mapping[str, object], expected: dict[int, float]
) -> None:
    """10 000 draws against the probabilities of the independent sampler."""
    assert p_value(drawn(parameters), expected) > 1e-4


def test_the_chi_square_test_sees_a_temperature_that_is_slightly_off() -> None:
    """The planted error: drawn at 0.7 where 0.6 was asked for."""
    assert p_value(drawn({"temperature": 0.7}), exact(ALL, 0.6)) < 1e-4


def test_the_chi_square_test_sees_a_token_that_may_not_be_drawn() -> None:
    """The planted error: a cut that was not made."""
    assert p_value(drawn({}), exact(ALL - {2}, 1.0)) == 0.0


@pytest.mark.parametrize("tau", [1.5, 3.0, 4.5])
def test_mirostat_settles_at_its_target(tau: float) -> None:
    """The mean surprise after the cut comes within 0.1 bit of tau on a Zipf distribution of 500 tokens."""
    logits = np.float32(-1.1) * np.log(np.arange(1, 501, dtype=np.float32))
    used = profile(mirostat=2, mirostat_tau=tau, mirostat_eta=0.1)
    sampler = vectors.sampler(used, seed=11)
    tokens = [sampler.draw(logits) for _ in range(3000)]
    # mu moves by eta times the excess of each surprise, so its whole way is the sum of the excesses.
    assert sampler.mirostat_mu is not None
    assert abs((2 * tau - sampler.mirostat_mu) / (0.1 * len(tokens))) < 0.1
    assert len(set(tokens)) > 1


def test_equal_seeds_draw_equal_tokens_and_others_do_not() -> None:
    """A sampler is decided by its arguments; two seeds agree on 10 000 tokens by no chance."""
    assert list(drawn({}, seed=7)) == list(drawn({}, seed=7))
    assert list(drawn({}, seed=7)) != list(drawn({}, seed=8))
