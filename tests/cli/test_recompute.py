"""`gemma-eval recompute` as a person uses it: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli import command
from gemma_eval.errors import StoreError, UnknownName, UsageError
from gemma_eval.measure.again import again
from gemma_eval.plugins import load
from gemma_eval.records import Measurement, Outcome
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

RUN = a_run()
WRITTEN_BEFORE = Path(__file__).parents[1] / "store" / "version_1.sql"


def recompute(path: Path, *arguments: str) -> str:
    """Run the command and return what it printed."""
    result = CliRunner().invoke(
        command(load()), ["recompute", *arguments, "--db", str(path)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def fresh(case_id: str = "home") -> Outcome:
    """Return an outcome with the measurement that today's formulas give."""
    outcome = an_outcome(case_id)
    return replace(outcome, measurement=again(outcome))


def changed(outcome: Outcome, **changes: object) -> Outcome:
    """Return the outcome with a measurement that a wrong formula could have given."""
    assert isinstance(outcome.measurement, Measurement)
    return replace(outcome, measurement=replace(outcome.measurement, **changes))  # type: ignore[arg-type]


def record(path: Path, outcomes: Sequence[Outcome], *, definitions_version: int = 2) -> None:
    """Write a whole run."""
    run = replace(RUN, planned=len(outcomes), definitions_version=definitions_version)
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(run.id, outcome)
        store.finish(run.id, "done")


def read(path: Path) -> tuple[int, tuple[Outcome, ...]]:
    """Return the version of the definitions and the outcomes."""
    with closing(open_reader(path)) as reader:
        run = reader.run(RUN.id)
        return run.definitions_version, reader.outcomes(run.id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database with two outcomes, of which one has wrong times, by version 1."""
    wrong = changed(fresh("visit"), ttft_s=0.02, tpot_s=0.02 * 1.05, e2e_s=None, ttfo_s=None)
    record(tmp_path / "results.db", [fresh(), wrong], definitions_version=1)
    return tmp_path / "results.db"


def test_what_changes_is_counted_by_metric_with_the_largest_share(path: Path) -> None:
    """A small table, and from which version to which."""
    assert recompute(path) == (
        "20260101-000000-abcd: 1 of 2 measurements are others now (version 1 to 2 of the definitions)\n"
        "metric  changed  largest change\n"
        "ttft_s        1  50 %\n"
        "ttfo_s        1  had no value\n"
        "tpot_s        1  4.76 %\n"
        "e2e_s         1  had no value\n"
    )
    assert read(path) == (2, (fresh(), fresh("visit")))


def test_a_second_time_there_is_nothing_to_do(path: Path) -> None:
    """And nothing is done."""
    recompute(path)
    before = read(path)
    assert recompute(path, RUN.id) == (
        "20260101-000000-abcd: nothing to do, it is measured by version 2 of the definitions\n"
    )
    assert read(path) == before


def test_a_dry_run_prints_the_same_and_writes_nothing(path: Path) -> None:
    """The file stays as it is, byte for byte."""
    before = path.read_bytes()
    shown = recompute(path, "latest", "--dry-run")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert shown == recompute(path) + "nothing was written; leave out --dry-run to do that\n"


def test_a_dry_run_needs_no_right_to_write(path: Path) -> None:
    """The database may be in use."""
    with closing(open_store(path)):
        assert "1 of 2 measurements" in recompute(path, "--dry-run")


def test_a_value_that_is_lost_and_a_reason_that_is_another_are_said_in_words(tmp_path: Path) -> None:
    """There is no share of what is not a number."""
    path, now = tmp_path / "results.db", fresh()
    assert now.measurement is not None
    missing = {name: why for name, why in now.measurement.missing.items() if name != "accept_length"}
    wrong = changed(
        now, accept_length=1.5, itl_basis="chunk", ttft_s=0.0, missing={**missing, "energy_j": "?"}
    )
    record(path, [wrong])
    assert recompute(path).splitlines()[1:] == [
        "metric         changed  largest change",
        "ttft_s               1  from 0",
        "accept_length        1  has no value now",
        "itl_basis            1  another value",
        "metrics that have no value as before, for another reason: 1",
    ]
    assert read(path) == (2, (now,))


def test_a_version_alone_is_brought_up_to_date(tmp_path: Path) -> None:
    """Where no formula that changed has touched this run."""
    path = tmp_path / "results.db"
    record(path, [fresh()], definitions_version=1)
    assert recompute(path) == (
        "20260101-000000-abcd: 0 of 1 measurements are others now (version 1 to 2 of the definitions)\n"
    )
    assert read(path) == (2, (fresh(),))


def test_a_database_of_the_first_schema_is_measured_anew(tmp_path: Path) -> None:
    """Its trials have keys of then, its stamps the layout of then, and its measurement fewer fields."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN_BEFORE.read_text())
    before = read(path)
    assert "had no value" in recompute(path, "--dry-run")
    assert read(path) == before
    assert "1 of 1 measurements are others now (version 1 to 2" in recompute(path)
    version, (measured, failed) = read(path)
    assert version == 2
    assert measured.measurement == again(measured)
    assert replace(measured, measurement=None) == replace(before[1][0], measurement=None)
    assert failed == before[1][1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT ntpot_s FROM v_outcome ORDER BY position").fetchall() == [
            (0.015,),
            (None,),
        ]
    assert "nothing to do" in recompute(path)


def test_a_run_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """To compute it anew would be a step back."""
    path = tmp_path / "results.db"
    record(path, [fresh()], definitions_version=3)
    with pytest.raises(UsageError, match=r"measured by version 3 of the definitions, .* update gemma_eval"):
        recompute(path)
    assert read(path)[0] == 3


def test_a_database_that_is_being_written_is_refused(path: Path) -> None:
    """One writer at a time."""
    with closing(open_store(path)), pytest.raises(StoreError, match="is writing to it"):
        recompute(path)


def test_what_is_not_there_is_named_and_not_made(path: Path, tmp_path: Path) -> None:
    """A run, or the database itself."""
    with pytest.raises(UnknownName, match=r'no run named "20260101-000000-abce"; did you mean'):
        recompute(path, "20260101-000000-abce")
    nowhere = tmp_path / "nowhere.db"
    with pytest.raises(StoreError, match=r"nowhere\.db: there is no results database"):
        recompute(nowhere)
    assert not nowhere.exists()
