"""`gemma-eval report RUN`: write the reports of a recorded run again."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from gemma_eval.cli import chosen, completing, database
from gemma_eval.plugins import Registry
from gemma_eval.store.read import LATEST, open_reader


@click.command(short_help="Write the reports of a recorded run again.")
@click.argument("run", default="latest", shell_complete=completing.runs)
@database.option
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: chosen.settings().reports,
    help="The folder that gets RUN/report.md, report.html and results.json.  "
    "[default: reports of the settings, reports]",
)
@click.option(
    "--scoring",
    type=click.IntRange(min=0),
    help="Which scores, where the run was scored again; 0 are the original ones.  [default: the newest]",
)
@click.pass_obj
def report(registry: Registry, run: str, database: Path, folder: Path, scoring: int | None) -> None:
    """Write the reports of RUN (an id from `gemma-eval runs`, or "latest") from the database."""
    from gemma_eval.report.render import write  # here, so that --help loads no NumPy
    from gemma_eval.run import make_report

    with closing(open_reader(database)) as reader:
        recorded = reader.run(run)
        outcomes = reader.outcomes(recorded.id, scoring=LATEST if scoring is None else scoring)
        if scoring is not None:
            recorded = replace(recorded, scorings=recorded.scorings[:scoring])
        whole = make_report(recorded, outcomes, gating=reader.gating(recorded.id))
    reporters = [registry.reporters[name]() for name in registry.reporters]
    for path in write(whole, reporters=reporters, folder=folder):
        click.echo(path)
