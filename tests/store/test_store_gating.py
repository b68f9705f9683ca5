"""What became of gates is kept whole, blocks are planned as they come, and runs get names as baselines."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.records import Acceptance, Comparison, Gate, Gated, Gating, Group
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

OUTCOME = an_outcome("a")
BASE = replace(a_run("20260101-000000-base"), state="running")
RUN = replace(a_run(), state="running", base=BASE.id, selection="matrix")
COMPARISON = Comparison(
    metric="ttft_s",
    shared="greedy",
    unit="block",
    n=8,
    base=0.1,
    candidate=0.12,
    difference=0.18,
    low=0.15,
    high=0.21,
    level=0.0019,
    margin=0.049,
    detectable=0.07,
    needed=None,
    verdict="REGRESSED",
    reason='a "reason" | with <marks>\x00',
    p=0.0004,
)
GATED = Gated(
    gate=Gate(id="ttft", metric="ttft_s", tolerance=0.05),
    group=Group(model="m", profile="greedy", template="t\ud800"),
    label="greedy",
    comparison=COMPARISON,
    p_adjusted=0.0012,
    acceptance=Acceptance(
        gate="ttft",
        group="m/greedy/t",
        difference=0.18,
        low=0.15,
        reason="known",
        author="A",
        run=RUN.id,
        commit=None,
        accepted="2026-01-01",
        expires="2026-02-01",
    ),
)
GATING = Gating(candidate=RUN.id, base=BASE.id, found="in turn with it", blocks=8, gated=(GATED,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a base and a candidate that was begun after it."""
    path = tmp_path / "results.db"
    with closing(open_store(path)) as store:
        store.begin(BASE, [OUTCOME.trial])
        store.begin(RUN, [OUTCOME.trial])
        store.record(RUN.id, OUTCOME)
        store.gate(GATING)
    return path


def test_gates_are_read_as_they_were_written(path: Path) -> None:
    """Also names that no text of SQL can hold."""
    with closing(open_reader(path)) as reader:
        assert reader.gating(RUN.id) == GATING
        assert reader.gating(BASE.id) is None


def test_gates_are_written_again_in_the_place_of_the_first(path: Path) -> None:
    """As `gemma-eval gate` does."""
    other = replace(GATING, gated=(), found="another base")
    with closing(open_store(path)) as store:
        store.gate(other)
    with closing(open_reader(path)) as reader:
        assert reader.gating(RUN.id) == other


def test_verdicts_are_rows_for_other_tools(path: Path) -> None:
    """One per gate and group."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT gate, verdict, n, difference, low, margin, p, p_adjusted FROM v_verdict"
        assert connection.execute(query).fetchall() == [
            ("ttft", "REGRESSED", 8, 0.18, 0.15, 0.049, 0.0004, 0.0012)
        ]


def test_a_run_keeps_its_base_and_what_was_selected(path: Path) -> None:
    """And its base, begun first, is the run before the latest."""
    with closing(open_reader(path)) as reader:
        assert (reader.run("latest").base, reader.run("latest").selection) == (BASE.id, "matrix")
        assert reader.run("latest~1").id == BASE.id


def test_beginning_a_second_run_does_not_end_the_first(path: Path) -> None:
    """Both are of one writer; those of a writer before it were abandoned."""
    with closing(open_store(path)) as store:
        store.begin(replace(RUN, id="third"), [OUTCOME.trial])
        store.begin(replace(RUN, id="fourth"), [OUTCOME.trial])
        with closing(open_reader(path)) as reader:
            states = {run.id: run.state for run in reader.runs()}
    assert states == {"fourth": "running", "third": "running", RUN.id: "interrupted", BASE.id: "interrupted"}


def test_blocks_are_planned_as_they_come(path: Path) -> None:
    """A block is a trial of its own, and comes back with its number."""
    later = replace(OUTCOME, trial=replace(OUTCOME.trial, block=2))
    assert later.trial.key != OUTCOME.trial.key
    with closing(open_store(path)) as store:
        store.extend(RUN.id, [later.trial])
        with pytest.raises(StoreError, match="1 of its 2 trials are not recorded"):
            store.finish(RUN.id, "done")
        store.record(RUN.id, later)
        store.finish(RUN.id, "done")
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (OUTCOME, later)
        assert reader.run(RUN.id).planned == 2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT block FROM v_outcome ORDER BY position").fetchall() == [(0,), (2,)]


def test_a_baseline_is_a_name_of_a_run(path: Path) -> None:
    """A name can move, and be forgotten."""
    with closing(open_store(path)) as store:
        store.set_baseline("main", BASE.id)
        store.set_baseline("main", RUN.id)
        store.set_baseline("old", BASE.id)
        store.unset_baseline("old")
        with pytest.raises(UnknownName, match='did you mean "main"'):
            store.unset_baseline("mian")
        with pytest.raises(StoreError, match="was never begun"):
            store.set_baseline("main", "no such run")
    with closing(open_reader(path)) as reader:
        assert reader.baselines() == {"main": RUN.id}


def test_an_older_database_has_no_gates(path: Path) -> None:
    """A reader does not change the file, so their tables are not there."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP VIEW v_verdict; DROP TABLE verdict; DROP TABLE gating; DROP TABLE baseline"
        )
    with closing(open_reader(path)) as reader:
        assert reader.gating(RUN.id) is None
        assert reader.baselines() == {}
