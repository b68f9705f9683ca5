"""`gemma-eval config restore FILE`: bring an earlier version of a file back, after a look at it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import screen
from gemma_eval.cli.config_set import backups
from gemma_eval.cli.edited import short, show_diff
from gemma_eval.errors import UsageError

if TYPE_CHECKING:
    from gemma_eval.config.restoring import Kept, Restoring


@click.command("restore", short_help="Bring an earlier version of a file back.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--list", "lists", is_flag=True, help="List the versions that are kept, and restore nothing.")
@click.option("--from", "version", metavar="NAME", help="A version of --list; else the newest that differs.")
@click.option("--yes", is_flag=True, help="Restore it without a question.")
@screen.json_option
def restore(*, file: Path, lists: bool, version: str | None, yes: bool, as_json: bool) -> None:
    """Bring the last good version of FILE back: of a profiles.json, models.toml or settings.yaml.

    Versions are kept beside the file in .backups, each time that a command changes it. What would change is
    shown first. What is in the file now is kept there, too: as NAME.damaged-TIME where it cannot be read.
    """
    from gemma_eval.config import restoring

    if as_json and (yes or version):
        raise UsageError("--json lists the versions and restores nothing; leave it out to restore one")
    if lists or as_json:
        _show(restoring.kept(file), as_json=as_json)
        return
    planned = restoring.plan(file, version=version)
    _show_plan(planned)
    if not (yes or _is_wanted()):
        click.echo("nothing is restored")
        return
    kept = restoring.restore(planned, backups=backups())
    there = "" if kept is None else f"; what was there is kept as {short(kept)}"
    click.echo(f"{short(file)}: is as on {planned.version.when} again{there}")


def _show(kept: tuple[Kept, ...], *, as_json: bool) -> None:
    if as_json:
        screen.print_json(
            [
                {"name": each.backup.path.name, "kept_utc": each.backup.at.isoformat(), "flaw": each.flaw}
                for each in kept
            ]
        )
    elif not kept:
        click.echo("no version is kept: no command has changed the file yet")
    else:
        rows = [(each.backup.path.name, each.backup.when, each.flaw or "can be read") for each in kept]
        screen.table(("name", "kept", ""), rows)


def _show_plan(planned: Restoring) -> None:
    found = "there is no file" if planned.found is None else planned.flaw or "can be read as it is"
    click.echo(f"{short(planned.path)}: {found}; its version of {planned.version.when} would bring back:")
    show_diff(planned.diff().splitlines())


def _is_wanted() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nothing is restored without a question where nobody can answer it; add --yes")
    return click.confirm("restore it?")
