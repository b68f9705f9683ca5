"""Several p-values of one family: what each is worth when so many were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Return Holm's adjusted p-values: that one below alpha is wrong is no more likely than alpha.

    The k-th smallest of m is max over j ≤ k of min(1, (m - j + 1)·p_j).
    Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    scaled = (min(1.0, (len(ps) - rank) * ps[at]) for rank, at in enumerate(order))
    return _back(order, accumulate(scaled, max))


def benjamini_hochberg(ps: Sequence[float]) -> tuple[float, ...]:
    """Return q-values: of those that are below q, at most the share q is expected to be wrong.

    The k-th smallest of m is min over j ≥ k of min(1, p_j·m / j).
    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300.
    """
    order = sorted(range(len(ps)), key=lambda at: ps[at], reverse=True)
    scaled = (min(1.0, ps[at] * len(ps) / (len(ps) - rank)) for rank, at in enumerate(order))
    return _back(order, accumulate(scaled, min))


def _back(order: Sequence[int], adjusted: accumulate[float]) -> tuple[float, ...]:
    """Return values, given in another order, in that of the family."""
    return tuple(value for _, value in sorted(zip(order, adjusted, strict=True)))
