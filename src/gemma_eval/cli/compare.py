"""`gemma-eval compare BASE CANDIDATE`: how two runs, models, profiles, templates or retrievals differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from gemma_eval.cli import database
from gemma_eval.cli.figures import Figure
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Outcome, Run
from gemma_eval.report.comparisons import lines, wrapped
from gemma_eval.report.reductions import told
from gemma_eval.report.rescorings import told as scored_again
from gemma_eval.store.read import LATEST, Reader, open_reader
from gemma_eval.verdict.compare import compare as compare_sides
from gemma_eval.verdict.quality import MARGIN
from gemma_eval.verdict.sides import AXES, Axis, name_on, on
from gemma_eval.verdict.speed import Timing
from gemma_eval.wire import dump

_KINDS = "model, profile, template or retrieval"


@click.command(short_help="Say how runs, models, templates or others differ.")
@click.argument("base")
@click.argument("candidate")
@click.option("--run", help="The run in which the names are.  [default: latest]")
@click.option(
    "--margin",
    type=Figure(min=0, max=1, min_open=True, max_open=True),
    default=MARGIN,
    show_default=True,
    help="How much of a score may be lost.",
)
@database.option
@click.option("--json", "as_json", is_flag=True, help="Print the comparisons as JSON.")
def compare(
    *,
    base: str,
    candidate: str,
    run: str | None,
    margin: float,
    database: Path,
    as_json: bool,
) -> None:
    """Compare CANDIDATE with BASE: two runs (ids, "latest", "latest~1"), or two models, profiles, templates
    or retrievals of one run. Where a name is of two kinds, write it as template:NAME.

    Scores are held together case by case. A verdict is REGRESSED when the candidate is proved to be worse by
    more than the margin, PASS when it is proved not to be, and INCONCLUSIVE when the data show neither. The
    exit code is 0 whatever the verdict.
    """
    with closing(open_reader(database)) as reader:
        sides = _sides(reader, base, candidate, run=run)
    found = compare_sides(sides.base, sides.candidate, margin=margin, timing=_timing(sides.runs))
    if as_json:
        click.echo(json.dumps({"version": 1, **dump(found)}, indent=1))
        return
    for line in (*_unfinished(sides.runs), *lines(found), *_reduced(sides), *_scored_again(sides.runs)):
        click.echo(line)


def _timing(runs: Sequence[Run]) -> Timing:
    """Return how two sides were measured: in turn if they are of one run, or of one and its base."""
    first, last = runs[0], runs[-1]
    return Timing(together=first.id in (last.id, last.base) or last.id == first.base)


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """What is compared, and the runs that it is from."""

    base: Sequence[Outcome]
    candidate: Sequence[Outcome]
    runs: tuple[Run, ...]


def _sides(reader: Reader, base: str, candidate: str, *, run: str | None) -> _Sides:
    """Return the outcomes of two runs, or those of one run with one name and with the other.

    Raises UnknownName for what is neither, UsageError for what cannot be told apart.
    """
    known = {each.id for each in reader.runs()}
    are_runs = [_is_run(each, known) for each in (base, candidate)]
    if all(are_runs):
        return _two_runs(reader, base, candidate, run=run)
    whole = reader.run(run or LATEST)
    outcomes = _outcomes(reader, whole)
    chosen = _axis(outcomes, base, candidate)
    if chosen is None:
        names = {name for each in AXES for outcome in outcomes if (name := name_on(each, outcome))}
        for each, is_run in zip((base, candidate), are_runs, strict=True):
            if not is_run and _name(each) not in names:
                raise UnknownName(f"run, {_KINDS}", _name(each), sorted({*known, *names}))
        raise UsageError(
            f"{base} and {candidate} are not of one kind; give two runs, or two names of one kind"
        )
    if _name(base) == _name(candidate):
        raise UsageError(f"{base} is given twice: there is nothing to compare")
    ours, theirs = (on(chosen, outcomes, name=_name(each)) for each in (base, candidate))
    return _Sides(base=ours, candidate=theirs, runs=(whole,))


def _two_runs(reader: Reader, base: str, candidate: str, *, run: str | None) -> _Sides:
    if run is not None:
        raise UsageError("--run is for two names of one run, and two runs are given")
    first, second = reader.run(base), reader.run(candidate)
    if first.id == second.id:
        raise UsageError(f"run {first.id} is given twice: there is nothing to compare")
    return _Sides(base=_outcomes(reader, first), candidate=_outcomes(reader, second), runs=(first, second))


def _outcomes(reader: Reader, run: Run) -> Sequence[Outcome]:
    outcomes = reader.outcomes(run.id)
    if not outcomes:
        raise UsageError(f"run {run.id} has no recorded trial: there is nothing to compare")
    return outcomes


def _axis(outcomes: Sequence[Outcome], base: str, candidate: str) -> Axis | None:
    """Return the axis on which both are names, `None` if there is none."""
    names = {axis: {name_on(axis, outcome) for outcome in outcomes} for axis in AXES}
    named = [axis for axis in AXES if all(_is_named(each, axis, names[axis]) for each in (base, candidate))]
    if len(named) > 1:
        kinds = " and ".join(f"{axis}s" for axis in named)
        raise UsageError(
            f"{base} and {candidate} are {kinds}; write {named[0]}:{base} {named[0]}:{candidate}"
        )
    return named[0] if named else None


def _is_named(given: str, axis: Axis, names: set[str]) -> bool:
    prefix, separator, name = given.partition(":")
    return given in names or (bool(separator) and prefix == axis and name in names)


def _name(given: str) -> str:
    """Return a name without the axis that was written before it."""
    prefix, separator, name = given.partition(":")
    return name if separator and prefix in AXES else given


def _unfinished(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if run.state != "done":
            yield f"run {run.id} is {run.state}: not every trial that it planned is among its data"


def _reduced(sides: _Sides) -> Iterator[str]:
    """Say how repeats are reduced, where that is not by their mean."""
    text = told((*sides.base, *sides.candidate))
    if text is not None:
        yield from wrapped(f"score: {text}")


def _scored_again(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for text in scored_again(run):
            yield from wrapped(f"run {run.id} was scored again {text}")


def _is_run(name: str, known: set[str]) -> bool:
    return name in known or name.partition("~")[0] == LATEST
