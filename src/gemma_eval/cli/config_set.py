"""`gemma-eval config set` and `config unset`: change one key of a settings.yaml, and nothing else in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen
from gemma_eval.cli.edited import short, show_diff
from gemma_eval.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from gemma_eval.config.settings_keys import Key

_USER = click.option("--user", is_flag=True, help="Write into the folder of the user.")
_PROJECT = click.option(
    "--project", is_flag=True, help="Write into .gemma-eval of this project, which is made if need be."
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")


@click.command("set", short_help="Set a key of settings.yaml.")
@click.argument("key")
@click.argument("value")
@_USER
@_PROJECT
@_DRY_RUN
def set_(*, key: str, value: str, user: bool, project: bool, dry_run: bool) -> None:
    """Write VALUE for KEY into settings.yaml of the project, where there is one, else into that of the user.

    \b
        gemma-eval config set chat.model pocket
        gemma-eval config set suite_paths "[evals, more]" --project

    A path counts from the folder that holds .gemma-eval, or from that of the user. Comments, the order of
    the keys and all else in the file stay as they are; its earlier version is kept.
    """
    from gemma_eval.config import edit_settings, environment, settings

    known = settings.find(key)
    try:
        wanted = environment.value(known, value)
    except ValueError as error:
        raise UsageError(f"{key} {error}") from error
    file = _file(user=user, project=project)
    _write(file, partial(edit_settings.put, key=known, value=wanted), dry_run=dry_run)
    if not dry_run:
        _tell(known, file)


@click.command("unset", short_help="Take a key out of settings.yaml.")
@click.argument("key")
@_USER
@_PROJECT
@_DRY_RUN
def unset(*, key: str, user: bool, project: bool, dry_run: bool) -> None:
    """Take KEY out of settings.yaml of the project, where there is one, else out of that of the user."""
    from gemma_eval.config import edit_settings, settings
    from gemma_eval.files.read import stands

    known = settings.find(key)
    file = _file(user=user, project=project)
    if not stands(file):
        raise UsageError(f"{short(file)}: there is no such file, so nothing is set in it")
    _write(file, partial(edit_settings.drop, key=known), dry_run=dry_run)
    if not dry_run:
        _tell(known, file)


def backups() -> int:
    """Return how many earlier versions of a file are kept, also where it is the settings that are mended.

    That one of them is damaged is not said: the file that is changed here says so of itself.
    """
    from gemma_eval.config import settings
    from gemma_eval.config.changing import BACKUPS

    try:
        return settings.load(chosen.places(), environment=os.environ).backups
    except ConfigError:
        return BACKUPS


def _file(*, user: bool, project: bool) -> Path:
    """Return the settings.yaml that is meant. Raises UsageError."""
    from gemma_eval.config import settings
    from gemma_eval.config.places import PROJECT_FOLDER

    if user and project:
        raise UsageError("--user and --project name one file each; give one of them")
    known = {place.layer: file for place, file in settings.files(chosen.places())}
    if project and "project" not in known:
        return Path.cwd() / PROJECT_FOLDER / settings.FILE
    return known["user"] if user or "project" not in known else known["project"]


def _write(file: Path, edit: Callable[[str], str], *, dry_run: bool) -> None:
    from gemma_eval.config import settings_file
    from gemma_eval.config.changing import change

    check = partial(settings_file.parse, path=file)
    made = change(file, edit, check=check, backups=backups(), dry_run=dry_run)
    show_diff(made.diff().splitlines())
    if not made.is_one:
        click.echo(f"{short(file)}: nothing changes")


def _tell(key: Key, file: Path) -> None:
    """Say what the key is now, who overrules the file, and whether there is what it names."""
    from gemma_eval.cli.config_shown import value
    from gemma_eval.config import settings as config
    from gemma_eval.config import validation
    from gemma_eval.config.edit_settings import written

    try:
        settings = config.load(chosen.places(), environment=os.environ)
        wrong = [each.what for each in validation.check_names(settings, chosen.catalog())]
    except ConfigError:  # of another file or of the environment, and told by every other command
        return
    origin = settings.origin(key.name)
    is_other = origin.where not in ("", str(file))
    by = f", for what is said in {origin} overrules {short(file)}" if is_other else ""
    click.echo(f"{key.name} is {written(value(settings, key))}{by}")
    for what in wrong:
        if what.startswith(key.name):
            click.echo(what, err=True)
