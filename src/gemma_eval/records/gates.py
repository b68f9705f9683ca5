"""What is demanded of a candidate, what a person has accepted, and what became of each demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gemma_eval.records.answers import Group
from gemma_eval.records.cases import CaseKind, Source
from gemma_eval.records.verdicts import Comparison

Tier = Literal["critical", "supporting", "advisory"]
"""A *critical* gate that is proved to be broken fails the run, a *supporting* one warns, an *advisory* one
is shown."""

Percentile = Literal[90, 95, 99]

SCORE = "score"
UNSCORED = "unscored"
SHARES = (SCORE, UNSCORED)
"""The metrics that lie in 0..1 and of which the datum is the case; every other one is a cost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Which cells a gate is about: globs of names, and a tag that a case must have; `None` is all."""

    suite: str | None = None
    case: str | None = None
    tag: str | None = None
    kind: CaseKind | None = None
    model: str | None = None
    profile: str | None = None
    template: str | None = None
    retrieval: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One demand, on every group of model, profile, template and retrieval that it is about.

    Exactly one of these is set: `tolerance` is the share by which a cost may grow (0.05), `margin` how much
    of a score may be lost (0.02), `limit` the worst that the metric itself may be, whatever the base has.
    Of a cost, `percentile` takes the place of the typical value. A comparison of speed is looked at after
    certain numbers of blocks, from `min_blocks` to `max_blocks`.
    """

    id: str
    metric: str
    percentile: Percentile | None = None
    tolerance: float | None = None
    margin: float | None = None
    limit: float | None = None
    tier: Tier = "critical"
    where: Where = field(default_factory=Where)
    min_blocks: int = 5
    max_blocks: int = 20
    source: Source | None = None
    """Where it was written; `None` for one that holds when nothing is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """A regression that a person has accepted: until when, why, and how large it was.

    `difference` and `low` are those of the comparison that was accepted; dates are days (`2026-12-24`).
    """

    gate: str
    group: str
    difference: float
    low: float | None
    reason: str
    author: str
    run: str
    commit: str | None
    accepted: str
    expires: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gated:
    """What became of one gate in one group.

    `group` is that of the candidate and `label` names it shortly (`greedy · rag`). A micro-benchmark has no
    model and no profile, and its full name in the place of a template. `comparison.verdict` is
    the verdict. `p_adjusted` is what the p of the comparison is worth in its family: Holm's for gates of a
    tier that decides or warns, Benjamini and Hochberg's q for advisory ones. `acceptance` is the one that was
    found for it, also where it did not help.
    """

    gate: Gate
    group: Group
    label: str
    comparison: Comparison
    p_adjusted: float | None = None
    acceptance: Acceptance | None = None

    @property
    def id(self) -> str:
        """`gate-id[model/profile/template]`, then `/retrieval` where that has a name; unique within a run."""
        return f"{self.gate.id}[{self.group_id}]"

    @property
    def group_id(self) -> str:
        """`model/profile/template`; of a micro-benchmark, which has but a name, that name."""
        return "/".join(self.group.names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gating:
    """All gates of one candidate against one base.

    `candidate` is the id of its run, `base` that of the run it is held against, `None` where there is none,
    and `found` says in words how that was found. `blocks` are the pairs of engine starts that both were
    measured in, `None` where each was measured in a run of its own. `changes` say what sets the sides apart,
    `notes` what else a reader should know.

    The rest is what it takes to judge again: `spoiled` is why times of blocks are no good, "" if they are,
    `most_blocks` how many were asked for, `base_database` the path of the database of the base from the
    folder of the candidate's, `None` where it is the same, and `gates` all that were in force, those that are
    about nothing, too. Records of earlier versions have none of these.
    """

    candidate: str
    base: str | None
    found: str
    blocks: int | None
    gated: tuple[Gated, ...]
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    commits: Mapping[str, str | None] = field(default_factory=dict)
    """The commit of `base` and of `candidate`, `None` where it is not known."""
    spoiled: str = ""
    most_blocks: int | None = None
    base_database: str | None = None
    gates: tuple[Gate, ...] = ()
