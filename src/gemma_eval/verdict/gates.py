"""Every gate in every group that it is about gets the one verdict that holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gemma_eval.records import (
    MICROBENCHMARK,
    SCORE,
    SHARES,
    UNSCORED,
    Comparison,
    Gate,
    Gated,
    Group,
    Outcome,
    Run,
    Verdict,
)
from gemma_eval.stats.power import log_margin
from gemma_eval.stats.sequential import looks_between
from gemma_eval.verdict import microbenchmarks
from gemma_eval.verdict.cases import cases
from gemma_eval.verdict.comparable import engine_differs, judges_differ, speed_differs
from gemma_eval.verdict.costs import costs
from gemma_eval.verdict.family import adjusted
from gemma_eval.verdict.history import Earlier, prior_of
from gemma_eval.verdict.limits import cost_limit, score_limit, unscored_limit
from gemma_eval.verdict.quality import compare_scores
from gemma_eval.verdict.sides import Axis, Pair, group_of, label_of
from gemma_eval.verdict.speed import Timing, compare_costs
from gemma_eval.verdict.where import fits


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A run and its outcomes."""

    run: Run
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What is held against what: `base` is `None` where there is none.

    `instead` is the axis on which all of the base has another name than the candidate, and that name. The two
    were measured `together`, in turn; `spoiled` is why their times are then no good, "" if they are. `blocks`
    is the most that were asked for, `None` for what each gate says. `earlier` are runs of before.
    """

    base: Side | None
    candidate: Side
    together: bool = False
    instead: tuple[Axis, str] | None = None
    spoiled: str = ""
    blocks: int | None = None
    earlier: tuple[Earlier, ...] = ()


def judge(gates: Sequence[Gate], sides: Sides) -> tuple[Gated, ...]:
    """Return what became of each gate in each group of the candidate, and in those that it has lost."""
    found = [each for gate in gates for each in _gated(gate, sides)]
    return tuple(_unless_incomplete(each, sides) for each in adjusted(found))


def undecided(gated: Sequence[Gated]) -> tuple[Gated, ...]:
    """Return the gates that another block may decide: those of speed that are not advisory."""
    return tuple(
        each
        for each in gated
        if each.comparison.unit == "block"
        and each.comparison.verdict == "INCONCLUSIVE"
        and each.gate.tier != "advisory"
        and each.comparison.n < each.gate.max_blocks
    )


def _gated(gate: Gate, sides: Sides) -> Iterator[Gated]:
    if gate.metric == MICROBENCHMARK:
        sessions = microbenchmarks.Sessions(
            candidate=sides.candidate.run,
            base=None if sides.base is None else sides.base.run,
            earlier=[each.run for each in sides.earlier],
            together=sides.together,
        )
        yield from microbenchmarks.gated(gate, sessions)
        return
    yield from _present(gate, sides)
    yield from _missing(gate, sides)


def _present(gate: Gate, sides: Sides) -> Iterator[Gated]:
    outcomes = [each for each in sides.candidate.outcomes if fits(gate.where, each.trial.cell)]
    groups = dict.fromkeys(map(group_of, outcomes))
    for group in groups:
        candidate = tuple(each for each in outcomes if group_of(each) == group)
        label = label_of(group, tuple(groups))
        found = _compared(gate, group, candidate, sides, label=label)
        if found is not None:
            yield Gated(gate=gate, group=group, label=label, comparison=found)


def _missing(gate: Gate, sides: Sides) -> Iterator[Gated]:
    """Yield the groups that only the base has, where the candidate was run whole."""
    if sides.base is None or sides.instead is not None or sides.candidate.run.selection != "all":
        return
    ours, theirs = (
        [each for each in side.outcomes if fits(gate.where, each.trial.cell)]
        for side in (sides.base, sides.candidate)
    )
    here = dict.fromkeys(map(group_of, theirs))
    gone = [group for group in dict.fromkeys(map(group_of, ours)) if group not in here]
    for group in gone:
        if not _has(gate, [each for each in ours if group_of(each) == group]):
            continue
        label = label_of(group, (*here, *gone))
        reason = "the base has it, and the candidate was run whole and has it not"
        yield Gated(gate=gate, group=group, label=label, comparison=_none(gate, label, "MISSING", reason))


def _compared(
    gate: Gate, group: Group, candidate: tuple[Outcome, ...], sides: Sides, *, label: str
) -> Comparison | None:
    """Return the comparison of one group, `None` where the gate has nothing to be about."""
    is_cost = gate.metric not in SHARES
    if gate.limit is not None:
        found = _against_limit(gate, candidate, sides, shared=label)
        # What others take makes an engine slower, so what keeps a limit beside them would keep it alone.
        if not is_cost or found is None or found.verdict == "PASS":
            return found
        return _unless_noisy(found, _noise(replace(sides, base=None)))
    base = _counterpart(gate, group, sides)
    if not _has(gate, base):
        what = "no base was found" if sides.base is None else "the base has nothing of this"
        return _none(gate, label, "NEW", what) if _has(gate, candidate) else None
    pair = Pair(shared=label, base=base, candidate=candidate)
    if not is_cost:
        runs = [side.run for side in (sides.base, sides.candidate) if side is not None]
        if differ := "; ".join(judges_differ(runs, pair)):
            return _none(gate, label, "INCOMPARABLE", differ)
        return compare_scores(pair, margin=gate.margin or 0.0)
    return _speed(gate, pair, group, sides)


def _speed(gate: Gate, pair: Pair, group: Group, sides: Sides) -> Comparison | None:
    margin = gate.tolerance or 0.0
    timing = Timing(
        together=sides.together,
        looks=looks_of(gate, sides.blocks),
        prior=prior_of(
            sides.earlier,
            pair,
            gate.metric,
            together=sides.together,
            engines=(sides.base.run.engines if sides.base else {}, sides.candidate.run.engines),
        ),
        percentile=gate.percentile,
    )
    found = compare_costs(pair, gate.metric, tolerance=margin, timing=timing)
    if differs := _differences(pair, group, sides):
        known = found or _none(gate, pair.shared, "INCOMPARABLE", "")
        return replace(known, verdict="INCOMPARABLE", lean=None, reason="; ".join(differs))
    if found is None:
        return _without_values(gate, pair, sides)
    return _unless_noisy(found, _noise(sides))


def _unless_noisy(found: Comparison, noisy: str) -> Comparison:
    """Return INVALID for what noise may have made; what proves nothing on a quiet machine says why itself."""
    if not noisy or (found.low is None and found.high is None):
        return found
    return replace(found, verdict="INVALID", lean=None, reason=noisy)


def _without_values(gate: Gate, pair: Pair, sides: Sides) -> Comparison:
    """Return why no case has a value of a cost on both sides though the base has some."""
    if not _has(gate, pair.candidate) and sides.instead is None and sides.candidate.run.selection == "all":
        reason = "the base has values of it, and the candidate was run whole and has none"
        return _none(gate, pair.shared, "MISSING", reason)
    if cases(pair).asked:
        nothing = "no case has a value on both sides"
        if costs(pair, gate.metric, together=False) is not None:
            nothing = "there is no block in which a case has a value on both sides"
        return _none(gate, pair.shared, "INCONCLUSIVE", nothing)
    return _none(gate, pair.shared, "INCOMPARABLE", "no case asks the same on both sides")


def looks_of(gate: Gate, most: int | None) -> tuple[int, ...]:
    """Return after which blocks a gate is looked at, when no more than `most` are measured."""
    if most is None:
        return looks_between(gate.min_blocks, gate.max_blocks)
    return looks_between(min(gate.min_blocks, most), max(2, min(gate.max_blocks, most)))


def _noise(sides: Sides) -> str:
    """Return why times are not of the engine alone; blocks in turn have what disturbs them on both sides."""
    if sides.together:
        return sides.spoiled
    runs = [sides.candidate.run, *([sides.base.run] if sides.base else [])]
    noisy = [run.id for run in runs if run.noise is not None and run.noise.reasons]
    return f"made on a busy machine: run {' and run '.join(noisy)}" if noisy else ""


def _differences(pair: Pair, group: Group, sides: Sides) -> list[str]:
    """Return what keeps the times of both sides from being compared."""
    if sides.base is None:
        return []
    base, candidate = sides.base.run, sides.candidate.run
    declared = pair.base[0].trial.cell.model, pair.candidate[0].trial.cell.model
    engines = base.engines.get(declared[0].name), candidate.engines.get(group.model)
    return [*speed_differs(base, candidate), *engine_differs(*engines, declared=declared)]


def _against_limit(
    gate: Gate, candidate: Sequence[Outcome], sides: Sides, *, shared: str
) -> Comparison | None:
    limit = gate.limit or 0.0
    if gate.metric == SCORE:
        return score_limit(candidate, limit, shared=shared)
    if gate.metric == UNSCORED:
        return unscored_limit(candidate, limit, shared=shared)
    # Blocks in turn end when nothing is undecided, and by themselves when there are as many as was asked.
    looks = looks_of(gate, sides.blocks) if sides.together else None
    return cost_limit(candidate, gate.metric, limit, shared=shared, percent=gate.percentile, looks=looks)


def _counterpart(gate: Gate, group: Group, sides: Sides) -> tuple[Outcome, ...]:
    """Return what the base has of a group, of the cases that the gate is about."""
    if sides.base is None:
        return ()
    if sides.instead is not None:
        axis, name = sides.instead
        group = replace(group, **{axis: name})
    where = replace(gate.where, model=None, profile=None, template=None, retrieval=None)
    of_base = (each for each in sides.base.outcomes if group_of(each) == group)
    return tuple(each for each in of_base if fits(where, each.trial.cell))


def _has(gate: Gate, outcomes: Sequence[Outcome]) -> bool:
    """Whether anything was to be measured of the metric: a check, or a value of a cost."""
    if gate.metric in SHARES:
        return any(each.trial.cell.case.checks for each in outcomes)
    measured = (each.measurement for each in outcomes if each.measurement is not None)
    return any(getattr(each, gate.metric) is not None for each in measured)


def _unless_incomplete(gated: Gated, sides: Sides) -> Gated:
    """Return INCOMPLETE for what is known of a part of what was to be run; a limit needs no base."""
    base = sides.base if gated.gate.limit is None else None
    reason = next(
        (said for side in (sides.candidate, *([base] if base else [])) if (said := _incomplete(side.run))),
        "",
    )
    if not reason:
        return gated
    found = replace(gated.comparison, verdict="INCOMPLETE", lean=None, reason=reason)
    return replace(gated, comparison=found)


def _incomplete(run: Run) -> str:
    if run.state != "done":
        return f"run {run.id} is {run.state}: not every trial that it planned is recorded"
    if run.selection == "part":
        return f"run {run.id} is of a part of its suites; run them whole"
    return ""


def _none(gate: Gate, label: str, verdict: Verdict, reason: str) -> Comparison:
    """Return a comparison without data."""
    return Comparison(
        metric=gate.metric,
        shared=label,
        unit="case" if gate.metric in SHARES else "run",
        n=0,
        base=None,
        candidate=None,
        difference=None,
        low=None,
        high=None,
        level=0.05,
        margin=gate.margin if gate.margin is not None else log_margin(gate.tolerance or 0.0),
        detectable=None,
        needed=None,
        verdict=verdict,
        reason=reason,
    )
