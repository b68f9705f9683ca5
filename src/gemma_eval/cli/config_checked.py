"""`gemma-eval config validate` and `config migrate`: whether files can be read, and their versions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, screen
from gemma_eval.cli.config_set import backups
from gemma_eval.cli.edited import places, short, show_diff
from gemma_eval.errors import ConfigError, Problem

if TYPE_CHECKING:
    from gemma_eval.config.migrations import Format

_PATHS = click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))


@click.command("validate", short_help="Check every file that people edit.")
@_PATHS
@screen.json_option
@click.pass_context
def validate(ctx: click.Context, *, paths: tuple[Path, ...], as_json: bool) -> None:
    """Check settings.yaml, models.toml, profiles.json and templates/ of all folders that count here.

    The variables of the environment are checked as well, and whether there is what the settings name. Given
    a PATH, a file or a folder of these, only that is checked. All that is wrong is told, with exit code 2.
    """
    from gemma_eval.config import validation

    files = tuple(_named(paths) if paths else _that_count())
    problems = [problem for file in files for problem in validation.check(file)]
    if not paths:
        problems += validation.check_environment(os.environ) or _of_names(problems)
    if as_json:
        screen.print_json([_as_json(problem) for problem in problems])
    else:
        _say(files, problems)
    ctx.exit(2 if problems else 0)


@click.command("migrate", short_help="Make files of earlier versions into those of today.")
@_PATHS
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.pass_context
def migrate(ctx: click.Context, *, paths: tuple[Path, ...], dry_run: bool) -> None:
    """Make settings.yaml, models.toml and profiles.json of an earlier version into those of today.

    Those of the user, of the project and of this folder; or each PATH. What changes is shown, and the earlier
    version kept. A file of a later version is left alone, which is told and ends with code 2.
    """
    from gemma_eval.config.migrations import FORMATS
    from gemma_eval.config.shipped import suites_directory

    files = _named(paths) if paths else (file for file in _that_count() if file.parent != suites_directory())
    refused: list[Problem] = []
    n_changed = 0
    for file in files:
        if file.name not in FORMATS:
            continue
        try:
            n_changed += _migrated(file, FORMATS[file.name], dry_run=dry_run)
        except ConfigError as error:
            refused.extend(error.problems)
    if refused:
        raise ConfigError(refused)
    if not n_changed:
        click.echo("every file is of the newest version")


def _migrated(file: Path, form: Format, *, dry_run: bool) -> bool:
    """Migrate a file and return whether it was of an earlier version. Raises ConfigError."""
    from gemma_eval.config import migrations
    from gemma_eval.config.changing import change

    made = change(
        file,
        partial(migrations.migrate, form=form),
        check=lambda text: form.check(text, file),
        backups=backups(),
        dry_run=dry_run,
    )
    show_diff(made.diff().splitlines())
    if made.is_one:
        click.echo(f"{short(file)}: {'would be' if dry_run else 'is now'} version {form.known}")
    return made.is_one


def _that_count() -> Iterator[Path]:
    """Yield the files of all folders that count here; what a suite has beside it counts but for settings."""
    from gemma_eval.config import validation
    from gemma_eval.config.settings import FILE

    seen: set[Path] = set()
    for place in places():
        for file in validation.files(place.folder):
            if file not in seen and not (place.layer == "suite" and file.name == FILE):
                seen.add(file)
                yield file


def _named(paths: Iterable[Path]) -> Iterator[Path]:
    from gemma_eval.config import validation

    for path in paths:
        yield from validation.named(path)


def _of_names(problems: Iterable[Problem]) -> list[Problem]:
    """Return what is wrong with the names in settings, which only files without problems can tell."""
    from gemma_eval.config import validation

    return [] if list(problems) else list(validation.check_names(chosen.settings(), chosen.catalog()))


def _say(files: Iterable[Path], problems: Iterable[Problem]) -> None:
    listed, wrong = list(files), list(problems)
    for problem in wrong:
        click.echo(problem)
    if not wrong:
        click.echo(
            f"{len(listed)} files can be read, and nothing is wrong with them" if listed else "no file"
        )


def _as_json(problem: Problem) -> dict[str, object]:
    return {"path": str(problem.path), "line": problem.line or None, "what": problem.what}
