"""Comparisons of speed of which the truth is known, thousands judged at once as the rule judges one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from gemma_eval.stats.looks import ALPHA, LOOKS, levels
from gemma_eval.stats.multiple import holm
from gemma_eval.stats.paired import Prior, bounds, p_worse, paired
from gemma_eval.stats.prior import MOST, of_series, of_sessions
from gemma_eval.stats.sequential import p_over_looks
from tests.statistics.simulated import SEED, Array, Rates, verdict

MARGIN = float(np.log1p(0.05))
GATES = 24
"""How many gates a family has: metrics, and models or profiles or templates."""

Corrected = Literal["all looks", "one look", "nothing"]
"""Whose p is corrected for the family: that over all looks, or, as planted errors, that of the look that
decided, or none."""


@dataclass(frozen=True, kw_only=True)
class History:
    """Earlier sessions: how many, of how many blocks each, and how their deviation compares with today's.

    `as_it_is` is the planted error: the pooled variance and not its upper bound.
    """

    sessions: int = 12
    blocks: int = 5
    of_today: float = 1.0
    as_it_is: bool = False


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true of the blocks of a comparison.

    `change` is 0.1 for a tenth longer and `sd` the deviation of a log-ratio of two starts. `tails` are the
    degrees of freedom of a Student's t that is drawn from in place of a normal distribution, and `lag` is
    how far neighbouring blocks go together.
    """

    change: float
    sd: float
    tails: float | None = None
    lag: float = 0.0

    def draw(self, random: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return log-ratios, those of a comparison along the last axis."""
        return float(np.log1p(self.change)) + self.sd * self._noise(random, size)

    def _noise(self, random: np.random.Generator, size: tuple[int, ...]) -> Array:
        """Return noise of a deviation of 1, whatever its kind."""
        if self.tails is not None:
            return np.asarray(random.standard_t(self.tails, size) / (self.tails / (self.tails - 2)) ** 0.5)
        noise = random.normal(0.0, 1.0, size)
        for block in range(1, size[-1] if self.lag else 0):
            fresh = (1 - self.lag**2) ** 0.5 * noise[..., block]
            noise[..., block] = self.lag * noise[..., block - 1] + fresh
        return noise


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Which comparisons were proved worse, which not worse, and after how many blocks each ended."""

    regressed: NDArray[np.bool_]
    passed: NDArray[np.bool_]
    blocks: NDArray[np.int_]

    @property
    def rates(self) -> Rates:
        """The shares of each, and the mean number of blocks."""
        means = (float(found.mean()) for found in (self.regressed, self.passed, self.blocks))
        return Rates(**dict(zip(("regressed", "passed", "blocks"), means, strict=True)))


def judged(
    drawn: Array, *, at: Mapping[int, float] | None = None, priors: list[Prior | None] | None = None
) -> Judged:
    """Return what `first_decision` decides of each row of log-ratios; `at` is the level of each look."""
    at = at or levels()
    before = np.array([(prior.variance, prior.df) if prior else (0.0, 0.0) for prior in priors or [None]])
    variance, df_before = before.T
    size = len(drawn)
    regressed, passed = np.zeros(size, bool), np.zeros(size, bool)
    blocks = np.full(size, max(at))
    for look, level in at.items():
        data = drawn[:, :look]
        center, df = data.mean(axis=1), look - 1 + df_before
        squares = ((data - center[:, None]) ** 2).sum(axis=1)
        half = stdtrit(df, 1 - level) * np.sqrt((df_before * variance + squares) / df / look)
        still = ~(regressed | passed)
        above, below = still & (center - half > MARGIN), still & (center + half < MARGIN)
        blocks[above | below] = look
        regressed, passed = regressed | above, passed | below
    return Judged(regressed=regressed, passed=passed, blocks=blocks)


def histories(
    random: np.random.Generator, truth: Truth, history: History | None, runs: int
) -> list[Prior | None]:
    """Return what each comparison knows from sessions of its own before it."""
    if history is None:
        return [None] * runs
    quiet = Truth(change=0.0, sd=truth.sd * history.of_today, tails=truth.tails)
    drawn = quiet.draw(random, (runs, history.sessions, history.blocks))
    if history.as_it_is:
        pooled = drawn.var(axis=2, ddof=1).mean(axis=1).tolist()
        df = min(MOST, history.sessions * (history.blocks - 1))
        return [Prior(variance=variance, df=df) for variance in pooled]
    return [of_sessions(sessions) for sessions in drawn.tolist()]


@cache
def speeds(
    truth: Truth,
    *,
    runs: int,
    looks: tuple[int, ...] = LOOKS,
    level: float | None = None,
    history: History | None = None,
) -> Rates:
    """Return how comparisons end, with a margin of 5 %; `level`, the planted error, is that of every look."""
    random = np.random.default_rng((SEED, round(1000 * truth.sd)))
    drawn = truth.draw(random, (runs, max(looks)))
    at = levels(looks) if level is None else dict.fromkeys(looks, level)
    return judged(drawn, at=at, priors=histories(random, truth, history, runs)).rates


@cache
def families(
    truth: Truth,
    *,
    runs: int,
    alike: float = 0.0,
    by: Corrected = "all looks",
    history: History | None = None,
) -> float:
    """Return how often at least one of 24 gates is called worse after Holm's correction.

    `alike` is how far the gates of a session go together.
    """
    random = np.random.default_rng((SEED, GATES))
    shared = truth.draw(random, (runs, 1, max(LOOKS)))
    own = truth.draw(random, (runs, GATES, max(LOOKS)))
    center = float(np.log1p(truth.change))
    drawn = center + alike**0.5 * (shared - center) + (1 - alike) ** 0.5 * (own - center)
    flat = drawn.reshape(runs * GATES, -1)
    priors = histories(random, truth, history, len(flat))
    found = judged(flat, priors=priors)
    ps = np.ones(len(flat))
    for row in np.flatnonzero(found.regressed):
        ps[row] = _p(flat[row].tolist(), priors[row], by=by, blocks=int(found.blocks[row]))
    return float(np.mean([min(holm(family)) <= ALPHA for family in ps.reshape(runs, GATES).tolist()]))


def _p(blocks_of: list[float], prior: Prior | None, *, by: Corrected, blocks: int) -> float:
    if by == "all looks":
        return p_over_looks(blocks_of, margin=MARGIN, prior=prior)
    found = paired(blocks_of[:blocks], prior=prior)
    return 0.0 if by == "nothing" or found is None else p_worse(found, MARGIN)


@cache
def two_runs(*, change: float, sd: float, runs: int, before: int = 13, wander: float = 0.0) -> Rates:
    """Return how comparisons of a run with the one before it end that know the `before` runs in a row.

    The base is the last of them. `sd` is that of a difference of two runs; `wander` is the deviation of a
    step of what stays from run to run, of that of a run.
    """
    random = np.random.default_rng((SEED, round(1000 * sd), before))
    size = (runs, before + 1)
    steps = wander * random.normal(0.0, 1.0, size).cumsum(axis=1)
    drawn = sd / 2**0.5 * (random.normal(0.0, 1.0, size) + steps)
    drawn[:, -1] += float(np.log1p(change))
    decided = []
    for *series, candidate in drawn.tolist():
        found = paired([candidate - series[-1]], prior=of_series(series))
        assert found is not None
        decided.append(verdict(bounds(found, level=ALPHA), MARGIN))
    return Rates(
        regressed=decided.count("regressed") / runs, passed=decided.count("passed") / runs, blocks=1.0
    )
