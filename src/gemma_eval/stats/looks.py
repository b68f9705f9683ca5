"""When the data of a sequential comparison are looked at, and which level each look may use.

Who looks five times at 5 % errs more often than in 5 %. So of alpha, 5 %, a look at the share t of all data
may have spent

    spent(t) = 2·(1 - Φ(z / √t))        z = Φ⁻¹(1 - alpha / 2)

and its nominal level is what it adds to that of the look before. Such levels add up to alpha, so an error at
any look is no more likely than that, however the looks depend on each other; as they do, it is less likely.
Source: Lan and DeMets 1983, Biometrika 70:659-663 (the O'Brien-Fleming spending function).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

ALPHA = 0.05
"""How often a comparison may prove what is not so, over all its looks."""

LOOKS = (5, 8, 12, 16, 20)
"""The numbers of blocks after which a comparison may end."""


def spent(share: float, *, alpha: float = ALPHA) -> float:
    """Return how much of alpha may be spent when a share in 0..1 of all data is there."""
    from scipy.special import ndtr, ndtri

    if share <= 0:
        return 0.0
    return 2 * float(ndtr(ndtri(alpha / 2) / math.sqrt(share)))


def levels(looks: Sequence[int] = LOOKS, *, alpha: float = ALPHA) -> Mapping[int, float]:
    """Return the nominal level of each look, by its number of blocks; one look alone has all of alpha.

    `looks` ascend, and the last one has all data. Those of `LOOKS` are .0001, .0019, .0095, .0170 and .0216.
    """
    shares = [spent(look / looks[-1], alpha=alpha) for look in looks]
    return {look: share - before for look, before, share in zip(looks, (0.0, *shares), shares, strict=False)}


def reached(blocks: int, looks: Sequence[int] = LOOKS) -> int | None:
    """Return the last look for which there are blocks enough, `None` before the first."""
    return max((look for look in looks if look <= blocks), default=None)
