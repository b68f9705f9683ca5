"""What right and wrong answers can find and how many would decide, exactly where few of them differ.

Where none got better, the loss that n pairs would find is that of answers which only get worse, however few
have done so: with b the fewest of n that prove a loss, it is the p for which

    P(Binomial(n, p) ≥ b) = 0.8

and where some got better it is at least what their spread gives, MDE = Δ + (z_level + z_power)·sd / √n
with sd² = 2·q + MDE - MDE², where q is the share of pairs that got better. How many would decide is
planned with the upper 75 % bound of the share that differs (Clopper and Pearson 1934), as noise of before is.
Source: Cohen 1988, Statistical Power Analysis, chapter 2; Connor 1987, Biometrics 43:207-211 (pairs).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gemma_eval.stats.exact import exact_worse
from gemma_eval.stats.power import MOST, POWER, deciding, detectable, discordant_sd

_TOO_SMALL = 0.25
"""How often the share that differs may be larger than it is planned with."""

_ROUNDS = 100


def loss_found(
    n: int, better: int, *, margin: float, level: float, proves: Callable[[int], bool]
) -> float | None:
    """Return the smallest loss that `n` pairs would mostly prove; `None` where they would prove none.

    `better` are those that got better; `proves` says whether so many wrong ones of n, and none that got
    better, prove a loss above the margin. It is monotone.
    """
    exact = _exact_loss(n, proves)
    if exact is None or not better:
        return exact
    share, loss = better / n, exact
    for _ in range(_ROUNDS):
        sd = discordant_sd(min(1.0, loss + 2 * share), difference=loss)
        loss, before = detectable(sd, n, level=level, margin=margin, df=math.inf), loss
        if loss >= 1:
            return None
        if abs(loss - before) < 1e-9:
            break
    # Of no more than are left can so many get worse and these get better.
    return max(exact, loss) if loss + 2 * share <= 1 else None


FEW = 10
"""Fewer answers that differ tell too little of how many of others would."""


def pairs_needed(n: int, differing: float, mean: float, *, margin: float, level: float) -> int | None:
    """Return how many pairs would decide about one like this, where `differing` of `n` differ.

    `None` where more than 10^9 would be needed.
    """
    from scipy.special import betaincinv

    share = 1.0
    if differing < n:
        share = float(betaincinv(differing + 1, n - differing, 1 - _TOO_SMALL))
    return deciding(discordant_sd(share, difference=mean), mean, margin=margin, level=level)


def proves_loss(n: int, *, margin: float, level: float) -> Callable[[int], bool]:
    """Return whether so many pairs of n that got worse, and none that got better, prove a loss."""
    return lambda worse: worse / n > margin and exact_worse(worse, 0, n=n, margin=margin) < level


def share_below(limit: float, n: int, *, level: float) -> float | None:
    """Return by how much a share has to be below a limit for `n` answers to mostly prove it."""
    from scipy.special import bdtr, bdtri

    proving = [right for right in range(n) if bdtr(right, n, limit) < level]
    if not proving:
        return None
    return limit - float(bdtri(proving[-1], n, POWER))


def shares_needed(right: int, n: int, limit: float, *, level: float) -> int | None:
    """Return how many answers would decide whether a share like this is above or below a limit.

    `None` where so many are there, or more than 10^9 would be needed.
    Source: Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, section 2.5.
    """
    if right == n:
        return math.ceil(math.log(level) / math.log(limit)) if 0 < limit < 1 else None
    share = right / n
    if share == limit:
        return None
    from scipy.special import ndtri

    at_limit, found = (math.sqrt(each * (1 - each)) for each in (limit, share))
    root = (float(ndtri(1 - level)) * at_limit + float(ndtri(POWER)) * found) / (share - limit)
    needed = math.ceil(root * root)
    return needed if n < needed <= MOST else None


def _exact_loss(n: int, proves: Callable[[int], bool]) -> float | None:
    from scipy.special import bdtri

    if not proves(n):
        return None
    none, some = 0, n
    while some - none > 1:
        middle = (none + some) // 2
        none, some = (none, middle) if proves(middle) else (middle, some)
    return float(bdtri(some - 1, n, 1 - POWER))
