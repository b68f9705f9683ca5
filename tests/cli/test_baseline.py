"""`gemma-eval baseline` as a person uses it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from gemma_eval.cli.baseline import baseline
from gemma_eval.errors import StoreError, UnknownName, UsageError
from gemma_eval.records import Noise, Run
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome


def record(
    path: Path,
    run: Run,
    *,
    state: Literal["interrupted", "done"] = "done",
    noise: Noise | None = None,
) -> None:
    """Write a run of one outcome."""
    outcome = an_outcome()
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial])
        store.record(run.id, outcome)
        store.finish(run.id, state, noise=noise)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database of good runs and of four others."""
    path = tmp_path / "results.db"
    record(path, replace(a_run("one"), commit="0123abc"))
    record(path, a_run("two"))
    record(path, a_run("noisy"), noise=Noise(reasons=("others took 40 % of the processor",)))
    record(path, a_run("half"), state="interrupted")
    record(path, replace(a_run("part"), selection="part"))
    record(path, replace(a_run("dirty"), commit="0123abc-dirty"))
    return path


def invoke(path: Path, *arguments: str) -> str:
    """Run the command; errors that `gemma-eval` would print are raised."""
    result = CliRunner().invoke(baseline, [*arguments, "--db", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def names(path: Path) -> dict[str, str]:
    """Return the names in the database."""
    with closing(open_reader(path)) as reader:
        return dict(reader.baselines())


def test_a_run_gets_a_name_and_may_give_it_to_another(path: Path) -> None:
    """It is told what the name meant."""
    assert invoke(path, "set", "main", "one") == "main is run one\n"
    assert invoke(path, "set", "main", "one") == "main is run one\n"
    assert invoke(path, "set", "main", "two") == "main is run two (it was one)\n"
    assert names(path) == {"main": "two"}


def test_names_are_listed_with_their_runs(path: Path) -> None:
    """In order; without one it is told how to give one."""
    assert "gemma-eval baseline set NAME RUN" in invoke(path, "list")
    invoke(path, "set", "v2", "two")
    invoke(path, "set", "main", "one")
    head, *rows = invoke(path, "list").splitlines()
    assert head.split() == ["name", "run", "started", "(UTC)", "state", "suites"]
    assert [row.split()[:2] for row in rows] == [["main", "one"], ["v2", "two"]]
    assert json.loads(invoke(path, "list", "--json")) == {"main": "one", "v2": "two"}


def test_a_name_is_shown_with_what_is_to_know_of_its_run(path: Path) -> None:
    """Also what speaks against it."""
    invoke(path, "set", "main", "one")
    output = invoke(path, "show", "main")
    assert ["commit", "0123abc"] in [line.split() for line in output.splitlines()]
    assert "beware" not in output
    invoke(path, "set", "main", "noisy", "--force")
    assert "noisy: others took 40 % of the processor" in invoke(path, "show", "main")


def test_a_name_is_forgotten_and_its_run_stays(path: Path) -> None:
    """Twice is an error."""
    invoke(path, "set", "main", "one")
    assert invoke(path, "unset", "main") == "main is forgotten; run one stays\n"
    assert names(path) == {}
    with pytest.raises(UnknownName, match='no baseline named "main"'):
        invoke(path, "unset", "main")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("noisy", "noisy: others took 40 % of the processor"),
        ("half", "it is interrupted, not every trial is recorded"),
        ("part", "only a part of its suites was run"),
        ("dirty", "it was made with files that were not committed"),
    ],
)
def test_a_run_that_others_should_not_be_held_against_is_refused(path: Path, run: str, reason: str) -> None:
    """Unless it is forced, and then it is told, too."""
    with pytest.raises(
        UsageError, match=f"run {run} makes a poor baseline; --force takes it all the same\n  {reason}"
    ):
        invoke(path, "set", "main", run)
    assert names(path) == {}
    assert invoke(path, "set", "main", run, "--force").splitlines() == [f"main is run {run}", f"  {reason}"]
    assert names(path) == {"main": run}


@pytest.mark.parametrize("name", ["latest", "auto", "one"])
def test_a_name_that_means_a_run_already_is_refused(path: Path, name: str) -> None:
    """Nobody could say which of both is meant."""
    with pytest.raises(UsageError, match=f'"{name}" means a run already'):
        invoke(path, "set", name, "two")


@pytest.mark.parametrize("name", ["", "a b", "merge-base:main", "a/b"])
def test_what_can_be_no_name_is_refused(path: Path, name: str) -> None:
    """As a path or a reference of git."""
    with pytest.raises(UsageError, match="which cannot be a name"):
        invoke(path, "set", name, "one")


@pytest.mark.parametrize("name", ["main.db", ".db"])
def test_a_name_like_that_of_a_database_is_refused(path: Path, name: str) -> None:
    """A file of that name would be taken instead."""
    with pytest.raises(UsageError, match=f'"{name}" would be taken for a results database'):
        invoke(path, "set", name, "one")
    assert names(path) == {}


def test_unknown_names_are_told(path: Path) -> None:
    """With the nearest."""
    invoke(path, "set", "main", "one")
    with pytest.raises(UnknownName, match='no baseline named "mian"; did you mean "main"'):
        invoke(path, "show", "mian")
    with pytest.raises(UnknownName, match='no run named "tow"; did you mean "two"'):
        invoke(path, "set", "main", "tow")


@pytest.mark.parametrize("arguments", [("list",), ("show", "a"), ("unset", "a"), ("set", "a", "one")])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """No command of a name has anything to name there."""
    with pytest.raises(StoreError):
        invoke(tmp_path / "no.db", *arguments)
    assert not (tmp_path / "no.db").exists()
