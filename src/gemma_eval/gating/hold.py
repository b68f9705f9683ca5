"""Holds a recorded run against its base by every gate in force, with what runs of before say of noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gemma_eval.gating.baseline import Baseline
from gemma_eval.records import Acceptance, Gate, Gated, Gating, Outcome, Run
from gemma_eval.store.read import Reader, open_reader
from gemma_eval.verdict.accepting import accepted
from gemma_eval.verdict.comparable import is_same_machine
from gemma_eval.verdict.edited import edited
from gemma_eval.verdict.gates import Side, Sides, judge
from gemma_eval.verdict.history import MOST, Earlier
from gemma_eval.verdict.sides import AXES, Axis, changes, name_on


@dataclass(frozen=True, kw_only=True)
class Held:
    """A run with its outcomes, the base that was found for it, and what is demanded.

    `together` is whether both were measured in turn, `blocks` the most that were asked for. `today` is a day.
    """

    run: Run
    outcomes: tuple[Outcome, ...]
    base: Baseline
    gates: tuple[Gate, ...]
    together: bool = False
    blocks: int | None = None
    spoiled: str = ""
    acceptances: tuple[Acceptance, ...] = ()
    today: str = ""


def hold(held: Held, *, earlier: tuple[Earlier, ...] = ()) -> Gating:
    """Return what became of every gate. Raises StoreError when the base cannot be read."""
    base = held.base.run
    theirs = held.base.outcomes()
    sides = Sides(
        base=None if base is None else Side(run=base, outcomes=theirs),
        candidate=Side(run=held.run, outcomes=held.outcomes),
        together=held.together,
        instead=_instead(theirs, held.outcomes) if held.together else None,
        spoiled=held.spoiled,
        blocks=held.blocks,
        earlier=earlier,
    )
    found = judge(held.gates, sides)
    return Gating(
        candidate=held.run.id,
        base=None if base is None else base.id,
        found=held.base.found,
        blocks=_blocks(held.outcomes, theirs) if held.together else None,
        gated=tuple(accepted(each, held.acceptances, today=held.today) for each in found),
        changes=_changes(theirs, held.outcomes),
        notes=(*_notes(found), *_scorings(held.run), *(() if base is None else _scorings(base))),
        commits={"candidate": held.run.commit, **({} if base is None else {"base": base.commit})},
        spoiled=held.spoiled,
        most_blocks=held.blocks,
        base_database=held.base.elsewhere,
        gates=held.gates,
    )


def earlier_runs(reader: Reader, run: Run, *, together: bool) -> tuple[Earlier, ...]:
    """Return the finished runs before one, of its suites and on its machine, newest first. Raises StoreError.

    Of those that were measured `together` with a base come both sides; of others those that are not noisy and
    no base of another: such a one is nearer to that than two runs by themselves are.
    """
    recorded = reader.runs()
    bases = {each.base for each in recorded}
    at = next((index for index, each in enumerate(recorded) if each.id == run.id), -1)
    found = [
        each
        for each in recorded[at + 1 :]
        if each.state == "done"
        and each.definitions_version == run.definitions_version
        and each.id not in bases
        and is_same_machine(each.host, run.host)
        and set(run.suites) <= set(each.suites)
        and (each.base is not None if together else not (each.noise and each.noise.reasons))
    ]
    return tuple(
        Earlier(
            run=each,
            outcomes=reader.outcomes(each.id),
            base=reader.outcomes(each.base) if together and each.base is not None else (),
            base_engines=reader.run(each.base).engines if together and each.base is not None else {},
        )
        for each in found[:MOST]
    )


def of_base_run(reader: Reader, run: Run, database: Path, *, found: str = "") -> Baseline:
    """Return the run that was measured in turn with a run. Raises UnknownName, StoreError."""
    base = None if run.base is None else reader.run(run.base)
    return Baseline(run=base, database=database, found=found or "measured in turn")


def read_earlier(database: Path, run: Run, *, together: bool) -> tuple[Earlier, ...]:
    """Open the database and return the earlier runs of it. Raises StoreError."""
    with closing(open_reader(database)) as reader:
        return earlier_runs(reader, run, together=together)


def _instead(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[Axis, str] | None:
    """Return the axis on which all of the base has another name than all of the candidate."""
    for axis in AXES:
        ours, theirs = ({name_on(axis, each) for each in side} for side in (candidate, base))
        if len(ours) == len(theirs) == 1 and ours != theirs:
            return axis, theirs.pop()
    return None


def _blocks(*sides: Sequence[Outcome]) -> int:
    ours, theirs = ({each.trial.block for each in side} - {0} for side in sides)
    return len(ours & theirs)


def _scorings(run: Run) -> Iterator[str]:
    """Say that a run is judged by other scores than those that it was made with."""
    if run.scorings:
        newest = run.scorings[-1]
        yield f"run {run.id} was scored again, and is judged by scoring {newest.number} of {newest.at_utc}"


def _changes(base: Sequence[Outcome], candidate: Sequence[Outcome]) -> tuple[str, ...]:
    if not base or not candidate:
        return ()
    return (*changes(base, candidate), *edited(base, candidate))


def _notes(gated: Sequence[Gated]) -> Iterator[str]:
    """Say when the gates ask for more than was measured."""
    open_ = sum(each.comparison.verdict == "INCONCLUSIVE" for each in gated)
    if gated and open_ > len(gated) / 5:
        yield (
            f"{open_} of {len(gated)} gates prove nothing: more blocks or cases, or wider margins, "
            "would let them decide"
        )
