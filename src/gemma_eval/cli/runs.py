"""`gemma-eval runs`: list the runs of a results database, newest first."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import database
from gemma_eval.records import Run
from gemma_eval.report.columns import columns
from gemma_eval.store.read import open_reader


@click.command()
@database.option
def runs(database: Path) -> None:
    """List the recorded runs, newest first."""
    with closing(open_reader(database)) as reader:
        recorded = reader.runs()
    if not recorded:
        click.echo(f"{database}: no run is recorded yet; run pytest --gemma-suite standard")
        return
    rows = [("run", "started (UTC)", "state", "planned", "suites"), *(_row(run) for run in recorded)]
    for line in columns(rows):
        click.echo(line)


def _row(run: Run) -> tuple[str, ...]:
    return run.id, run.started_utc[:19].replace("T", " "), run.state, str(run.planned), ", ".join(run.suites)
