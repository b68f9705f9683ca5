"""Which file a command edits, how it does so, and what it shows of the change."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from gemma_eval.cli import chosen
from gemma_eval.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from gemma_eval.config.as_written import AsWritten, Written
    from gemma_eval.config.places import Place

T = TypeVar("T")

Which = Literal["user", "project"]
_NAMES = ("models.toml", "profiles.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """What a person says of the file that is to be edited; `which` and `file` are not both given."""

    which: Which | None = None
    file: Path | None = None
    dry_run: bool = False


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose a file and hold the writing back, as one `where`."""

    @wraps(command)
    def run(
        *args: object, user: bool, project: bool, file: Path | None, dry_run: bool, **own: object
    ) -> None:
        if user + project + (file is not None) > 1:
            raise UsageError("--user, --project and --file name one file each; give one of them")
        which: Which | None = "user" if user else "project" if project else None
        command(*args, where=Where(which=which, file=file, dry_run=dry_run), **own)

    decorated: Callable[..., None] = run
    for decorate in (
        click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing."),
        click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Write into this file."),
        click.option("--project", is_flag=True, help="Write into .gemma-eval of this project."),
        click.option("--user", is_flag=True, help="Write into the folder of the user."),
    ):
        decorated = decorate(decorated)
    return decorated


def places() -> tuple[Place, ...]:
    """Return the folders that count here by precedence, the one that one works in last."""
    from gemma_eval.config.places import Place

    return (*chosen.places(), Place(layer="suite", folder=Path.cwd()))


def target(name: str, where: Where, *, known: Collection[Written[object]]) -> Path:
    """Return the path of the file called `name` that is to be edited; `known` is what has the entry already.

    Where nobody says which, it is the last of those that may be edited, else that of the project where there
    is one, else the user's. Raises UsageError.
    """
    if where.file is not None:
        if where.file.suffix != Path(name).suffix:
            raise UsageError(f"{where.file}: is no {Path(name).suffix} file; give one, as {name}")
        return where.file.absolute()
    own = [written.path for written in known if written.layer != "built-in"]
    if where.which is None and own:
        return own[-1]
    by_layer = {place.layer: place.folder for place in places()}
    if where.which == "project" and "project" not in by_layer:
        from gemma_eval.config.places import PROJECT_FOLDER

        return Path.cwd() / PROJECT_FOLDER / name
    layer = where.which or ("project" if "project" in by_layer else "user")
    return by_layer[layer] / name


def write(path: Path, edit: Callable[[str], str], *, check: Callable[..., object], where: Where) -> None:
    """Edit a file, unless it is a dry run, and show what changes. Raises ConfigError, UsageError."""
    from gemma_eval.config.changing import change
    from gemma_eval.config.files import parse_table

    def checked(text: str) -> str:
        if text.strip():
            _, problems = parse_table(text, path=path)
            problems.stop()
        return edit(text)

    made = change(
        path,
        checked,
        check=lambda text: check(text, path=path),
        backups=chosen.settings().backups,
        dry_run=where.dry_run,
    )
    if not made.is_one:
        click.echo(f"{short(path)}: nothing changes")
        return
    show_diff(made.diff().splitlines())
    click.echo(
        f"{short(path)}: {'would be' if where.dry_run else 'is'} {'changed' if made.before else 'made'}"
    )
    if path.name not in _NAMES:
        name = next(name for name in _NAMES if name.endswith(path.suffix))
        click.echo(f"{short(path)}: is read by nothing until it is called {name}", err=True)


def remove(  # noqa: PLR0913 - what a kind of thing has of its own, each by its name
    noun: Literal["model", "profile"],
    name: str,
    *,
    file: str,
    where: Where,
    known: Mapping[str, Sequence[Written[T]]],
    of_file: Callable[[Path], AsWritten[T]],
    edit: Callable[[str], str],
    check: Callable[..., object],
) -> None:
    """Take what is called `name` out of the file called `file`, and say what counts again.

    Raises UnknownName, UsageError where another file has it, ConfigError.
    """
    from gemma_eval.files.read import stands

    all_of = known.get(name, ())
    path = target(file, where, known=all_of)
    if not stands(path) or of_file(path).last(name) is None:
        if not all_of:
            raise UnknownName(noun, name, known)
        raise UsageError(f'{short(path)}: has no {noun} "{name}"; there is {the_one(all_of[-1])}')
    write(path, edit, check=check, where=where)
    others = [each for each in all_of if not is_of(each, path)]
    if others and not where.dry_run and is_of(all_of[-1], path):
        click.echo(f"{name}: {the_one(others[-1])} counts again", err=True)


def show_diff(lines: Iterable[str]) -> None:
    """Print a diff in the usual colours."""
    for line in lines:
        head = line[:3] in ("---", "+++")
        colour = None if head else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        click.secho(line, fg=colour, bold=head or None)


def short(path: Path) -> str:
    """Return a path as it is written from here, where that is below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        home = os.path.expanduser("~")  # noqa: PTH111 - a home that nobody has is no error here
        return f"~{str(path).removeprefix(home)}" if str(path).startswith(f"{home}/") else str(path)


def is_of(written: Written[object], path: Path) -> bool:
    """Whether something stands in a file."""
    return os.path.realpath(written.path) == os.path.realpath(path)


def the_one(written: Written[object]) -> str:
    """Return the one of several of a name that is meant, in words."""
    ships = written.layer == "built-in"
    return "the one that ships" if ships else f"the one in {short(written.path)}"


def overrules(path: Path, known: Iterable[Written[object]]) -> bool:
    """Whether what is written into `path` counts here before all that have the name already."""
    is_read = any(place.folder / path.name == path for place in places()) and path.name in _NAMES
    return is_read and overruled_by(path, known) is None


def overruled_by(path: Path, known: Iterable[Written[object]]) -> str | None:
    """Return the file that overrules what was written into `path`, `None` where that counts."""
    later = [written for written in known if written.layer != "built-in"]
    layers = [os.path.realpath(written.path) for written in later]
    if os.path.realpath(path) in layers:
        later = later[layers.index(os.path.realpath(path)) + 1 :]
    else:
        order = [os.path.realpath(place.folder) for place in places()]
        own = os.path.realpath(path.parent)
        rank = order.index(own) if own in order else -1
        later = [each for each in later if order.index(os.path.realpath(each.path.parent)) > rank >= 0]
    return short(later[-1].path) if later else None
