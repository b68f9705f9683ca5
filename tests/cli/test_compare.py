"""`gemma-eval compare` as a person uses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli import command
from gemma_eval.errors import GemmaEvalError, UsageError
from gemma_eval.plugins import load
from gemma_eval.records import Outcome
from gemma_eval.store.write import open_store
from tests.examples import a_run
from tests.verdict.two_sides import named, scored

RIGHT = [1.0] * 30
HALF = [1.0, 0.0] * 15


def record(path: Path, run_id: str, outcomes: Sequence[Outcome]) -> None:
    """Write a run."""
    with closing(open_store(path)) as store:
        store.begin(a_run(run_id, planned=len(outcomes)), [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(run_id, outcome)
        store.finish(run_id, "done")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: in the second half of the answers became wrong, and there are two templates."""
    path = tmp_path_factory.mktemp("recorded") / "results.db"
    record(path, "first", scored(RIGHT))
    other = tuple(named(outcome, text="Rome", template="plain") for outcome in scored(RIGHT))
    record(path, "second", (*scored(HALF, text="Rome"), *other))
    return path


@pytest.fixture
def database(recorded: Path, tmp_path: Path) -> Path:
    """Those runs, for one test alone."""
    return Path(shutil.copy(recorded, tmp_path))


def invoke(path: Path, *arguments: str) -> Result:
    """Run the command; errors that `gemma-eval` would print are raised."""
    return CliRunner().invoke(
        command(load()), ["compare", *arguments, "--db", str(path)], catch_exceptions=False
    )


def test_two_runs_are_compared(database: Path) -> None:
    """By their ids, or counted from the newest; the table says both values, the change and the verdict."""
    result = invoke(database, "first", "second")
    assert result.exit_code == 0
    row = next(line for line in result.output.splitlines() if line.startswith("score"))
    assert row.split()[:4] == ["score", "1.00", "0.50", "-0.500"]
    assert row.endswith("30 cases  REGRESSED")
    assert all(len(line) <= 100 for line in result.output.splitlines())
    assert invoke(database, "latest~1", "latest").output == result.output


def test_two_templates_of_one_run_are_compared(database: Path) -> None:
    """In the newest run, or in the one that is named."""
    output = invoke(database, "rag", "plain").output
    assert "0.50     1.00       +0.500" in output
    assert "better, proved" in output
    assert invoke(database, "rag", "plain", "--run", "second").output == output


def test_the_margin_decides(database: Path) -> None:
    """A loss of 0.5 is allowed to who allows 0.9."""
    assert "PASS" in invoke(database, "first", "second", "--margin", "0.9").output
    assert invoke(database, "first", "second", "--margin", "nan").exit_code == 2


def test_json_has_what_the_table_has(database: Path) -> None:
    """With a version of its own."""
    told = json.loads(invoke(database, "first", "second", "--json").output)
    assert told["version"] == 1
    score = told["comparisons"][0]
    assert (score["metric"], score["n"], score["verdict"]) == ("score", 30, "REGRESSED")
    assert score["difference"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rag", "plian"), 'named "plian"; did you mean "plain"'),
        (("frist", "second"), 'named "frist"; did you mean "first"'),
        (("latest~7", "latest"), "there is no latest~7: it has 2 runs"),
        (("rag", "plain", "--run", "nope"), 'no run named "nope"'),
    ],
)
def test_what_there_is_not_is_told(database: Path, arguments: tuple[str, ...], message: str) -> None:
    """In one sentence, with what there is."""
    with pytest.raises(GemmaEvalError, match=message):
        invoke(database, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("first", "rag"), "first and rag are not of one kind"),
        (("latest", "rag"), "latest and rag are not of one kind"),
        (("latest", "latest~0"), "run second is given twice"),
        (("rag", "rag"), "rag is given twice"),
        (("first", "second", "--run", "first"), "--run is for two names of one run"),
    ],
)
def test_sides_that_cannot_be_compared_are_refused(
    database: Path, arguments: tuple[str, ...], message: str
) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match=message):
        invoke(database, *arguments)


def of_both(name: str, scores: Sequence[float]) -> Iterator[Outcome]:
    """Yield outcomes of a profile and a template that have one name."""
    for outcome in scored(scores, text=name):
        cell = outcome.trial.cell
        cell = replace(cell, profile=replace(cell.profile, name=name))
        yield named(replace(outcome, trial=replace(outcome.trial, cell=cell)), text=name, template=name)


def test_a_name_of_two_kinds_is_asked_about(tmp_path: Path) -> None:
    """With a prefix it is one of them; the heading names all that was changed."""
    path = tmp_path / "two.db"
    record(path, "both", [*of_both("a", RIGHT), *of_both("b", HALF)])
    with pytest.raises(UsageError, match="a and b are profiles and templates; write profile:a profile:b"):
        invoke(path, "a", "b")
    output = invoke(path, "template:a", "template:b").output
    assert "profile a → b, template a → b" in output


def test_what_only_one_side_has_and_an_unfinished_run_are_told(database: Path) -> None:
    """A table that looks whole is not."""
    outcomes = scored(RIGHT)
    with closing(open_store(database)) as store:
        store.begin(a_run("third", planned=len(outcomes)), [outcome.trial for outcome in outcomes])
        for outcome in outcomes[:5]:
            store.record("third", outcome)
        store.finish("third", "interrupted")
    output = invoke(database, "second", "third").output
    assert "run third is interrupted: not every trial" in output
    assert "left out: scripted · greedy · plain (of the base alone)" in output


def test_a_run_without_a_trial_is_told(database: Path) -> None:
    """There is nothing of it to compare."""
    with closing(open_store(database)) as store:
        store.begin(a_run("empty"), [scored(RIGHT)[0].trial])
    with pytest.raises(UsageError, match="run empty has no recorded trial"):
        invoke(database, "first", "empty")
