"""What pytest-benchmark measured in the session of a run is kept with it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Microbenchmark
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome
from tests.store.test_store_older import WRITTEN

OUTCOME = an_outcome("a")
RUN = replace(a_run(), state="running")
SPEED = Microbenchmark(
    name='test_x.py::test_speed[a-"\ud800]', median_s=1e-9, mean_s=2e-9, sd_s=0.0, rounds=5
)
SIZE = Microbenchmark(name="test_x.py::test_size", median_s=0.5, mean_s=0.6, sd_s=0.1, rounds=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a run whose session had two micro-benchmarks."""
    path = tmp_path / "results.db"
    with closing(open_store(path)) as store:
        store.begin(RUN, [OUTCOME.trial])
        store.note_microbenchmarks(RUN.id, (SPEED, SIZE))
    return path


def read(path: Path) -> tuple[Microbenchmark, ...]:
    """Return those of the newest run."""
    with closing(open_reader(path)) as reader:
        return reader.run("latest").microbenchmarks


def test_they_are_read_as_they_were_written(path: Path) -> None:
    """With names that no text of SQL can hold."""
    assert read(path) == (SPEED, SIZE)


def test_a_run_without_any_has_none(tmp_path: Path) -> None:
    """And one of an older version too, which lacks the column."""
    with closing(open_store(tmp_path / "new.db")) as store:
        store.begin(RUN, [OUTCOME.trial])
        store.note_microbenchmarks(RUN.id, ())
    assert read(tmp_path / "new.db") == ()
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(WRITTEN.read_text(encoding="utf-8"))
    assert read(tmp_path / "old.db") == ()


def test_a_session_that_goes_on_keeps_those_it_does_not_measure_again(path: Path) -> None:
    """The newer time of a name counts."""
    again = replace(SIZE, median_s=0.7)
    with closing(open_store(path)) as store:
        store.begin(RUN, [OUTCOME.trial])
        store.note_microbenchmarks(RUN.id, ())
        store.note_microbenchmarks(RUN.id, (again,))
    assert read(path) == (SPEED, again)


def test_those_of_a_run_that_was_never_begun_are_refused(path: Path) -> None:
    """As everything of it is."""
    with closing(open_store(path)) as store, pytest.raises(StoreError, match="was never begun"):
        store.note_microbenchmarks("other", (SIZE,))


def test_they_are_json_for_other_tools(tmp_path: Path) -> None:
    """In a column of `v_run`."""
    path = tmp_path / "results.db"
    with closing(open_store(path)) as store:
        store.begin(RUN, [OUTCOME.trial])
        store.note_microbenchmarks(RUN.id, (SIZE,))
    with closing(sqlite3.connect(path)) as connection:
        ((told,),) = connection.execute("SELECT microbenchmarks FROM v_run").fetchall()
    assert json.loads(told) == [
        {"name": "test_x.py::test_size", "median_s": 0.5, "mean_s": 0.6, "sd_s": 0.1, "rounds": 7}
    ]
