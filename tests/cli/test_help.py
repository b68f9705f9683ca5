"""What `--help` shows: every command in its section on one screen, and a screen for each command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from gemma_eval.cli import command
from gemma_eval.cli.sections import PLUGINS, SECTIONS, line, sections
from gemma_eval.plugins import load

WIDTH, HEIGHT = 80, 45
ROOM = 56
HEAVY = {
    *("numpy", "scipy", "pandas", "jinja2", "redis", "pydantic", "tokenizers", "rich", "tomlkit", "ruamel"),
    *("pytest", "jsonschema", "urllib3", "prompt_toolkit", "threadpoolctl", "psutil"),
}


def named(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words that name each command below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from named(found, (*path, name))


def helped(*words: str) -> list[str]:
    """Return the lines of the help of a command."""
    done = CliRunner().invoke(
        command(load()), [*words, "--help"], catch_exceptions=False, terminal_width=WIDTH
    )
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_all_commands_stand_in_sections_on_one_screen() -> None:
    """In 80 columns and 45 lines, one line for each; the way to start a suite with pytest as well."""
    printed = helped()
    assert len(printed) <= HEIGHT
    assert max(map(len, printed)) <= WIDTH
    assert any("pytest --gemma-suite standard" in line for line in printed)
    shown = printed[printed.index("Commands:") + 1 :]
    words = {word for line in shown for word in line.split()[:2]}
    assert set(load(installed=False).commands) <= words
    assert not any(line.endswith("...") for line in shown)
    assert len(shown) == len(load().commands)


def test_what_the_help_says_of_a_command_is_what_the_command_says_of_itself() -> None:
    """It is kept in one table so that the help loads no command."""
    commands = load(installed=False).commands
    said = {name: found.get_short_help_str(ROOM) for name, found in commands.items()}
    assert {name: line(name) or said[name] for name in said} == said
    assert line("no-such-command") == ""


def test_every_command_that_ships_has_one_section() -> None:
    """And no section names one that there is not; what plugins have added comes last."""
    names = list(load(installed=False).commands)
    placed = [name for section in SECTIONS.values() for name in section]
    assert sorted(placed) == sorted(set(placed))
    assert set(names) <= set(placed)
    *_, last = sections([*names, "greet"])
    assert last == (PLUGINS, ["greet"])


@pytest.mark.parametrize("words", list(named(command(load(installed=False)))), ids=" ".join)
def test_the_help_of_every_command_fits_a_screen(words: tuple[str, ...]) -> None:
    """80 columns and 45 lines, with a sentence that says what it does."""
    printed = helped(*words)
    assert len(printed) <= HEIGHT
    assert max(map(len, printed)) <= WIDTH
    assert printed[2].strip()


def test_the_help_loads_nothing_heavy() -> None:
    """It is there at once, as completion is."""
    program = (
        "import sys\nfrom gemma_eval.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{program}print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Commands:" in done.stdout
    assert not HEAVY & set(done.stderr.split())
    assert "click" in done.stderr.split()
