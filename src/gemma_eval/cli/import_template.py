"""`gemma-eval import template`: make a template of one in single braces."""

from __future__ import annotations

from pathlib import Path

import click

from gemma_eval.cli import chosen, edited
from gemma_eval.errors import UsageError


@click.command("template", short_help="A prompt template in single braces, as gemma-cli has them.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", help="What the template is called; as its front matter or file if not given.")
@click.option("--user", is_flag=True, help="Write into the folder of the user, and not of this project.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write into this folder of templates.",
)
@click.option("--replace", "replaces", is_flag=True, help="Replace a template of that name.")
def import_template(*, file: Path, name: str | None, user: bool, out: Path | None, replaces: bool) -> None:
    """Make templates/NAME.md of FILE, which has {name} and {% if name %} in it.

    Front matter and variables are carried over; braces of JSON stay. What cannot be carried over is named
    with its line, and then nothing is written.
    """
    from gemma_eval.config import templates
    from gemma_eval.config.changing import change
    from gemma_eval.config.files import read_text
    from gemma_eval.files.writing import ABSENT
    from gemma_eval.importers.old_templates import convert
    from gemma_eval.prompts.check import check

    if user and out is not None:
        raise UsageError("--user and --out name one folder each; give one of them")
    made = convert(read_text(file), path=file, name=name)
    where = edited.Where(which="user" if user else "project")
    path = templates.path_of(out or edited.target("templates", where, known=()), made.name)
    if path.exists() and (not replaces or path.suffix != ".md"):
        mended = "or --replace to replace it" if path.suffix == ".md" else "or remove it first"
        raise UsageError(f"{edited.short(path)}: exists; give another --name, {mended}")
    change(
        path,
        lambda _: made.text,
        check=lambda text: check(templates.parse(text, path=path)),
        backups=chosen.settings().backups,
        seen=None if path.exists() else ABSENT,
    )
    click.echo(edited.short(path))
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
