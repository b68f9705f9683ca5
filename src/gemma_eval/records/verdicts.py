"""What follows: how a candidate differs from a base in one metric, and whether the data prove that it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["REGRESSED", "PASS", "INCONCLUSIVE", "INCOMPARABLE"]
"""Proved to be worse than may be; proved not to be; neither is proved; there is nothing to hold together."""

Lean = Literal["identical", "improved", "drift", "worse", "better"]
"""More of a verdict. Of a PASS: every answer is *identical*, the candidate is better (*improved*), or it is
worse by less than the margin (*drift*), the last two proved. Of what is INCONCLUSIVE: where it leans to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One metric of a candidate beside the same of a base.

    `shared` is what both sides have in common (`greedy · rag`). `n` counts the data, each of them a *case*,
    a *cluster* of cases, or a *block* (one start of an engine on each side). `difference` is candidate minus
    base, so turned that + is worse: in scores, or the logarithm of the ratio of times. `low` and `high` are
    its one-sided bounds of `level`. `detectable` is the smallest difference that so many data would mostly
    prove to be above the `margin`, `needed` how many would decide about one like this. `reason` says in words
    what keeps a verdict from being one of proof, and `left_out` what is not among the data.
    """

    metric: str
    shared: str
    unit: Literal["case", "cluster", "block"]
    n: int
    base: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    level: float
    margin: float
    detectable: float | None
    needed: int | None
    verdict: Verdict
    lean: Lean | None = None
    reason: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """All comparisons of two sides.

    `changes` say what sets the sides apart by name (`template plain → rag`), `left_out` are the groups that
    only one side has.
    """

    comparisons: tuple[Comparison, ...]
    changes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
