"""`gemma-eval schema suite`: the JSON Schema of a file that people write, for their editor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click

from gemma_eval.cli import chosen
from gemma_eval.plugins import Registry

NAMES = ("suite", "gates", "models", "profiles", "settings")


@click.command(short_help="Print the JSON Schema of a file, for editors.")
@click.argument("name", metavar="suite|gates|models|profiles|settings", type=click.Choice(NAMES))
@click.pass_obj
def schema(registry: Registry, name: str) -> None:
    """Print the JSON Schema of suites, of gates, of models.toml, profiles.json or settings.yaml.

    An editor that is given it completes keys and marks mistakes while a file is written. It offers the
    scorers, retrievers and backends of the installed plugins, and takes others as well.

    \b
        gemma-eval schema suite > suite.schema.json
    """
    from gemma_eval.cases.editor_schema import gates_schema, suite_schema  # here, so that --help is quick
    from gemma_eval.config.editor_schema import models_schema, profiles_schema, settings_schema

    schemas = {
        "suite": suite_schema,
        "gates": gates_schema,
        "models": models_schema,
        "profiles": profiles_schema,
        "settings": settings_schema,
    }
    click.echo(json.dumps(schemas[name](_known(registry)), indent=2, ensure_ascii=False))


def _known(registry: Registry) -> Mapping[str, Sequence[str]]:
    found = chosen.catalog()
    return {
        "scorer": list(registry.scorers),
        "retriever": list(registry.retrievers),
        "backend": list(registry.backends),
        "models": list(found.models),
        "profiles": list(found.profiles),
        "templates": list(found.templates),
    }
