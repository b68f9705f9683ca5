"""The option that says which results database a command reads."""

from __future__ import annotations

from pathlib import Path

import click

from gemma_eval.cli import chosen


def default() -> Path:
    """Return the results database where none is given. Raises ConfigError."""
    return chosen.settings().database


option = click.option(
    "--db",
    "database",
    type=click.Path(path_type=Path),
    default=default,
    help="The results database.  [default: database of the settings, reports/gemma_eval.db]",
)
