"""The cases that both sides were asked, and how many others there are and why they are left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Case, Outcome, Source
from gemma_eval.verdict.sides import Pair

_WHATEVER_REPEATS = ("mean", "pass_at_k", "pass_hat_k")
"""The reductions that more repeats do not raise or lower: the maximum of ten is more than that of five."""

CaseKey = tuple[str, str]
"""A case by its suite and id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A case that asks the same on both sides, with the outcomes of its repeats."""

    key: CaseKey
    case: Case
    base: tuple[Outcome, ...]
    candidate: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cases:
    """What both sides were asked; how many cases ask something else now, and what only one side was asked."""

    asked: tuple[Asked, ...]
    changed: int
    base_alone: tuple[tuple[Outcome, ...], ...]
    candidate_alone: int

    @property
    def left_out(self) -> Iterator[str]:
        """Say how many cases are not held together, and why."""
        counts = (
            (self.changed, "changed"),
            (len(self.base_alone), "of the base alone"),
            (self.candidate_alone, "of the candidate alone"),
        )
        yield from (f"{counted(count)} {what}" for count, what in counts if count)


def cases(pair: Pair) -> Cases:
    """Hold the cases of two sides together by suite and id; a case counts as changed if it asks otherwise."""
    ours, theirs = _by_case(pair.base), _by_case(pair.candidate)
    both = [key for key in ours if key in theirs]
    asked = tuple(
        Asked(
            key=key,
            case=_case(ours[key]),
            base=tuple(ours[key]),
            candidate=tuple(theirs[key]),
        )
        for key in both
        if _question(_case(ours[key])) == _question(_case(theirs[key]))
    )
    return Cases(
        asked=asked,
        changed=len(both) - len(asked),
        base_alone=tuple(tuple(repeats) for key, repeats in ours.items() if key not in theirs),
        candidate_alone=len(theirs) - len(both),
    )


def counted(count: int) -> str:
    """Write so many cases: `1 case`, `2 cases`."""
    return f"{count} {'case' if count == 1 else 'cases'}"


def _by_case(outcomes: Sequence[Outcome]) -> Mapping[CaseKey, Sequence[Outcome]]:
    found: dict[CaseKey, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    return found


def _case(repeats: Sequence[Outcome]) -> Case:
    return repeats[0].trial.cell.case


def _question(case: Case) -> Case:
    """Return what a case asks and how it is judged, without where it stands and what it is run with."""
    return replace(
        case,
        source=Source(path="", line=0),
        models=(),
        profiles=(),
        templates=(),
        retrievals=(),
        tags=(),
        repeats=1 if case.reduce in _WHATEVER_REPEATS else case.repeats,
        warmup=0,
        slo=None,
        cluster=None,
        series=None,
        variables={},
    )
