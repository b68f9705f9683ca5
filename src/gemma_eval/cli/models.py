"""`gemma-eval models`: the models that can be named, and their files."""

from __future__ import annotations

import click

from gemma_eval.cli.model_files import export_gguf, serve


@click.group(short_help="The models: convert the files of one, or serve it.")
def models() -> None:
    """Convert the files of a model, or serve it."""


models.add_command(export_gguf)
models.add_command(serve)
