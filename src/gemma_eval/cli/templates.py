"""`gemma-eval templates`: the prompt templates that can be named, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing, edited, screen
from gemma_eval.cli.templates_lint import lint
from gemma_eval.cli.templates_new import new
from gemma_eval.cli.templates_render import render

if TYPE_CHECKING:
    from gemma_eval.records import Template


@click.group(short_help="The prompt templates: list, show, render, lint.")
def templates() -> None:
    """List, show, render, check and begin prompt templates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A template, the file that it is from, and those files that it overrules."""

    template: Template
    path: Path
    layer: str
    overrules: tuple[Path, ...] = ()


@templates.command("list", short_help="List the templates.")
@screen.json_option
def list_(*, as_json: bool) -> None:
    """List the templates that can be named here: what their front matter says, and where they are from."""
    found = known().values()
    if as_json:
        screen.print_json([_as_plain(each) for each in found])
        return
    rows = [
        (
            each.template.name,
            each.template.version,
            "yes" if shows_passages(each.template) else "",
            ", ".join(_with_default(*pair) for pair in each.template.variables.items()),
            ", ".join(each.template.models) or "all",
            where(each),
            each.template.description,
        )
        for each in found
    ]
    screen.table(("template", "version", "passages", "variables", "models", "from", ""), rows)


@templates.command(short_help="Show the source of a template.")
@click.argument("name", shell_complete=completing.templates)
@screen.json_option
def show(*, name: str, as_json: bool) -> None:
    """Show the file of the template NAME, and the parts that it includes or extends."""
    each = chosen.find("template", name, known())
    if as_json:
        parts = {"text": each.template.text, "parts": dict(each.template.parts)}
        screen.print_json(_as_plain(each) | parts)
        return
    for path in (each.path, *(each.path.parent / part for part in each.template.parts)):
        click.secho(f"{edited.short(path)}:", bold=True)
        click.echo(path.read_text(encoding="utf-8").rstrip("\n"))
    for path in each.overrules:
        click.echo(f"overrules {edited.short(path)}", err=True)


templates.add_command(lint)
templates.add_command(new)
templates.add_command(render)


def known() -> dict[str, Known]:
    """Return the templates that can be named here, by their names in order. Raises ConfigError."""
    from gemma_eval.config.templates import path_of

    catalog = chosen.catalog()
    layers = {place.folder: place.layer for place in reversed(edited.places())}
    found = {}
    for name in sorted(catalog.templates):
        folders = catalog.origins["template", name]
        paths = tuple(path_of(folder / "templates", name) for folder in folders)
        layer = layers.get(folders[-1], "suite")
        found[name] = Known(
            template=catalog.templates[name], path=paths[-1], layer=layer, overrules=paths[:-1]
        )
    return found


def shows_passages(template: Template) -> bool | None:
    """Whether a template shows passages; `None` for one that is malformed."""
    from gemma_eval.errors import TemplateError
    from gemma_eval.prompts.templates import uses_retrieval

    try:
        return uses_retrieval(template)
    except TemplateError:
        return None


def where(each: Known) -> str:
    """Return the file of a template, or that it ships."""
    return "built-in" if each.layer == "built-in" else edited.short(each.path)


def _with_default(name: str, default: object) -> str:
    return f"{name} (needed)" if default is None else f"{name}={default}"


def _as_plain(each: Known) -> dict[str, object]:
    template = each.template
    return {
        "name": template.name,
        "version": template.version,
        "description": template.description,
        "variables": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in template.variables.items()
        },
        "models": list(template.models),
        "shows_passages": shows_passages(template),
        "sha256": template.sha256,
        "layer": each.layer,
        "file": str(each.path),
        "overrules": [str(path) for path in each.overrules],
    }
