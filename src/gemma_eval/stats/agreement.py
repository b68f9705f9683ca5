"""How far those agree who label the same things: Cohen's kappa of two, Krippendorff's alpha of any number.

Both are 1 minus the disagreement that was seen over the one that chance would give:

    kappa = (p_o - p_e) / (1 - p_e)        alpha = 1 - D_o / D_e

Kappa knows two raters who both label everything; alpha any number, who may leave things out, and distances
between what they say.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gemma_eval.stats.intervals import wilson

Label = str | float
Level = Literal["nominal", "ordinal", "interval"]
"""What a distance between two labels is: whether they differ, how many lie between, or how far apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kappa:
    """How often two raters agree, how often chance would let them, and what is left of it, with an interval.

    `value` and its bounds are `None` where chance alone would have them always agree.
    """

    n: int
    agreement: float
    chance: float
    value: float | None
    low: float | None
    high: float | None


def cohen_kappa(first: Sequence[Label], second: Sequence[Label]) -> Kappa | None:
    """Return the agreement of two raters who label the same things in the same order; `None` of nothing.

    The 95 % interval is Wilson's of the share in which they agree, taken for kappa at the chance that was
    seen: Cohen's own standard error with an interval that holds where they always agree.
    Source: Cohen 1960, Educational and Psychological Measurement 20:37-46, formulas 1 and 7.
    """
    n = len(first)
    if not n:
        return None
    agreed = sum(one == other for one, other in zip(first, second, strict=True))
    counts = Counter(first), Counter(second)
    together = sum(counts[0][label] * counts[1][label] for label in counts[0])
    if together == n * n:
        return Kappa(n=n, agreement=1.0, chance=1.0, value=None, low=None, high=None)
    chance = together / (n * n)
    share = wilson(agreed, n)

    def beyond_chance(agreement: float | None) -> float | None:
        return None if agreement is None else (agreement - chance) / (1 - chance)

    return Kappa(
        n=n,
        agreement=agreed / n,
        chance=chance,
        value=beyond_chance(agreed / n),
        low=beyond_chance(share.low),
        high=beyond_chance(share.high),
    )


def krippendorff_alpha(units: Sequence[Sequence[Label | None]], *, level: Level) -> float | None:
    """Return the reliability of several raters; `units` has a row for each thing, `None` for no label.

    What only one of them labels tells nothing and is left out. `None` where nobody disagrees because only
    one label was ever given: there is nothing to tell apart. Labels of *ordinal* and *interval* are numbers.
    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability (Annenberg School, Penn).
    """
    rows = [[label for label in unit if label is not None] for unit in units]
    rows = [row for row in rows if len(row) > 1]
    totals = Counter(label for row in rows for label in row)
    if len(totals) < 2:
        return None
    apart = _DISTANCES[level](totals)
    n = totals.total()
    seen = math.fsum(_pairs(Counter(row), apart) / (len(row) - 1) for row in rows)
    expected = _pairs(totals, apart) / (n - 1)
    return 1 - seen / expected


def _pairs(counts: Mapping[Label, int], apart: Callable[[Label, Label], float]) -> float:
    """Return the sum of the distances of all ordered pairs of labels."""
    return math.fsum(
        times * others * apart(one, other)
        for one, times in counts.items()
        for other, others in counts.items()
    )


def _nominal(totals: Mapping[Label, int]) -> Callable[[Label, Label], float]:
    del totals
    return lambda one, other: float(one != other)


def _interval(totals: Mapping[Label, int]) -> Callable[[Label, Label], float]:
    del totals
    return lambda one, other: (float(one) - float(other)) ** 2


def _ordinal(totals: Mapping[Label, int]) -> Callable[[Label, Label], float]:
    """Measure a distance by how many labels were given from one to the other, half of the two themselves."""
    middles: dict[Label, float] = {}
    below = 0
    for label in sorted(totals, key=float):
        middles[label] = below + totals[label] / 2
        below += totals[label]
    return lambda one, other: (middles[one] - middles[other]) ** 2


_DISTANCES = {"nominal": _nominal, "ordinal": _ordinal, "interval": _interval}
