"""Retrievals are an axis of every table that people read, and a file that has none of them stays readable."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Cached, Comparison, Gate, Gated, Gating, Outcome, Step, Trace
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

HERE = Path(__file__).parent
RUN = replace(a_run(planned=2), state="running")


def retrieved(retrieval: str, *, degraded: str | None = None, cached: Cached | None = None) -> Outcome:
    """Return an outcome with that retrieval."""
    outcome = an_outcome()
    cell = outcome.trial.cell
    cell = replace(cell, retrieval=replace(cell.retrieval, name=retrieval))
    steps = (Step(name="lexical", began_ns=3, ended_ns=9), Step(name="rank", began_ns=9, ended_ns=11))
    trace = Trace(steps=steps, found={"lexical": ("p1", "p\x00\ud800")}, degraded=degraded)
    trial = replace(outcome.trial, cell=cell)
    return replace(outcome, trial=trial, trace=trace, cached=cached)


BOTH = (
    retrieved("bm25", cached=Cached(use="semantic", similarity=0.97, query="Where is Finn's home?")),
    retrieved("hybrid", degraded="no vectors: the store \x00 is away"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with both."""
    path = tmp_path / "results.db"
    with closing(open_store(path)) as store:
        store.begin(RUN, [outcome.trial for outcome in BOTH])
        for outcome in BOTH:
            store.record(RUN.id, outcome)
        store.finish(RUN.id, "done")
    return path


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_what_was_retrieved_comes_back_as_it_was(path: Path) -> None:
    """The steps, what each found, whatever is in their texts, and how the cache answered."""
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == BOTH


def test_sql_reaches_the_retrieval_and_what_was_left_out_of_it(path: Path) -> None:
    """In every view of trials."""
    columns = "SELECT retrieval, cached, degraded FROM v_outcome ORDER BY position"
    degraded = "no vectors: the store \ufffd is away"
    assert query(path, columns) == [("bm25", "semantic", None), ("hybrid", None, degraded)]
    for view in ("v_cell", "v_score", "v_transcript"):
        names = query(path, f"SELECT DISTINCT retrieval FROM {view} ORDER BY retrieval")  # noqa: S608 - from above
        assert names == [("bm25",), ("hybrid",)]


def test_sql_reaches_the_steps(path: Path) -> None:
    """In their order, with the model's own at the end."""
    rows = query(path, "SELECT retrieval, name, ended_ns - began_ns FROM v_step ORDER BY outcome_id, number")
    assert rows[:3] == [("bm25", "lexical", 6), ("bm25", "rank", 2), ("bm25", "generate", 31_000_000)]
    assert len(rows) == 6


def test_a_plan_names_the_retrieval_of_what_has_changed(path: Path) -> None:
    """As pytest does."""
    with (
        closing(open_store(path)) as store,
        pytest.raises(StoreError, match=r"first home\[scripted/greedy/rag/hybrid\] repeat 0"),
    ):
        store.begin(RUN, [BOTH[0].trial])


def test_a_verdict_names_the_retrieval(path: Path) -> None:
    """Two groups that differ in nothing else are told apart."""
    found = Comparison(
        metric="score", shared="bm25", unit="case", n=1, base=None, candidate=None, difference=None, low=None,
        high=None, level=0.05, margin=0.02, detectable=None, needed=None, verdict="NEW",
    )  # fmt: skip
    gated = tuple(
        Gated(
            gate=Gate(id="score", metric="score"),
            group=outcome.trial.cell.group,
            label="",
            comparison=found,
        )
        for outcome in BOTH
    )
    gating = Gating(candidate=RUN.id, base=None, found="", blocks=None, gated=gated)
    with closing(open_store(path)) as store:
        store.gate(gating)
    assert query(path, "SELECT template, retrieval FROM v_verdict") == [("rag", "bm25"), ("rag", "hybrid")]
    with closing(open_reader(path)) as reader:
        assert reader.gating(RUN.id) == gating
    assert gated[0].id == "score[scripted/greedy/rag/bm25]"


@pytest.mark.parametrize("version", [1, 3, 4])
def test_a_file_from_before_retrievals_had_names_goes_on(version: int, tmp_path: Path) -> None:
    """It is read as it stands; a new run in it has the new columns, and old rows have the name ''."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / f"version_{version}.sql").read_text())
    before = path.read_bytes()
    with closing(open_reader(path)) as reader:
        old = reader.outcomes(a_run().id)
    assert [outcome.trial.cell.group.names for outcome in old] == [("scripted", "greedy", "rag")] * 2
    assert path.read_bytes() == before
    with closing(open_store(path)) as store:
        store.begin(replace(RUN, id="20270101-000000-abcd"), [outcome.trial for outcome in BOTH])
        store.record("20270101-000000-abcd", BOTH[1])
    names = query(path, "SELECT retrieval, cached FROM v_outcome ORDER BY outcome_id")
    assert names == [("", None), ("", None), ("hybrid", None)]
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(a_run().id) == old
