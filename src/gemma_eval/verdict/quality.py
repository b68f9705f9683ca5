"""The scores of two sides on the same cases: paired differences, of which the datum is the case.

A case's score is the mean over its repeats, so answers to one question are never taken for several data.
Right and wrong answers to cases that are asked once have exact bounds. Other scores have those of a paired
mean, with the largest spread that scores can have where few differ. Cases of one cluster are one datum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import Case, Comparison, Outcome, Source
from gemma_eval.stats.binary import discordance
from gemma_eval.stats.bounds import Bounds
from gemma_eval.stats.exact import exact_bounds
from gemma_eval.stats.looks import ALPHA
from gemma_eval.stats.paired import Paired, bounds, paired
from gemma_eval.stats.percentiles import mean
from gemma_eval.stats.power import deciding, detectable
from gemma_eval.verdict.decide import decide
from gemma_eval.verdict.sides import Pair

MARGIN = 0.02
"""How much of a score may be lost when nothing else is said: 2 points of 100."""

_Key = tuple[str, str]
"""A case by its suite and id."""

_SPAN = 1.0
"""The most that two scores differ by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shared:
    """A case that both sides were asked and that both have a score of."""

    case: Case
    base: float
    candidate: float

    @property
    def difference(self) -> float:
        return self.base - self.candidate

    @property
    def cluster(self) -> object:
        """What its datum goes by: its cluster, or itself."""
        return self.case.id if self.case.cluster is None else ("cluster", self.case.cluster)


def compare_scores(pair: Pair, *, margin: float = MARGIN, level: float = ALPHA) -> Comparison | None:
    """Return how the scores of a candidate differ from those of a base, `None` when neither has any.

    Only cases that ask the same, and of which every repeat has a score on both sides, are held together.
    """
    ours, theirs = _scored(pair.base), _scored(pair.candidate)
    if not ours and not theirs:
        return None
    shared = tuple(_shared(ours, theirs))
    left_out = tuple(_left_out(ours, theirs, len(shared)))
    empty = _comparison(pair, shared, margin=margin, level=level, left_out=left_out)
    of = paired([each.difference for each in shared], clusters=[each.cluster for each in shared], span=_SPAN)
    if of is None:
        return replace(empty, verdict="INCOMPARABLE", reason="no case asks the same on both sides")
    if _are_identical(pair, shared):
        return replace(empty, difference=0.0, low=0.0, high=0.0, verdict="PASS", lean="identical")
    found = _bounds(shared, of, level=level)
    verdict, lean = decide(found, difference=of.mean, margin=margin)
    decided = replace(
        empty,
        unit="case" if of.data == of.n else "cluster",
        n=of.data,
        difference=of.mean,
        low=found.low,
        high=found.high,
        detectable=None if not of.sd else detectable(of.sd, of.data, level=level, margin=margin, df=of.df),
        verdict=verdict,
        lean=lean,
    )
    if verdict != "INCONCLUSIVE" or not of.sd:
        return decided
    needed = deciding(of.sd, of.mean, margin=margin, level=level)
    # Few data that differ have wider bounds than their spread would give, so that more of them are needed.
    return replace(decided, needed=None if needed is None else max(needed, of.data + 1))


def _comparison(
    pair: Pair, shared: Sequence[_Shared], *, margin: float, level: float, left_out: tuple[str, ...]
) -> Comparison:
    """Return a comparison of which nothing is known yet but its data."""
    return Comparison(
        metric="score",
        shared=pair.shared,
        unit="case",
        n=len(shared),
        base=mean([each.base for each in shared]),
        candidate=mean([each.candidate for each in shared]),
        difference=None,
        low=None,
        high=None,
        level=level,
        margin=margin,
        detectable=None,
        needed=None,
        verdict="INCONCLUSIVE",
        left_out=left_out,
    )


def _bounds(shared: Sequence[_Shared], of: Paired, *, level: float) -> Bounds:
    counted = discordance([each.difference for each in shared])
    is_binary = all(score in (0.0, 1.0) for each in shared for score in (each.base, each.candidate))
    if counted is None or not is_binary or of.data < of.n:
        return bounds(of, level=level)
    return exact_bounds(counted.worse, counted.better, n=counted.n, level=level)


def _scored(outcomes: Sequence[Outcome]) -> Mapping[_Key, tuple[Case, float | None]]:
    """Return each case that has checks, with its score over all repeats, `None` where one has none."""
    found: dict[_Key, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.trial.cell.case.checks:
            found[outcome.trial.cell.suite, outcome.trial.cell.case.id].append(outcome)
    return {key: (members[0].trial.cell.case, _score(members)) for key, members in found.items()}


def _score(repeats: Sequence[Outcome]) -> float | None:
    known = [outcome.score for outcome in repeats if outcome.failure is None and outcome.score is not None]
    return mean(known) if len(known) == len(repeats) else None


def _shared(
    ours: Mapping[_Key, tuple[Case, float | None]], theirs: Mapping[_Key, tuple[Case, float | None]]
) -> Iterator[_Shared]:
    for key, (case, base) in ours.items():
        other, candidate = theirs.get(key, (None, None))
        if other is not None and _asked(case) == _asked(other) and base is not None and candidate is not None:
            yield _Shared(case=case, base=base, candidate=candidate)


def _left_out(
    ours: Mapping[_Key, tuple[Case, float | None]],
    theirs: Mapping[_Key, tuple[Case, float | None]],
    n_shared: int,
) -> Iterator[str]:
    """Say how many cases are not held together, and why."""
    both = [key for key in ours if key in theirs]
    changed = sum(_asked(ours[key][0]) != _asked(theirs[key][0]) for key in both)
    counts = (
        (len(both) - changed - n_shared, "without a score"),
        (changed, "changed"),
        (len(ours) - len(both), "of the base alone"),
        (len(theirs) - len(both), "of the candidate alone"),
    )
    for count, what in counts:
        if count:
            yield f"{count} {'case' if count == 1 else 'cases'} {what}"


def _asked(case: Case) -> Case:
    """Return what a case asks and how it is judged, without where it stands and what it is run with."""
    nowhere = Source(path="", line=0)
    return replace(
        case, source=nowhere, models=(), profiles=(), templates=(), tags=(), repeats=1, warmup=0, slo=None
    )


def _are_identical(pair: Pair, shared: Sequence[_Shared]) -> bool:
    """Return whether both sides wrote the same text in every repeat of every case, and it scored the same."""
    cases = {each.case.id for each in shared}

    def texts(outcomes: Sequence[Outcome]) -> Mapping[tuple[str, str, int], str | None]:
        return {
            (outcome.trial.cell.suite, outcome.trial.cell.case.id, outcome.trial.repeat): (
                None if outcome.generation is None else outcome.generation.text
            )
            for outcome in outcomes
            if outcome.trial.cell.case.id in cases
        }

    ours = texts(pair.base)
    is_same = ours == texts(pair.candidate) and None not in ours.values()
    return is_same and all(each.difference == 0 for each in shared)
