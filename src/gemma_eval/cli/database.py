"""The option that says which results database a command reads."""

from __future__ import annotations

from pathlib import Path

import click

option = click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default=Path("reports/gemma_eval.db"),
    show_default=True,
    help="The results database.",
)
