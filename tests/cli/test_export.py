"""`gemma-eval export`, used as a person would."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gemma_eval.cli import command
from gemma_eval.cli.export import NAMES
from gemma_eval.errors import UsageError
from gemma_eval.plugins import load
from gemma_eval.report.exports.formats import FORMATS
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


def invoke(*arguments: str) -> str:
    """Run `gemma-eval export` with these arguments and return what it printed."""
    result = CliRunner().invoke(command(load()), ("export", *arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", NAMES)
def test_each_format_writes_its_files_and_names_them(database: Path, tmp_path: Path, name: str) -> None:
    """Below the folder that was given, and nowhere else."""
    folder = tmp_path / "out"
    printed = invoke("latest", "--format", name, "--out", str(folder), "--db", str(database)).splitlines()
    assert {Path(line) for line in printed} == {path for path in folder.rglob("*") if path.is_file()}
    assert printed


def test_the_command_knows_every_format() -> None:
    """The names stand in the command too, so that its help loads no formats."""
    assert set(NAMES) == set(FORMATS)


def test_the_files_go_beside_the_reports(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reports/RUN/FORMAT`, where nothing else is said."""
    monkeypatch.chdir(tmp_path)
    invoke("--format", "csv", "--db", str(database))
    folder = tmp_path / "reports" / "20260101-000000-abcd" / "csv"
    assert {path.name for path in folder.iterdir()} == {"outcomes.csv", "scores.csv"}


def test_a_second_export_needs_leave(database: Path, tmp_path: Path) -> None:
    """What a person may have edited is kept until they say `--replace`."""
    arguments = ("--format", "csv", "--out", str(tmp_path / "out"), "--db", str(database))
    invoke(*arguments)
    with pytest.raises((UsageError, click.ClickException), match="--replace"):
        invoke(*arguments)
    invoke(*arguments, "--replace")
