"""Comparisons of two sides of which the truth is known, and how often they are decided in which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gemma_eval.stats.bounds import UNKNOWN, Bounds
from gemma_eval.stats.exact import exact_not_worse, exact_worse
from gemma_eval.stats.paired import bounds, p_not_worse, p_worse, paired

Array = NDArray[np.float64]
SEED = 20_261


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The shares of comparisons that were proved worse, proved not worse, and neither."""

    regressed: float
    passed: float
    blocks: float

    @property
    def undecided(self) -> float:
        """The share of those that proved nothing."""
        return 1 - self.regressed - self.passed


def rates(decided: Iterable[tuple[str, int]]) -> Rates:
    """Count what was decided, and after how many data."""
    found = list(decided)
    counts = Counter(verdict for verdict, _ in found)
    return Rates(
        regressed=counts["regressed"] / len(found),
        passed=counts["passed"] / len(found),
        blocks=sum(data for _, data in found) / len(found),
    )


def verdict(of: Bounds, margin: float) -> str:
    """Return what bounds prove."""
    if of.above(margin):
        return "regressed"
    return "passed" if of.below(margin) else "open"


@cache
def exactly(worse: int, better: int, n: int) -> str:
    """Return what the exact tests prove at 5 % with a margin of 3 points, once for each table."""
    if exact_worse(worse, better, n=n, margin=0.03) < 0.05:
        return "regressed"
    return "passed" if exact_not_worse(worse, better, n=n, margin=0.03) < 0.05 else "open"


def answers(*, change: float, cases: int, runs: int, of: Callable[[int, int, int], str] = exactly) -> Rates:
    """Return how comparisons of right and wrong answers end, with a margin of 3 points.

    A tenth of the pairs are discordant, and more where the change asks for it; `change` is the true one.
    """
    discordant = max(0.1, change + 0.04)
    worse, better = (discordant + change) / 2, (discordant - change) / 2
    random = np.random.default_rng((SEED, cases))
    drawn = random.multinomial(cases, (worse, better, 1 - discordant), runs).tolist()
    return rates((of(b, c, cases), cases) for b, c, _ in drawn)


def scores(*, change: float, cases: int, runs: int, clustered: bool = True, each: int = 5) -> Rates:
    """Return how comparisons of graded scores end, with a margin of 3 points.

    The differences of `each` cases of a document go together: of their variance, of 0.17², a fifth is shared.
    """
    random = np.random.default_rng((SEED, cases))
    shared = random.normal(0.0, 0.076, (runs, cases // each, 1))
    own = random.normal(0.0, 0.152, (runs, cases // each, each))
    drawn = (change + shared + own).reshape(runs, cases).clip(-1.0, 1.0).tolist()
    keys = [case // each for case in range(cases)] if clustered else None

    def decided(differences: Sequence[float]) -> str:
        found = paired(differences, clusters=keys, span=1.0)
        return verdict(UNKNOWN if found is None else bounds(found, level=0.05), 0.03)

    return rates((decided(differences), cases) for differences in drawn)


def jittered(*, cases: int, runs: int, span: float | None = 1.0) -> Rates:
    """Return how comparisons of scores end of which 3 of 100 drop to 0, with that loss as the margin.

    All others move by 0.005 to 0.01 to either side.
    """
    random = np.random.default_rng((SEED, cases))
    size = (runs, cases)
    moved = random.uniform(0.005, 0.01, size) * random.choice((-1.0, 1.0), size)
    drawn = np.where(random.random(size) < 0.03, 1.0, moved).tolist()

    def decided(differences: Sequence[float]) -> str:
        found = paired(differences, span=span)
        if found is None:
            return "open"
        if p_worse(found, 0.03) < 0.05:
            return "regressed"
        return "passed" if p_not_worse(found, 0.03) < 0.05 else "open"

    return rates((decided(differences), cases) for differences in drawn)
