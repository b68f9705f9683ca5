"""The commands, used as a person would."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import gemma_eval
from gemma_eval import __main__
from gemma_eval.cli import command
from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.plugins import load
from gemma_eval.protocols import RegisterCommand
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one run of one outcome."""
    path = tmp_path / "results.db"
    outcome = an_outcome()
    with closing(open_store(path)) as store:
        run = a_run()
        store.begin(run, (outcome.trial,))
        store.record(run.id, outcome)
        store.finish(run.id, "done")
    return path


def invoke(*arguments: str, plugins: tuple[object, ...] = ()) -> str:
    """Run `gemma-eval` with these arguments and return what it printed."""
    result = CliRunner().invoke(command(load(plugins)), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_help_fits_a_screen_and_names_every_command() -> None:
    """80 columns, 40 lines, and the line that starts a suite."""
    printed = invoke("--help").splitlines()
    assert len(printed) <= 40
    assert max(map(len, printed)) <= 80
    assert any("pytest --gemma-suite standard" in line for line in printed)
    assert {"report", "runs"} <= {line.split()[0] for line in printed if line.strip()}
    assert not any(line.endswith("...") for line in printed[1:])


def test_runs_lists_what_is_recorded(database: Path) -> None:
    """Id, start, state and size of each run."""
    printed = invoke("runs", "--db", str(database))
    assert "20260101-000000-abcd  2026-01-01 00:00:00  done" in printed


def test_runs_says_how_to_make_a_first_one(tmp_path: Path) -> None:
    """An empty database is not an error."""
    path = tmp_path / "empty.db"
    open_store(path).close()
    assert "pytest --gemma-suite standard" in invoke("runs", "--db", str(path))


@pytest.mark.parametrize("arguments", [(), ("latest",), ("20260101-000000-abcd",)])
def test_report_writes_the_reports_of_a_run_again(
    database: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """By id or the newest, into a folder of the run's name."""
    folder = tmp_path / "reports"
    printed = invoke("report", *arguments, "--db", str(database), "--to", str(folder))
    written = folder / "20260101-000000-abcd"
    assert {path.name for path in written.iterdir()} == {"report.html", "report.md", "results.json"}
    assert str(written / "report.html") in printed
    assert json.loads((written / "results.json").read_text())["run"]["id"] == "20260101-000000-abcd"


def test_a_run_that_is_not_there_is_named_with_those_that_are(database: Path) -> None:
    """A typing error costs one look."""
    with pytest.raises(UnknownName, match=r'no run named "20260101-000000-abce"; did you mean'):
        invoke("report", "20260101-000000-abce", "--db", str(database))


def test_a_database_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    """It is not created by looking."""
    with pytest.raises(StoreError, match=r"nowhere\.db"):
        invoke("runs", "--db", str(tmp_path / "nowhere.db"))
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_one_line_and_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for what a person can mend."""
    with pytest.raises(SystemExit) as exit_code:
        __main__.main(["reprot"])
    assert exit_code.value.code == 2
    assert capsys.readouterr().err == 'gemma-eval: no command named "reprot"; did you mean "report"?\n'


def test_an_error_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """It may repeat what a file says."""
    with pytest.raises(SystemExit):
        __main__.main(["\x1b]0;pwn\x07\u202e\udcff"])
    told = capsys.readouterr().err
    assert told.startswith('gemma-eval: no command named "\\x1b]0;pwn\\x07\\u202e\\udcff"')


def test_a_plugin_adds_a_command() -> None:
    """Through the same door as the built-in ones."""

    @click.command()
    def greet() -> None:
        """Say hello."""
        click.echo("hello")

    class Greeting:
        @gemma_eval.hookimpl
        def register_commands(self, register: RegisterCommand) -> None:
            register("greet", greet)

    assert invoke("greet", plugins=(Greeting(),)) == "hello\n"
