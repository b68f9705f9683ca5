"""Says on stderr what a command does now: in a line that the next overwrites, or in lines of a log."""

from __future__ import annotations

import sys

import click


def say(what: str) -> None:
    """Show what is done now; an empty text takes away what was shown last."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what}", err=True, nl=False)
    elif what:
        click.echo(f"measuring: {what}", err=True)
