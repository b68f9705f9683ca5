"""The group that holds the commands; each command is one file and is imported when it is used."""

from __future__ import annotations

import click

from gemma_eval import __version__
from gemma_eval.plugins import Registry

HELP = """\b
Measure local language models. A suite is run by pytest:
    pytest --gemma-suite standard     all --gemma-* options: pytest --help
"""


def command(registry: Registry) -> click.Group:
    """Return the `gemma-eval` group over all registered commands; they find the registry in `ctx.obj`."""
    settings: dict[str, object] = {"obj": registry, "help_option_names": ["-h", "--help"]}
    return _version_option(_Commands(registry, help=HELP, context_settings=settings))


class _Commands(click.Group):
    """Commands by name, loaded on first use, with `did you mean …?` for a name that is near."""

    def __init__(self, registry: Registry, *, help: str, context_settings: dict[str, object]) -> None:  # noqa: A002 - click's name
        super().__init__(name="gemma-eval", help=help, context_settings=context_settings)
        self._registry = registry

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in order."""
        return list(self._registry.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a command. Raises UnknownName with a suggestion."""
        return self._registry.commands.find(cmd_name)


def _version_option(group: click.Group) -> click.Group:
    return click.version_option(__version__, prog_name="gemma-eval", message="%(prog)s %(version)s")(group)
