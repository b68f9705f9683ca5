"""The ledger of a mean's variance: how much of it is of the cases, and how much of repeating one.

    se² = (between + within / repeats) / cases

More repeats of the same cases can only take away the second part; more cases take away both.
Source: Miller 2024, arXiv 2411.00640, section 3.1; Searle, Casella and McCulloch 1992, Variance Components,
section 3.6 (the estimate from the analysis of variance).

Where several judges gave each score, those who were asked are a sample of those who might have been, and how
strict they are differs: se² = between judges / judges, which no number of cases or repeats takes away.
Source: Shrout and Fleiss 1979, Psychological Bulletin 86:420-428, case 2 (the same judges rate all).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.stats.percentiles import mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """The variance `between` cases, and `within` one from repeat to repeat.

    `within` is `None` where no case was repeated, and then part of `between`.
    """

    cases: int
    repeats: float
    between: float
    within: float | None


def ledger(scores: Sequence[Sequence[float]]) -> Ledger | None:
    """Return the ledger of the scores of each case, one per repeat; `None` of fewer than two cases.

    Cases are the data, so each counts alike. `repeats` is the number of repeats, the harmonic mean where they
    differ. A variance between cases that comes out below 0 is 0.
    """
    cases = [case for case in scores if case]
    if len(cases) < 2:
        return None
    means = [math.fsum(case) / len(case) for case in cases]
    total = _squares(means) / (len(cases) - 1)
    harmonic = len(cases) / math.fsum(1 / len(case) for case in cases)
    free = sum(len(case) - 1 for case in cases)
    if not free:
        return Ledger(cases=len(cases), repeats=harmonic, between=total, within=None)
    within = math.fsum(_squares(case) for case in cases) / free
    between = max(0.0, total - within / harmonic)
    return Ledger(cases=len(cases), repeats=harmonic, between=between, within=within)


def standard_error(of: Ledger, *, cases: float | None = None, repeats: float | None = None) -> float | None:
    """Return the standard error of the mean with other numbers of cases and repeats, by default those it has.

    `None` of other repeats where none were made: what they would change is not known.
    """
    if of.within is None and repeats not in (None, of.repeats):
        return None
    variance = of.between + (of.within or 0.0) / (repeats or of.repeats)
    return math.sqrt(variance / (cases or of.cases))


def judge_error(votes: Sequence[Sequence[float]]) -> float | None:
    """Return the standard error of a mean that comes from which judges gave the votes: a row for each answer.

    Only answers with the votes of all judges count. `None` of fewer than two of them, or of one judge. A
    variance between judges that comes out below 0 is 0.
    """
    judges = max(map(len, votes), default=0)
    rows = [row for row in votes if len(row) == judges]
    if judges < 2 or len(rows) < 2:
        return None
    columns = [[row[judge] for row in rows] for judge in range(judges)]
    means = [math.fsum(column) / len(rows) for column in columns]
    of_judges = len(rows) * _squares(means) / (judges - 1)
    of_rows = judges * _squares([math.fsum(row) / judges for row in rows])
    total = _squares([value for row in rows for value in row])
    rest = (total - of_rows - of_judges * (judges - 1)) / ((len(rows) - 1) * (judges - 1))
    return math.sqrt(max(0.0, of_judges - rest) / len(rows) / judges)


def _squares(values: Sequence[float]) -> float:
    center = mean(values)
    return 0.0 if center is None else math.fsum((value - center) ** 2 for value in values)
