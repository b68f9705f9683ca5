"""The same simulated measurements judged by the rules of other tools, and by ours.

A start of an engine is off by noise of its own, by which all its samples are off together; samples of one
start differ by 2 %, with the heavy tails of a Student's t with three degrees of freedom. A rule says whether
the candidate is slower. The rules are rewritten from what each tool documents and does, for two matrices of
times with a comparison in each row.

    pytest-benchmark  the mean has grown by more than 5 % (`--benchmark-compare-fail=mean:5%`)
    pyperf            Student's t test of two samples, two-sided, p ≤ 0.05
    benchstat         Mann and Whitney's test, two-sided, p < 0.05
    criterion         a t test whose distribution is drawn anew from both samples together, p < 0.05, and 95 %
                      of the drawn ratios of means lie above 1 %; 1,000 draws for its 100,000
    asv               Mann and Whitney's test, p < 0.002, and the median has grown by more than 10 %
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gemma_eval.stats.looks import LOOKS
from tests.statistics.simulated import SEED, Array, Rates
from tests.statistics.speeds import judged

Slower = Callable[[Array, Array], NDArray[np.bool_]]

WITHIN = 0.02
TAILS = 3.0
SAMPLES = 10
"""How many samples a start gives, and how many starts a side has where they are the samples."""

OF_ONE_SIDE = 0.35
"""The share of a start's noise that is of this start alone, where two follow each other on one machine."""

_DRAWS = 1000
_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Times of the base and of the candidate, `[comparison, sample]` or `[comparison, start, sample]`."""

    base: Array
    candidate: Array


@cache
def runs_apart(*, change: float, sd: float, runs: int) -> Measured:
    """Return ten samples of one start on each side, as two jobs or two processes give them."""
    random = np.random.default_rng((SEED, round(1000 * sd), 1))
    start = sd * random.normal(0.0, 1.0, (2, runs, 1))
    base, candidate = np.exp(start + _within(random, (2, runs, SAMPLES)))
    return Measured(base=base, candidate=(1 + change) * candidate)


@cache
def in_turns(*, change: float, sd: float, runs: int, own: float = OF_ONE_SIDE) -> Measured:
    """Return ten samples of each of twenty starts a side, which follow each other in turns.

    Of the deviation of a start the share `own` is its own; the rest it shares with the start beside it.
    """
    random = np.random.default_rng((SEED, round(1000 * sd), 2))
    size = (runs, max(LOOKS), 1)
    shared = (1 - own**2) ** 0.5 * random.normal(0.0, 1.0, size)
    start = sd * (shared + own * random.normal(0.0, 1.0, (2, *size)))
    base, candidate = np.exp(start + _within(random, (2, runs, max(LOOKS), SAMPLES)))
    return Measured(base=base, candidate=(1 + change) * candidate)


def slower(rule: str, of: Measured) -> float:
    """Return how often a rule finds the candidate slower; of starts in turns, ten means a side are judged."""
    base, candidate = of.base, of.candidate
    if base.ndim == 3:
        base, candidate = (side[:, :SAMPLES].mean(axis=2) for side in (base, candidate))
    return float(RULES[rule](base, candidate).mean())


def ours(of: Measured) -> Rates:
    """Return how our comparisons of starts in turns end: at most twenty a side, with a margin of 5 %."""
    return judged((np.log(of.candidate) - np.log(of.base)).mean(axis=2)).rates


def pytest_benchmark(base: Array, candidate: Array) -> NDArray[np.bool_]:
    """Return where the mean has grown by more than 5 %."""
    grown: NDArray[np.bool_] = candidate.mean(axis=1) > 1.05 * base.mean(axis=1)
    return grown


def pyperf(base: Array, candidate: Array) -> NDArray[np.bool_]:
    """Return where a t test finds another mean, which is larger."""
    found = stats.ttest_ind(candidate, base, axis=1)
    return np.asarray((found.statistic > 0) & (found.pvalue <= 0.05))


def benchstat(base: Array, candidate: Array) -> NDArray[np.bool_]:
    """Return where ranks differ, and the median is larger."""
    return (_ranks(base, candidate) < 0.05) & (_median_ratio(base, candidate) > 1)


def asv(base: Array, candidate: Array) -> NDArray[np.bool_]:
    """Return where ranks differ surely, and the median is larger by a tenth."""
    return (_ranks(base, candidate) < 0.002) & (_median_ratio(base, candidate) > 1.1)


def criterion(base: Array, candidate: Array) -> NDArray[np.bool_]:
    """Return where the mean is another one, and larger by more than 1 % in nearly all draws."""
    parts = range(0, len(base), _ROWS)
    return np.concatenate([_criterion(base[at : at + _ROWS], candidate[at : at + _ROWS]) for at in parts])


RULES: Mapping[str, Slower] = {
    "pytest-benchmark": pytest_benchmark,
    "pyperf": pyperf,
    "benchstat": benchstat,
    "criterion": criterion,
    "asv": asv,
}


def _within(random: np.random.Generator, size: tuple[int, ...]) -> Array:
    return np.asarray(WITHIN * random.standard_t(TAILS, size) / (TAILS / (TAILS - 2)) ** 0.5)


def _ranks(base: Array, candidate: Array) -> Array:
    return np.asarray(stats.mannwhitneyu(candidate, base, axis=1, method="exact").pvalue)


def _median_ratio(base: Array, candidate: Array) -> Array:
    return np.asarray(np.median(candidate, axis=1) / np.median(base, axis=1))


def _criterion(base: Array, candidate: Array) -> NDArray[np.bool_]:
    random = np.random.default_rng(SEED)
    n = base.shape[1]
    both = np.concatenate((candidate, base), axis=1)[:, random.integers(2 * n, size=(_DRAWS, 2 * n))]
    found, drawn = _t(candidate, base), _t(both[..., :n], both[..., n:])
    above = (drawn > found[:, None]).mean(axis=1)
    p = 2 * np.minimum(above, 1 - above)
    means = [side[:, random.integers(n, size=(_DRAWS, n))].mean(axis=2) for side in (candidate, base)]
    least = np.quantile(means[0] / means[1] - 1, 0.025, axis=1)
    return np.asarray((p < 0.05) & (least > 0.01))


def _t(one: Array, other: Array) -> Array:
    spread = np.sqrt(one.var(axis=-1, ddof=1) / one.shape[-1] + other.var(axis=-1, ddof=1) / other.shape[-1])
    return np.asarray((one.mean(axis=-1) - other.mean(axis=-1)) / spread)
