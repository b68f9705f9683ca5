"""The group that holds the commands; each command is one file and is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gemma_eval import __version__
from gemma_eval.cli.ending import interrupted, reader_gone
from gemma_eval.cli.logged import command_started, log_option, logged
from gemma_eval.cli.sections import line, sections
from gemma_eval.errors import GemmaEvalError
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = """\b
Measure local language models: how good their answers are, and how fast.
    gemma-eval benchmark standard     is   pytest --gemma-suite standard
"""

_BESIDE = 60
"""So many letters are said of a command that a shell offers."""


def command(registry: Registry) -> click.Group:
    """Return the `gemma-eval` group over all registered commands; they find the registry in `ctx.obj`."""
    settings: dict[str, object] = {"obj": registry, "help_option_names": ["-h", "--help"]}
    group = _Commands(registry, help=HELP, context_settings=settings)
    group.params.append(log_option())
    return _version_option(group)


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words name, and tell the log of it."""
        name, found, rest = super().resolve_command(ctx, args)
        command_started(name, rest)
        return name, found, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each command, those of a section below its word."""
        shown = [(title, names) for title, names in sections(list(self._registry.commands))]
        titles = max(len(title) for title, _ in shown) + 2
        widest = max(len(name) for _, names in shown for name in names)
        room = formatter.width - titles - widest - 6
        rows = [
            (f"{title if first else '':{titles}}{name}", self._line(name, room=room))
            for title, names in shown
            for first, name in zip((True, *[False] * len(names)), names, strict=False)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer commands, and load none that ships."""
        from click.shell_completion import CompletionItem

        found = [name for name in self._registry.commands if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._line(name, room=_BESIDE)) for name in found]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def _line(self, name: str, *, room: int) -> str:
        """Return what is said of a command; the help is there also when one of them is broken."""
        try:
            return line(name) or self._registry.commands[name].get_short_help_str(room)
        except GemmaEvalError:
            return "cannot be loaded; `gemma-eval plugins` says why"

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what ends it from outside is told as such, and not as a fault of it."""
        try:
            with logged(ctx):
                return super().invoke(ctx)
        except BrokenPipeError:
            reader_gone()
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # as Rich ends it
                reader_gone()
            raise
        except KeyboardInterrupt:
            interrupted()
        except click.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # at a question
                interrupted()
            raise


def _version_option(group: click.Group) -> click.Group:
    return click.version_option(__version__, prog_name="gemma-eval", message="%(prog)s %(version)s")(group)
