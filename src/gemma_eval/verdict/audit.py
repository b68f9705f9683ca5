"""How the gates of recorded runs fared: how often they decided, and whether they err more than they may.

A run that was held against another of the same commit and names is a comparison of the same with itself
(A/A): what is called REGRESSED there is wrong. All critical gates of a run together may do that in 5 % of
such runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from gemma_eval.records import Gated, Gating, Verdict
from gemma_eval.stats.looks import ALPHA

MOST_UNDECIDED = 0.2
"""With a larger share of gates that prove nothing, a margin or a budget does not fit the noise."""

DIRTY = "-dirty"
_COMPARED: tuple[Verdict, ...] = ("REGRESSED", "ACCEPTED", "PASS", "INCONCLUSIVE")
_WORSE: tuple[Verdict, ...] = ("REGRESSED", "ACCEPTED")


@dataclass(frozen=True, kw_only=True, slots=True)
class OfMetric:
    """How many gates of one metric there were, and how many had which verdict.

    `blocks` is the median number of blocks after which those that were measured in turn were decided or
    ended, `None` of none. `alike` are those that were compared with the same, `alike_regressed` of them were
    called REGRESSED, and that is wrong.
    """

    metric: str
    gates: int
    regressed: int
    passed: int
    inconclusive: int
    other: int
    blocks: float | None
    alike: int
    alike_regressed: int

    @property
    def is_undecided(self) -> bool:
        """Whether so many prove nothing that the margin or the budget is wrong."""
        return self.inconclusive > MOST_UNDECIDED * self.gates


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What became of the gates of so many `runs`.

    `alike` of the runs were held against the same commit and names by a critical gate. In `alike_regressed`
    of them one was called REGRESSED, which may be a share of `allowed`. `p` is how likely so many or more are
    where the share is just that, `None` without such a run.
    """

    runs: int
    metrics: tuple[OfMetric, ...]
    alike: int
    alike_regressed: int
    p: float | None
    allowed: float = ALPHA


def audit(gatings: Iterable[Gating]) -> Audit:
    """Return how the gates of runs fared, metrics in the order in which they first occur.

    An accepted regression is one. A limit is held against no base, so it has no part in comparisons of the
    same with itself. Source of p: the binomial distribution, exact, runs taken to be independent.
    """
    found = [gating for gating in gatings if gating.gated]
    alike = [gating for gating in found if is_alike(gating)]
    by_metric: dict[str, list[tuple[Gating, Gated]]] = {}
    for gating in found:
        for gated in gating.gated:
            by_metric.setdefault(_metric(gated), []).append((gating, gated))
    tried = [critical for gating in alike if (critical := _critical(gating))]
    erred = sum(any(each.comparison.verdict in _WORSE for each in critical) for critical in tried)
    return Audit(
        runs=len(found),
        metrics=tuple(_of_metric(metric, each) for metric, each in by_metric.items()),
        alike=len(tried),
        alike_regressed=erred,
        p=_p(erred, len(tried)) if tried else None,
    )


def is_alike(gating: Gating) -> bool:
    """Whether both sides were of the same commit, with nothing uncommitted, and the same names."""
    commits = [gating.commits.get(side) for side in ("base", "candidate")]
    is_same = commits[0] is not None and commits[0] == commits[1] and not commits[0].endswith(DIRTY)
    return gating.base is not None and is_same and not gating.changes


def _critical(gating: Gating) -> list[Gated]:
    return [each for each in gating.gated if each.gate.tier == "critical" and _is_compared(each)]


def _is_compared(gated: Gated) -> bool:
    return gated.gate.limit is None and gated.comparison.verdict in _COMPARED


def _metric(gated: Gated) -> str:
    gate = gated.gate
    return gate.metric if gate.percentile is None else f"{gate.metric} p{gate.percentile}"


def _of_metric(metric: str, found: Sequence[tuple[Gating, Gated]]) -> OfMetric:
    verdicts = [gated.comparison.verdict for _, gated in found]
    regressed, passed = sum(each in _WORSE for each in verdicts), verdicts.count("PASS")
    inconclusive = verdicts.count("INCONCLUSIVE")
    blocks = [
        gated.comparison.n for gating, gated in found if gating.blocks and gated.comparison.unit == "block"
    ]
    alike = [gated.comparison.verdict for gating, gated in found if is_alike(gating) and _is_compared(gated)]
    return OfMetric(
        metric=metric,
        gates=len(found),
        regressed=regressed,
        passed=passed,
        inconclusive=inconclusive,
        other=len(found) - regressed - passed - inconclusive,
        blocks=float(median(blocks)) if blocks else None,
        alike=len(alike),
        alike_regressed=sum(each in _WORSE for each in alike),
    )


def _p(erred: int, tried: int) -> float:
    """Return how likely `erred` or more of `tried` are where each errs with the share that is allowed."""
    from scipy.special import bdtrc

    return float(bdtrc(erred - 1, tried, ALPHA)) if erred else 1.0
