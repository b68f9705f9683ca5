"""`gemma-eval export RUN`: write a recorded run in a format that other tools read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from gemma_eval.cli import chosen, completing, database
from gemma_eval.store.read import open_reader

NAMES = ("csv", "eee", "lm-eval", "parquet")


@click.command(short_help="Write a recorded run for other tools.")
@click.argument("run", default="latest", shell_complete=completing.runs)
@click.option(
    "--format",
    "name",
    type=click.Choice(NAMES),
    required=True,
    help="Tables, Every Eval Ever 0.3.0, or the files of lm-evaluation-harness.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that gets the files.  [default: RUN/FORMAT in reports of the settings, reports]",
)
@click.option("--replace", is_flag=True, help="Write over files that are there already.")
@database.option
def export(*, run: str, name: str, folder: Path | None, replace: bool, database: Path) -> None:
    """Write RUN (an id from `gemma-eval runs`, or "latest") from the database as files for other tools.

    The same run gives the same bytes. Files that are there already are not touched without --replace.
    """
    from gemma_eval.report.exports.files import write  # here, so that --help loads no NumPy
    from gemma_eval.report.exports.formats import FORMATS
    from gemma_eval.run import make_report

    with closing(open_reader(database)) as reader:
        recorded = reader.run(run)
        report = make_report(recorded, reader.outcomes(recorded.id))
    files = FORMATS[name](report)
    target = folder or chosen.settings().reports / recorded.id / name
    for path in write(files, folder=target, existing="replace" if replace else "refuse"):
        click.echo(path)
