"""Write the help of every command into docs/cli.md again, as a terminal of 80 columns shows it.

Run it as `python docs/make_cli.py` when a help has changed; tests/docs/test_cli_page.py says when it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from gemma_eval.cli import command
from gemma_eval.cli.sections import sections
from gemma_eval.plugins import load

PAGE = Path(__file__).with_name("cli.md")
BEGIN, END = "<!-- help of every command -->", "<!-- end of help -->"
WIDTH = 78
"""What click takes of 80 columns."""


def main() -> None:
    """Replace what stands between the marks."""
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8"), dict(every_help())), encoding="utf-8")


def with_help(page: str, helps: Mapping[str, str]) -> str:
    """Return the page with the help of all commands that ship, section by section, between its marks."""
    lines: list[str] = []
    for title, names in sections([name for name in helps if " " not in name]):
        lines += [f"## {title}", ""]
        for name in names:
            for words, shown in helps.items():
                if words == name or words.startswith(f"{name} "):
                    lines += [f"### gemma-eval {words}", "", "```text", shown, "```", ""]
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: "\n".join([BEGIN, "", *lines, END]), page)


def every_help() -> Iterator[tuple[str, str]]:
    """Yield the words of each command with its help; a group comes before its commands."""
    group = command(load(installed=False))
    yield from _below(group, click.Context(group, info_name="gemma-eval", terminal_width=WIDTH, obj=None))


def _below(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if found is None or found.hidden:
            continue
        settings = {"help_option_names": ["-h", "--help"], **found.context_settings}
        inner = click.Context(
            found,
            info_name=name,
            parent=context,
            terminal_width=WIDTH,
            help_option_names=settings["help_option_names"],
        )
        yield inner.command_path.partition(" ")[2], found.get_help(inner)
        if isinstance(found, click.Group):
            yield from _below(found, inner)


if __name__ == "__main__":
    main()
