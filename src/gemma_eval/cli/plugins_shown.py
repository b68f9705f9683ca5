"""`gemma-eval plugins`: what is installed beside gemma_eval, what it registers, and what of it is broken."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap

import click

from gemma_eval.cli.plugins_known import Plugin, built_in, installed
from gemma_eval.cli.screen import json_option, print_json

_WIDTH = 80
_INDENT = 14


@click.command(short_help="List plugins, and what they have added.")
@json_option
@click.pass_context
def plugins(ctx: click.Context, *, as_json: bool) -> None:
    """List what ships and the installed plugins, with the names that each registers, by kind.

    A plugin that cannot be loaded is named with the reason, and makes the exit code 1.
    """
    found = (built_in(), *installed())
    if as_json:
        print_json([asdict(plugin) for plugin in found])
    else:
        for plugin in found:
            _show(plugin)
    ctx.exit(int(any(plugin.broken for plugin in found)))


def _show(plugin: Plugin) -> None:
    click.secho(f"{plugin.distribution} {plugin.version}", bold=True)
    if plugin.broken:
        click.echo(f"  {click.style('FAIL', fg='red')}  {plugin.broken}")
    for kind, names in plugin.registered.items():
        begins = f"  {kind:<{_INDENT - 2}}"
        lines = wrap(", ".join(names), _WIDTH, initial_indent=begins, subsequent_indent=" " * _INDENT)
        click.echo("\n".join(lines))
