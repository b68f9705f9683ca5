"""Measurements are replaced as a whole or not at all, and nothing but them."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import StoreError
from gemma_eval.measure.again import again
from gemma_eval.measure.latency import DEFINITIONS_VERSION, measure
from gemma_eval.records import Measurement, Outcome, Resources
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests import forked
from tests.examples import a_run, an_outcome
from tests.measure.event_rows import generations
from tests.measure.test_latency import ANSWERS, RESOURCES, WHOLE_ROW
from tests.store.strategies import MEASUREMENT

RUN = a_run()
SOME = settings(max_examples=15, deadline=None)


@contextmanager
def recorded(outcomes: Mapping[int, Outcome]) -> Iterator[Path]:
    """Give a database with these outcomes as the repeats of one case, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.db"
        record(path, tuple(outcomes.values()))
        yield path


def record(path: Path, outcomes: tuple[Outcome, ...]) -> None:
    """Write a whole run that formulas of version 1 have measured."""
    with closing(open_store(path)) as store:
        run = replace(RUN, planned=len(outcomes), definitions_version=1)
        store.begin(run, [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(run.id, outcome)
        store.finish(run.id, "done")


def read(path: Path) -> tuple[Outcome, ...]:
    """Return the outcomes, each checked by its hash."""
    with closing(open_reader(path)) as reader:
        return reader.outcomes(RUN.id)


def recompute(path: Path) -> None:
    """Measure every outcome anew and write that."""
    with closing(open_store(path)) as store:
        with closing(open_reader(path)) as reader:
            outcomes = reader.outcomes_by_key(RUN.id)
        fresh = {key: replace(outcome, measurement=again(outcome)) for key, outcome in outcomes.items()}
        store.replace_measurements(RUN.id, fresh, definitions_version=DEFINITIONS_VERSION)


@st.composite
def fresh_outcomes(draw: st.DrawFn) -> dict[int, Outcome]:
    """Draw outcomes with the measurements that today's formulas give."""
    made = draw(st.lists(generations(), min_size=1, max_size=4))
    return {
        repeat: replace(an_outcome(repeat=repeat), generation=each, measurement=measure(each))
        for repeat, each in enumerate(made)
    }


@SOME
@given(fresh_outcomes())
def test_recomputing_a_fresh_run_changes_nothing(outcomes: dict[int, Outcome]) -> None:
    """Not even through the way into the database and back."""
    with recorded(outcomes) as path:
        before = rows(path)
        recompute(path)
        assert read(path) == tuple(outcomes.values())
        assert rows(path) == before


@SOME
@given(fresh_outcomes(), st.data())
def test_recomputing_restores_measurements_that_were_wrong(
    outcomes: dict[int, Outcome], data: st.DataObject
) -> None:
    """Whatever the record had: the stamps are what counts; columns and hashes follow."""
    shares = {"peak_memory_bytes": "not_watched"}
    wrong = {
        repeat: replace(outcome, measurement=without_resources(data.draw(MEASUREMENT), shares))
        for repeat, outcome in outcomes.items()
    }
    with recorded(outcomes) as right, recorded(wrong) as path:
        recompute(path)
        assert read(path) == tuple(outcomes.values())
        assert rows(path) == rows(right)
        assert query(path, "SELECT definitions_version FROM v_run") == [(DEFINITIONS_VERSION,)]


def without_resources(measurement: Measurement, missing: Mapping[str, str]) -> Measurement:
    """Return a measurement that watched nothing, since what was watched is taken over."""
    watched = {field.name for field in fields(Resources)} & {field.name for field in fields(Measurement)}
    return replace(measurement, **dict.fromkeys(watched), missing=missing)


def test_sql_has_the_known_answers_of_the_known_stream(tmp_path: Path) -> None:
    """Each field of a measurement is a column of its name, with the value to the last bit."""
    path = tmp_path / "results.db"
    measured = measure(WHOLE_ROW, resources=RESOURCES)
    record(path, (replace(an_outcome(), generation=WHOLE_ROW, measurement=measured),))
    recompute(path)
    assert query(path, f"SELECT {', '.join(ANSWERS)} FROM v_outcome") == [tuple(ANSWERS.values())]  # noqa: S608


def test_scores_prompts_texts_and_failures_stay_as_they_are(tmp_path: Path) -> None:
    """Only the times are another matter."""
    path = tmp_path / "results.db"
    record(path, (an_outcome(), an_outcome("visit", value=0.0)))
    others = (
        "SELECT score, passed, failure_kind, prompt, text FROM v_outcome JOIN v_transcript USING(outcome_id)"
    )
    before, scores = query(path, others), query(path, "SELECT * FROM v_score")
    recompute(path)
    assert query(path, others) == before
    assert query(path, "SELECT * FROM v_score") == scores


def test_an_outcome_that_is_not_recorded_leaves_all_as_it_was(tmp_path: Path) -> None:
    """One wrong key of two, and neither is written."""
    path = tmp_path / "results.db"
    record(path, (an_outcome(),))
    before = read(path)
    new = replace(an_outcome(), measurement=again(an_outcome()))
    with (
        closing(open_store(path)) as store,
        pytest.raises(StoreError, match="trial planted of run"),
    ):
        store.replace_measurements(RUN.id, {new.trial.key: new, "planted": new}, definitions_version=2)
    assert read(path) == before
    assert query(path, "SELECT definitions_version FROM v_run") == [(1,)]


def test_a_run_that_was_never_begun_is_refused(tmp_path: Path) -> None:
    """By its name."""
    with (
        closing(open_store(tmp_path / "results.db")) as store,
        pytest.raises(StoreError, match="never begun"),
    ):
        store.replace_measurements("other", {}, definitions_version=2)


# --- a recompute that is killed ----------------------------------------------------------------------

N = 200
Recompute = Callable[[Path, Connection], None]


def at_once(path: Path, pipe: Connection) -> None:
    """Write all measurements as the command does, and tell when that begins."""
    _replace(path, pipe, at_once=N)


def one_by_one(path: Path, pipe: Connection) -> None:
    """Do the same with a planted fault: each outcome is a transaction of its own."""
    _replace(path, pipe, at_once=1)


def _replace(path: Path, pipe: Connection, *, at_once: int) -> None:
    with closing(open_store(path)) as store:
        with closing(open_reader(path)) as reader:
            outcomes = reader.outcomes_by_key(RUN.id)
        fresh = [(key, replace(outcome, measurement=again(outcome))) for key, outcome in outcomes.items()]
        pipe.send("ready")
        for first in range(0, N, at_once):
            store.replace_measurements(RUN.id, dict(fresh[first : first + at_once]), definitions_version=2)


def test_a_killed_recompute_has_changed_all_or_nothing(tmp_path: Path) -> None:
    """Eight kills while it writes, each later than the one before; then it is run to its end."""
    whole = tmp_path / "whole.db"
    record(whole, many())
    found = [killed(at_once, whole, after_s=0.006 * number) for number in range(8)]
    assert set(found) <= {0, N}
    assert 0 in found, "no kill came before the end"
    recompute(whole)
    assert renewed(whole) == N


def test_the_check_sees_a_recompute_that_is_half_done(tmp_path: Path) -> None:
    """The planted fault is caught."""
    whole = tmp_path / "whole.db"
    record(whole, many())
    for _ in range(20):
        if killed(one_by_one, whole, after_s=0.02) not in (0, N):
            return
    pytest.fail("twenty kills of a recompute that writes one by one went unnoticed")


def many() -> tuple[Outcome, ...]:
    """Return outcomes that have no measurement yet."""
    return tuple(replace(an_outcome(f"case-{i // 5}", repeat=i % 5), measurement=None) for i in range(N))


def killed(recompute: Recompute, whole: Path, *, after_s: float) -> int:
    """Kill a recompute of a copy that long after it has begun to write; return what it has renewed."""
    path = whole.with_name("copy.db")
    shutil.copy(whole, path)
    pipe, theirs = forked.pipe()
    process = forked.process(recompute, path, theirs)
    process.start()
    theirs.close()
    assert pipe.recv() == "ready"
    time.sleep(after_s)
    process.kill()
    process.join()
    with closing(open_store(path)):
        return renewed(path)


def renewed(path: Path) -> int:
    """Return how many outcomes have a measurement, each checked by its hash."""
    return sum(outcome.measurement is not None for outcome in read(path))


def rows(path: Path) -> list[tuple[object, ...]]:
    """Return the outcomes as SQL sees them, with their hashes and stamps."""
    return query(
        path, "SELECT outcome.*, stamps FROM outcome LEFT JOIN transcript ON outcome_id = outcome.id"
    )


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Read with SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()
