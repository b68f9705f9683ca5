"""A database that an earlier gemma_eval wrote reads as what it was: what came later has its default."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Failure, Outcome
from gemma_eval.run import make_report
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

WRITTEN = Path(__file__).with_name("version_1.sql")
ORDER = ("penalties", "top_k", "typical_p", "top_p", "min_p", "temperature")
"""The transforms that a profile had then, unless it said otherwise."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return the database as a file."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN.read_text())
    return path


def as_it_was(outcome: Outcome) -> Outcome:
    """Return the outcome with the order of transforms that was the default."""
    cell = outcome.trial.cell
    cell = replace(cell, profile=replace(cell.profile, order=ORDER))
    return replace(outcome, trial=replace(outcome.trial, cell=cell))


def test_an_older_database_is_read_whole(database: Path) -> None:
    """Every outcome with its hash, and what it did not know has the default."""
    failure = Failure(kind="backend", message="the engine died")
    failed = replace(an_outcome("visit"), generation=None, measurement=None, scores=(), failure=failure)
    with closing(open_reader(database)) as reader:
        outcomes = reader.outcomes(reader.run("latest").id)
        assert outcomes == (as_it_was(an_outcome()), as_it_was(failed))
        assert outcomes[0].trial.cell.case.variables == {}
        assert outcomes[0].generation is not None
        assert outcomes[0].generation.batch_size == 1
        assert make_report(reader.run("latest"), outcomes).summaries


def test_a_new_run_goes_into_an_older_database(database: Path) -> None:
    """Both are read afterwards."""
    outcome = an_outcome()
    with closing(open_store(database)) as store:
        store.begin(a_run("20260202-000000-abcd"), [outcome.trial])
        store.record("20260202-000000-abcd", outcome)
        store.finish("20260202-000000-abcd", "done")
    with closing(open_reader(database)) as reader:
        assert [len(reader.outcomes(run.id)) for run in reader.runs()] == [1, 2]


def test_a_run_of_an_older_version_is_not_taken_up(database: Path) -> None:
    """What its trials were is no longer what they would be; the message says so and nothing is lost."""
    with (
        closing(open_store(database)) as store,
        pytest.raises(StoreError, match="of its trials have changed"),
    ):
        store.begin(a_run(planned=2), [an_outcome().trial, an_outcome("visit").trial])
    with closing(open_reader(database)) as reader:
        assert len(reader.outcomes(a_run().id)) == 2
