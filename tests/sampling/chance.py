"""Tests of chance with a stated error: fixed seeds make them repeatable, the rate says how strict they are.

`FAMILY` is the probability that one or more of all the checks here would fail by chance alone were the seeds
drawn anew; each of `CHECKS` gets an equal part of it (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

FAMILY = 1e-3
CHECKS = 50
LEVEL = FAMILY / CHECKS


def fits(counts: Sequence[int], probabilities: Sequence[float]) -> bool:
    """Say whether counts are as drawn from `probabilities`, which add up to 1, by Pearson's chi-square.

    Outcomes of fewer than five expected draws are pooled; one of probability 0 must not occur.
    """
    seen, exact = np.asarray(counts, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if seen[exact == 0].any():
        return False
    expected = exact * seen.sum()
    rare = expected < 5
    seen = np.append(seen[~rare], seen[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    seen, expected = seen[expected > 0], expected[expected > 0]
    if len(expected) < 2:
        return True
    statistic = float(((seen - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, len(expected) - 1)) >= LEVEL


def power(actual: Sequence[float], supposed: Sequence[float], draws: int) -> float:
    """Return the probability that `fits` finds `draws` from `actual` not to come from `supposed`."""
    real, thought = np.asarray(actual), np.asarray(supposed)
    freedom = len(thought) - 1
    offset = draws * float(((real - thought) ** 2 / thought).sum())
    return float(stats.ncx2.sf(stats.chi2.isf(LEVEL, freedom), freedom, offset))


def happens(successes: int, trials: int, probability: float) -> bool:
    """Say whether a coin of `probability` may fall so often, by the exact binomial test."""
    return float(stats.binomtest(successes, trials, probability).pvalue) >= LEVEL
