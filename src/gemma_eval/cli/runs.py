"""`gemma-eval runs`: list the runs of a results database, newest first."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import database
from gemma_eval.cli.screen import json_option, print_json
from gemma_eval.records import Run
from gemma_eval.report import numbers
from gemma_eval.report.columns import columns
from gemma_eval.store.read import open_reader


@click.command()
@database.option
@json_option
def runs(*, database: Path, as_json: bool) -> None:
    """List the recorded runs, newest first."""
    with closing(open_reader(database)) as reader:
        recorded = reader.runs()
    if as_json:
        print_json([_table(run) for run in recorded])
        return
    if not recorded:
        click.echo(f"{database}: no run is recorded yet; run pytest --gemma-suite standard")
        return
    head = ("run", "started (UTC)", "state", "planned", "commit", "suites")
    rows = [head, *(_row(run) for run in recorded)]
    for line in columns(rows):
        click.echo(line)


def _table(run: Run) -> dict[str, object]:
    """Return a run as JSON has it; results.json of its report has all of it."""
    return {
        "id": run.id,
        "started_utc": run.started_utc,
        "ended_utc": run.ended_utc,
        "state": run.state,
        "planned": run.planned,
        "commit": run.commit,
        "suites": list(run.suites),
        "selection": run.selection,
        "base": run.base,
        "scorings": len(run.scorings),
        "noise": [] if run.noise is None else list(run.noise.reasons),
    }


def _row(run: Run) -> tuple[str, ...]:
    started = run.started_utc[:19].replace("T", " ")
    marks = (
        *(["noisy"] if run.noise is not None and run.noise.reasons else []),
        *(["scored again"] if run.scorings else []),
    )
    state = ", ".join((run.state, *marks))
    return run.id, started, state, str(run.planned), _commit(run), ", ".join(run.suites)


def _commit(run: Run) -> str:
    """Return the commit shortly, with whether files differed from it."""
    sha, dash, dirty = (run.commit or numbers.MISSING).partition("-")
    return f"{sha[:10]}{dash}{dirty}"
