"""`gemma-eval recompute RUN`: compute the measurements of a recorded run anew from its stored stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from gemma_eval.cli import completing, database
from gemma_eval.errors import UsageError
from gemma_eval.measure.again import Change, again, changes
from gemma_eval.measure.latency import DEFINITIONS_VERSION
from gemma_eval.records import Measurement, Outcome, Run
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store


@click.command(short_help="Compute the measurements of a run anew.")
@click.argument("run", default="latest", shell_complete=completing.runs)
@database.option
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
def recompute(*, run: str, database: Path, dry_run: bool) -> None:
    """Compute the times of RUN (an id from `gemma-eval runs`, or "latest") anew from its stored stamps.

    Nothing is generated: the formulas of this version are applied to what was recorded. What was watched
    while the run was made, its memory and energy, stays as it is.
    """
    recorded = _run(run, database)  # first, since to open a store would create one where there is none
    if dry_run:
        _echo(recorded, _outcomes(recorded, database), written=False)
        return
    with closing(open_store(database)) as store:
        outcomes = _outcomes(recorded, database)  # now that nobody else writes
        fresh = _measured_anew(outcomes)
        if fresh or recorded.definitions_version != DEFINITIONS_VERSION:
            store.replace_measurements(recorded.id, fresh, definitions_version=DEFINITIONS_VERSION)
    _echo(recorded, outcomes, written=True)


def _run(run_id: str, database: Path) -> Run:
    """Return a run. Raises UsageError: formulas of a newer version have measured it."""
    with closing(open_reader(database)) as reader:
        run = reader.run(run_id)
    if run.definitions_version > DEFINITIONS_VERSION:
        raise UsageError(
            f"run {run.id} was measured by version {run.definitions_version} of the definitions, "
            f"and this gemma_eval knows up to {DEFINITIONS_VERSION}; update gemma_eval"
        )
    return run


def _outcomes(run: Run, database: Path) -> Mapping[str, Outcome]:
    with closing(open_reader(database)) as reader:
        return reader.outcomes_by_key(run.id, scoring=0)  # other scores are beside the record, not in it


def _measured_anew(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Return the outcomes of which the measurement is another one now."""
    fresh = {key: replace(outcome, measurement=again(outcome)) for key, outcome in outcomes.items()}
    return {key: outcome for key, outcome in fresh.items() if outcome != outcomes[key]}


def _echo(run: Run, outcomes: Mapping[str, Outcome], *, written: bool) -> None:
    fresh = _measured_anew(outcomes)
    was, now = run.definitions_version, DEFINITIONS_VERSION
    if not fresh and was == now:
        click.echo(f"{run.id}: nothing to do, it is measured by version {now} of the definitions")
        return
    n = sum(outcome.measurement is not None for outcome in outcomes.values())
    versions = f"version {now}" if was == now else f"version {was} to {now}"
    click.echo(f"{run.id}: {len(fresh)} of {n} measurements are others now ({versions} of the definitions)")
    _echo_table(changes(_pairs(outcomes, fresh)))
    if not written:
        click.echo("nothing was written; leave out --dry-run to do that")


def _pairs(
    outcomes: Mapping[str, Outcome], fresh: Mapping[str, Outcome]
) -> list[tuple[Measurement | None, Measurement]]:
    both = ((outcomes[key].measurement, outcome.measurement) for key, outcome in fresh.items())
    return [(was, now) for was, now in both if now is not None]


def _echo_table(found: Sequence[Change]) -> None:
    rows = [(each.metric, str(each.changed), _largest(each)) for each in found if each.changed]
    if rows:
        rows = [("metric", "changed", "largest change"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for metric, changed, largest in rows:
            click.echo(f"{metric.ljust(widths[0])}  {changed.rjust(widths[1])}  {largest}")
    others = sum(not each.changed for each in found)
    if others:
        click.echo(f"metrics that have no value as before, for another reason: {others}")


def _largest(change: Change) -> str:
    """Say how far a metric has moved."""
    if change.largest is not None:
        return "from 0" if change.largest == float("inf") else f"{100 * change.largest:.3g} %"
    if change.found:
        return "had no value"
    return "has no value now" if change.lost else "another value"
