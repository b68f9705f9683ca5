"""`gemma-eval models add | set | remove`: change models.toml, comments and all else in it kept as it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import completing, edited
from gemma_eval.cli.edited import Where
from gemma_eval.errors import ConfigError, UnknownName, UsageError
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.config.as_written import AsWritten, Written
    from gemma_eval.config.edits import Changes
    from gemma_eval.records import ModelSpec

FILE = "models.toml"


@click.command(short_help="Add a model: a GGUF file, a folder, a URL.")
@click.argument("name")
@click.argument("location")
@click.option("--backend", help="What drives it; found out from LOCATION if not given.")
@click.option("--context-tokens", type=click.IntRange(1), help="Tokens of prompt and answer together.")
@click.option("--chat-template", help="A Jinja2 chat template in place of the model's own.")
@click.option(
    "--option", "given", multiple=True, metavar="KEY=VALUE", help="Of the backend; may be repeated."
)
@edited.options
@click.pass_context
def add(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    name: str,
    location: str,
    backend: str | None,
    context_tokens: int | None,
    chat_template: str | None,
    given: tuple[str, ...],
    where: Where,
) -> None:
    """Add the model NAME at LOCATION: a file *.gguf or *.sbs, the folder of a model, a URL, or an @name.
    A program of gemma.cpp is given with its weights: gemma --option weights=gemma.sbs.

    What it is is read off its own header, and what no backend runs is refused. A path in the project is kept
    relative to models.toml. Keys of servers are named by the variable that holds them, as
    --option api_key_env=OPENAI_API_KEY.
    """
    from gemma_eval.cli import model_kinds
    from gemma_eval.config import edits
    from gemma_eval.config import models as config

    registry: Registry = ctx.obj
    _refuse_unknown(backend, registry)
    known = _known()
    path = edited.target(FILE, where, known=())
    if (name in known.of and where.file is None) or _in(path, name) is not None:
        raise UsageError(f'there is a model "{name}" already; change it with gemma-eval models set {name} …')
    location, options = model_kinds.with_weights(location, dict(_option(each) for each in given))
    kind = model_kinds.recognised(location, backend=backend)
    table: dict[str, object] = {"backend": kind.backend, "location": kept(location, path)}
    if context_tokens is not None:
        table["context_tokens"] = context_tokens
    if chat_template is not None:
        table["chat_template"] = chat_template
    if options:
        table["options"] = options
    _refuse_flawed(name, table, path, registry)
    edited.write(path, lambda text: edits.with_model(text, name, table), check=config.parse, where=where)
    click.echo(f"{name}: {kind.backend}, for {kind.why}")
    if kind.facts is not None:
        click.echo(f"{name}: {kind.facts.said()}")
    if kind.lacking is not None:
        click.echo(f"{name}: before it can be used {kind.backend} {kind.lacking}", err=True)
    if not where.dry_run:
        click.echo(f"gemma-eval models test {name} tries it")


@click.command("set", short_help="Change keys of a model.")
@click.argument("name", shell_complete=completing.models)
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--unset", multiple=True, metavar="KEY", help="Take a key out; may be given again.")
@edited.options
@click.pass_context
def set_(
    ctx: click.Context, *, name: str, given: tuple[str, ...], unset: tuple[str, ...], where: Where
) -> None:
    """Change keys of the model NAME: `gemma-eval models set mine context_tokens=4096 options.threads=2`.

    A model that ships stays as it is; what is written overrules it.
    """
    from gemma_eval.cli import pairs  # here, so that --help loads no pydantic
    from gemma_eval.config import edits
    from gemma_eval.config import models as config
    from gemma_eval.config.models import ModelRow

    changes: Changes = pairs.changes(ModelRow, given, unset, noun="model")
    if not changes:
        raise UsageError(
            f"nothing to set; give key=value, as gemma-eval models set {name} context_tokens=4096"
        )
    registry: Registry = ctx.obj
    known = _known()
    base = known.last(name)
    if base is None:
        raise UnknownName("model", name, known.of)
    path = edited.target(FILE, where, known=known.of[name])
    base = _in(path, name) or base
    table = _moved(base, path)
    if isinstance(location := changes.get(("location",)), str):
        changes = {**changes, ("location",): kept(location, path)}
    whole = edits.changed(table, changes)
    _refuse_flawed(name, whole, path, registry)
    _refuse_unknown(str(whole["backend"]), registry)
    if not edited.is_of(base, path):
        over = "; what is written overrules it" if edited.overrules(path, known.of[name]) else ""
        click.echo(f"{name}: {edited.the_one(base)} stays as it is{over}", err=True)
    edited.write(
        path,
        lambda text: edits.set_model(text, name, changes, base=table),
        check=config.parse,
        where=where,
    )
    if other := edited.overruled_by(path, known.of[name]):
        click.echo(f"{name}: {other} overrules it here", err=True)


@click.command(short_help="Remove a model.")
@click.argument("name", shell_complete=completing.models)
@edited.options
def remove(*, name: str, where: Where) -> None:
    """Take the model NAME out of its file; its weights stay, and what it overruled counts again."""
    from gemma_eval.config import as_written, edits
    from gemma_eval.config import models as config

    edited.remove(
        "model",
        name,
        file=FILE,
        where=where,
        known=_known().of,
        of_file=as_written.of_model_file,
        edit=lambda text: edits.without_model(text, name),
        check=config.parse,
    )


def kept(location: str, path: Path) -> str:
    """Return a location as models.toml at `path` keeps it: relative where both are in one project."""
    from gemma_eval.config.places import PROJECT_FOLDER
    from gemma_eval.files.read import expanded

    if location.startswith("@") or "://" in location or location.strip() in ("", "-"):
        return location
    file = Path(os.path.abspath(expanded(location)))  # noqa: PTH100 - a link in the project stays one
    folder = path.absolute().parent
    project = folder.parent if folder.name == PROJECT_FOLDER else folder
    is_inside = file.is_relative_to(project) and not _is_users(folder)
    return Path(os.path.relpath(file, folder)).as_posix() if is_inside else str(file)


def _is_users(folder: Path) -> bool:
    from gemma_eval.config.places import user_folder

    return os.path.realpath(folder) == os.path.realpath(user_folder(os.environ))


def _moved(base: Written[ModelSpec], path: Path) -> Mapping[str, object]:
    """Return the keys of a model for another file, from whose folder a relative location is another place."""
    if edited.is_of(base, path) or "location" not in base.table:
        return base.table
    return {**base.table, "location": kept(base.value.location, path)}


def _option(text: str) -> tuple[str, object]:
    from gemma_eval.cli import pairs

    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(f"--option {text}: is no key=value, as threads=2")
    return key, pairs.option(value)


def _refuse_unknown(backend: str | None, registry: Registry) -> None:
    known = (*registry.backends, *registry.embedders)
    if backend is not None and backend not in known:
        raise UnknownName("backend", backend, known)


def _refuse_flawed(name: str, table: Mapping[str, object], path: Path, registry: Registry) -> None:
    """Raise UsageError for a model that cannot be, by the file's schema and by what its backend says."""
    import tomli_w

    from gemma_eval.config import models
    from gemma_eval.protocols import CheckingBackendFactory

    try:
        text = tomli_w.dumps({"version": 1, "model": {name: table}})
    except TypeError as error:
        raise UsageError("null is nothing that TOML can hold; leave the key out, or --unset it") from error
    try:
        spec = models.parse(text, path=path)[name]
    except ConfigError as error:
        raise UsageError("\n".join(problem.what for problem in error.problems)) from error
    factory: object = registry.backends.get(spec.backend)
    if isinstance(factory, CheckingBackendFactory):
        factory.check(spec)


def _known() -> AsWritten[ModelSpec]:
    from gemma_eval.config import as_written

    return as_written.of_models(edited.places())


def _in(path: Path, name: str) -> Written[ModelSpec] | None:
    """Return the model of a file, `None` where it has none of that name. Raises ConfigError."""
    from gemma_eval.config import as_written
    from gemma_eval.files.read import stands

    return as_written.of_model_file(path).last(name) if stands(path) else None
