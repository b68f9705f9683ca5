"""`gemma-eval plan SUITE`: cells, time, blocks, and what a comparison would find, before anything runs."""

from __future__ import annotations

import click

from gemma_eval.cli import completing


@click.command(
    short_help="Say what would run, how long, and what it may find.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("suites", nargs=-1, required=True, shell_complete=completing.suites)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Only these models; may be given again.",
    shell_complete=completing.models,
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    help="Only these profiles; may be given again.",
    shell_complete=completing.profiles,
)
@click.option(
    "--template",
    "templates",
    multiple=True,
    help="Only these templates; may be given again.",
    shell_complete=completing.templates,
)
@click.option("--retrieval", "retrievals", multiple=True, help="Only these retrievals; may be given again.")
@click.option("--db", "database", help="The results database with earlier runs.")
@click.pass_context
def plan(  # noqa: PLR0913 - a parameter for each argument and option
    context: click.Context,
    *,
    suites: tuple[str, ...],
    models: tuple[str, ...],
    profiles: tuple[str, ...],
    templates: tuple[str, ...],
    retrievals: tuple[str, ...],
    database: str | None,
) -> None:
    """Show the plan of SUITES, as `pytest --gemma-suite SUITE --gemma-plan` does, and run nothing."""
    import pytest

    given = {
        "suite": suites,
        "model": models,
        "profile": profiles,
        "template": templates,
        "retrieval": retrievals,
    }
    arguments = [f"--gemma-{name}={value}" for name, values in given.items() for value in values]
    if database:
        arguments.append(f"--gemma-db={database}")
    quiet = ("--gemma-plan", "-q", "--no-header", "-p", "no:cacheprovider")
    context.exit(int(pytest.main([*arguments, *quiet])))
