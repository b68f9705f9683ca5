"""What follows: how a candidate differs from a base in one metric, and whether the data prove that it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal[
    "REGRESSED",
    "PASS",
    "INCONCLUSIVE",
    "NEW",
    "INCOMPARABLE",
    "MISSING",
    "INCOMPLETE",
    "INVALID",
    "ACCEPTED",
]
"""What is known of a candidate; of any comparison exactly one holds.

    REGRESSED     proved to be worse than may be
    PASS          proved not to be
    INCONCLUSIVE  neither is proved
    NEW           there is no base, or the base has nothing of this
    INCOMPARABLE  what was asked, or the machine, differs
    MISSING       the base has it and the candidate, though all was run, has not
    INCOMPLETE    not all was run: interrupted, or only a part was chosen
    INVALID       what was measured is not of the engine alone: the machine was busy or stopped
    ACCEPTED      regressed, and a person has accepted that for a while
"""

Unit = Literal["case", "cluster", "block", "run"]
"""What one datum of a comparison is."""

Lean = Literal["identical", "improved", "drift", "worse", "better"]
"""More of a verdict. Of a PASS: every answer is *identical*, the candidate is better (*improved*), or it is
worse by less than the margin (*drift*), the last two proved. Of what is INCONCLUSIVE: where it leans to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One metric of a candidate beside the same of a base.

    `shared` is what both sides have in common (`greedy · rag`). `n` counts the data, each of them a *case*,
    a *cluster* of cases, a *block* (one start of an engine on each side), or a *run* of each side.
    `difference` is candidate minus base, so turned that + is worse: in scores, or the logarithm of the ratio
    of costs; against a limit, `base` is the limit. `low` and `high` are its one-sided bounds of `level`, and
    `p` is that of "it is at most the `margin`". `detectable` is the smallest difference that so many data
    would mostly prove to be above the margin, `needed` how many would decide about one like this. `reason`
    says in words what keeps a verdict from being one of proof, and `left_out` what is not among the data.
    """

    metric: str
    shared: str
    unit: Unit
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
    p: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """All comparisons of two sides.

    `changes` say what sets the sides apart by name (`template plain → rag`), `left_out` are the groups that
    only one side has.
    """

    comparisons: tuple[Comparison, ...]
    changes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
