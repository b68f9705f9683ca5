"""`gemma-eval plugins` names what each installed plugin has added, and the one that is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemma_eval.cli import plugins_known
from gemma_eval.plugins import load
from tests.cli.installing import install, run

GOOD = """\
import click
import gemma_eval


@click.command()
def greet():
    "Say hello."
    click.echo("hello")


@gemma_eval.hookimpl
def register_commands(register):
    register("greet", greet)


@gemma_eval.hookimpl
def register_scorers(register):
    register("vowels", "good_plugin:no_such_thing")
"""


def test_what_a_plugin_has_added_is_listed_by_kind(tmp_path: Path) -> None:
    """With the distribution and its version, beside what ships; its command has a section of its own."""
    install(tmp_path, "good-plugin", GOOD)
    listed = run(tmp_path, "plugins", "--json")
    assert listed.returncode == 0, listed.stderr
    ships, good = json.loads(listed.stdout)
    assert ships["distribution"] == "gemma_eval"
    assert "numpy_gemma" in ships["registered"]["backends"]
    assert (good["distribution"], good["version"], good["broken"]) == ("good-plugin", "1.2", "")
    assert good["registered"] == {"scorers": ["vowels"], "commands": ["greet"]}
    help_ = run(tmp_path, "--help").stdout.splitlines()
    (line,) = (line for line in help_ if "greet" in line)
    assert line.split()[:2] == ["Plugins", "greet"]
    assert line == help_[-1]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "import gemma_eval\n@gemma_eval.hookimpl\ndef register_scorer(register): pass",
            "unknown hook 'register_scorer'",
        ),
        (
            "import gemma_eval\n@gemma_eval.hookimpl\ndef register_scorers(register): 1 / 0",
            "register_scorers failed: ZeroDivisionError",
        ),
        (
            'import gemma_eval\n@gemma_eval.hookimpl\ndef register_scorers(register): register("equals", 1)',
            'scorer "equals" is registered twice',
        ),
    ],
)
def test_a_broken_plugin_is_named_with_the_reason(tmp_path: Path, source: str, reason: str) -> None:
    """Other commands are refused in one line that says it; this one shows the others all the same."""
    install(tmp_path, "broken-plugin", source)
    install(tmp_path, "good-plugin", GOOD)
    listed = run(tmp_path, "plugins")
    assert listed.returncode == 1, listed.stderr
    plain = " ".join(listed.stdout.split())
    assert f"broken-plugin 1.2 FAIL {reason}" in plain or reason in plain.split("broken-plugin 1.2 FAIL")[1]
    assert "good-plugin 1.2 scorers" in plain
    other = run(tmp_path, "runs")
    assert other.returncode == 2
    assert other.stderr.startswith("gemma-eval: ")
    assert "Traceback" not in other.stderr


def test_two_plugins_that_have_one_name_are_told_apart_from_one_that_is_alone(tmp_path: Path) -> None:
    """Each of them is right by itself."""
    install(tmp_path, "good-plugin", GOOD)
    install(tmp_path, "other-plugin", GOOD)
    listed = json.loads(run(tmp_path, "plugins", "--json").stdout)
    broken = [each for each in listed if each["broken"]]
    assert [each["distribution"] for each in broken] == ["other-plugin"]
    assert '"vowels" is registered twice, by "' in broken[0]["broken"]


def test_a_command_that_cannot_be_loaded_costs_the_help_nothing(tmp_path: Path) -> None:
    """It stands there, and it is said where to look."""
    source = GOOD.replace('register("greet", greet)', 'register("greet", "good_plugin:gone")')
    install(tmp_path, "good-plugin", source)
    shown = run(tmp_path, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "cannot be loaded; `gemma-eval plugins` says why" in shown.stdout


def test_all_built_in_names_are_listed() -> None:
    """Each kind that there is."""
    registry = load(installed=False)
    assert plugins_known.built_in().registered["scorers"] == tuple(registry.scorers)
    assert plugins_known.installed() == ()
