"""`gemma-eval import profiles`: make profiles of those of gemma-cli, or of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from gemma_eval.cli import chosen, edited
from gemma_eval.errors import UsageError

FILE = "profiles.json"


@click.command(
    "profiles", short_help="Sampling profiles as gemma-cli has them, or with the names that are here."
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write.",
)
@click.option("--replace", "replaces", is_flag=True, help="Replace profiles of DIR that have the same names.")
def import_profiles(*, file: Path, out: Path, replaces: bool) -> None:
    """Add the profiles of FILE to profiles.json of DIR: a list of them, or an object by name.

    Keys that are called here as there are carried over (temperature, top_k, top_p, max_tokens …). What
    describes a profile and sets nothing is left out, and named with its line. A key that is not known is
    named, and then nothing is written.
    """
    from gemma_eval.config import edits, profiles
    from gemma_eval.config.changing import change
    from gemma_eval.config.files import read_text
    from gemma_eval.importers.old_profiles import convert

    made = convert(read_text(file), path=file)
    new, path = profiles.parse(made.text, path=file), out / FILE

    def edit(text: str) -> str:
        there = profiles.parse(text, path=path) if text.strip() else {}
        taken = [name for name in made.of if name in there and there[name] != new[name]]
        if taken and not replaces:
            raise UsageError(
                f"{edited.short(path)}: has another profile {', '.join(taken)}; "
                "give another folder as --out, or --replace to replace it"
            )
        for name, table in made.of.items():
            text = edits.with_profile(text, name, table)
        return text

    change(path, edit, check=lambda text: profiles.parse(text, path=path), backups=chosen.settings().backups)
    click.echo(edited.short(path))
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
