"""`gemma-eval steps` as a person uses it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli.steps import steps
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Cached
from gemma_eval.report.numbers import MISSING
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome
from tests.report.retrieved import Asked, retrieved


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with a run of four retrievals."""
    path = tmp_path_factory.mktemp("profile") / "results.db"
    report = retrieved(Asked(cases=5, alone=False))
    outcomes = [replace(report.outcomes[0], cached=Cached(use="exact")), *report.outcomes[1:]]
    with closing(open_store(path)) as store:
        store.begin(replace(report.run, state="running"), [each.trial for each in outcomes])
        for each in outcomes:
            store.record(report.run.id, each)
        store.finish(report.run.id, "done")
    return path


def invoke(path: Path, *arguments: str) -> str:
    """Run the command; errors that `gemma-eval` would print are raised."""
    result = CliRunner().invoke(steps, [*arguments, "--db", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_waterfall_shows_when_each_step_ran_and_names_the_bottleneck(path: Path) -> None:
    """Legs that ran beside each other stand below each other; that which nobody waited for has 0 %."""
    output = invoke(path, "--retrieval", "hybrid").splitlines()
    assert output[2] == "hybrid: 5 trials, 10.7 ms to the prompt"
    rows = {line.split()[0]: line for line in output[4:-1]}
    assert list(rows) == ["embed", "lexical", "vector", "fuse", "rank", "pack", "render", "generate"]
    assert rows["embed"].split()[1:7] == ["6.20", "ms", MISSING, "57.9", "%", "14.9"]
    assert rows["lexical"].split()[4:6] == ["0", "%"]
    assert rows["embed"].index("█") == rows["lexical"].index("█") < rows["vector"].index("█")
    assert output[-1].strip().startswith("bottleneck: embed, 57.9 % of the way; generate is ")
    assert all(len(line) <= 80 for line in output)


def test_profiles_can_be_read_by_a_script(path: Path) -> None:
    """One for each retrieval that looked for something."""
    document = json.loads(invoke(path, "latest", "--json", "--case", "where-*"))
    assert [each["retrieval"] for each in document["profiles"]] == ["bm25", "hybrid", "oracle"]
    assert document["profiles"][0]["before_bottleneck"] == "lexical"
    assert document["profiles"][0]["trials"] == 5


def test_what_is_not_there_is_said_with_what_is(path: Path, tmp_path: Path) -> None:
    """A name that fits nothing, and a run without a retrieval."""
    with pytest.raises(UnknownName, match="hybrid"):
        invoke(path, "--retrieval", "hybird")
    with pytest.raises(UsageError, match="no passages were looked for"):
        invoke(path, "--retrieval", "none")
    other = tmp_path / "plain.db"
    with closing(open_store(other)) as store:
        store.begin(replace(a_run(), state="running"), [an_outcome().trial])
        store.record(a_run().id, an_outcome())
        store.finish(a_run().id, "done")
    with pytest.raises(UsageError, match="no passages were looked for"):
        invoke(other)
