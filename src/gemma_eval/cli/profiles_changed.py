"""`gemma-eval profiles set | copy | remove`: change profiles.json, all else in it kept as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import completing, edited
from gemma_eval.cli.edited import Where
from gemma_eval.errors import ConfigError, UnknownName, UsageError

if TYPE_CHECKING:
    from gemma_eval.config.as_written import AsWritten, Written
    from gemma_eval.config.edits import Changes
    from gemma_eval.records import SamplingProfile

FILE = "profiles.json"


@click.command("set", short_help="Change a profile, or make one.")
@click.argument("name", shell_complete=completing.profiles)
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--unset", multiple=True, metavar="KEY", help="Take a key out; may be given again.")
@edited.options
def set_(*, name: str, given: tuple[str, ...], unset: tuple[str, ...], where: Where) -> None:
    """Change keys of the profile NAME, or make it: `gemma-eval profiles set calm temperature=0.4 min_p=0.1`.

    Lists are written item by item (`stop=A stop=B`) or as JSON. A profile that ships stays as it is; what is
    written overrules it.
    """
    from gemma_eval.cli import pairs  # here, so that --help loads no pydantic
    from gemma_eval.config import edits, profiles
    from gemma_eval.config.profiles import ProfileRow

    changes: Changes = pairs.changes(ProfileRow, given, unset, noun="profile")
    if not changes:
        raise UsageError(f"nothing to set; give key=value, as gemma-eval profiles set {name} top_k=40")
    known = _known()
    all_of = known.of.get(name, ())
    path = edited.target(FILE, where, known=all_of)
    base = _in(path, name) or known.last(name)
    table = {} if base is None else base.table
    _refuse_flawed(name, edits.changed(table, changes))
    if base is not None and not edited.is_of(base, path):
        over = "; what is written overrules it" if edited.overrules(path, all_of) else ""
        click.echo(f"{name}: {edited.the_one(base)} stays as it is{over}", err=True)
    edited.write(
        path,
        lambda text: edits.set_profile(text, name, changes, base=table),
        check=profiles.parse,
        where=where,
    )
    _say_overruled(path, name, all_of)


@click.command(short_help="Copy a profile under another name.")
@click.argument("name", shell_complete=completing.profiles)
@click.argument("new")
@edited.options
def copy(*, name: str, new: str, where: Where) -> None:
    """Write what the profile NAME sets as the profile NEW, which must not be there yet."""
    from gemma_eval.config import edits, profiles

    known = _known()
    written = known.last(name)
    if written is None:
        raise UnknownName("profile", name, known.of)
    path = edited.target(FILE, where, known=())
    if new in known.of or _in(path, new) is not None:
        raise UsageError(
            f'there is a profile "{new}" already; change it with gemma-eval profiles set {new} …'
        )
    _refuse_flawed(new, written.table)
    table = written.table
    edited.write(path, lambda text: edits.with_profile(text, new, table), check=profiles.parse, where=where)


@click.command(short_help="Remove a profile.")
@click.argument("name", shell_complete=completing.profiles)
@edited.options
def remove(*, name: str, where: Where) -> None:
    """Take the profile NAME out of its file; what it overruled counts again."""
    from gemma_eval.config import as_written, edits, profiles

    edited.remove(
        "profile",
        name,
        file=FILE,
        where=where,
        known=_known().of,
        of_file=as_written.of_profile_file,
        edit=lambda text: edits.without_profile(text, name),
        check=profiles.parse,
    )


def _known() -> AsWritten[SamplingProfile]:
    from gemma_eval.config import as_written

    return as_written.of_profiles(edited.places())


def _in(path: Path, name: str) -> Written[SamplingProfile] | None:
    """Return the profile of a file, `None` where it has none of that name. Raises ConfigError."""
    from gemma_eval.config import as_written
    from gemma_eval.files.read import stands

    return as_written.of_profile_file(path).last(name) if stands(path) else None


def _refuse_flawed(name: str, table: Mapping[str, object]) -> None:
    """Raise UsageError for a profile that cannot be, or in which something could have no effect."""
    from gemma_eval.config import profiles

    text = json.dumps({"version": 1, "profiles": {name: table}})
    try:
        profiles.parse(text, path=Path(FILE))
    except ConfigError as error:
        raise UsageError("\n".join(problem.what for problem in error.problems)) from error


def _say_overruled(path: Path, name: str, all_of: tuple[Written[SamplingProfile], ...]) -> None:
    if other := edited.overruled_by(path, all_of):
        click.echo(f"{name}: {other} overrules it here", err=True)
