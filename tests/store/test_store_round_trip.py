"""What is read is what was recorded, whatever the text, and damage is never read as if it were data."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import StoreError
from gemma_eval.records import Noise, Outcome, Run
from gemma_eval.store.columns import digest, from_plain, from_text, readable, to_text
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from gemma_eval.wire import dump
from tests.examples import a_generation, a_run, an_outcome
from tests.store.strategies import NOISE, OUTCOMES, RUN, TEXT

SOME = settings(max_examples=40, deadline=None)


@contextmanager
def a_database() -> Iterator[Path]:
    """Give the path of a database in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "results.db"


def write(path: Path, outcomes: Sequence[Outcome], run: Run | None = None) -> Run:
    """Record `outcomes` as a whole run."""
    run = run or a_run(planned=len(outcomes))
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            assert store.record(run.id, outcome)
    return run


def read(path: Path, run_id: str) -> tuple[Outcome, ...]:
    """Read the outcomes of a run."""
    with closing(open_reader(path)) as reader:
        return reader.outcomes(run_id)


@SOME
@given(OUTCOMES)
def test_outcomes_are_read_exactly_as_recorded(outcomes: tuple[Outcome, ...]) -> None:
    """Equal values, equal types (1 is not 1.0 is not True) and equal trial keys, in planned order."""
    with a_database() as path:
        run = write(path, outcomes)
        back = read(path, run.id)
    assert back == outcomes
    assert [_plain_repr(outcome) for outcome in back] == [_plain_repr(outcome) for outcome in outcomes]
    assert [outcome.trial.key for outcome in back] == [outcome.trial.key for outcome in outcomes]


@SOME
@given(RUN)
def test_a_run_is_read_exactly_as_begun(run: Run) -> None:
    """Host, engines, arguments and commit survive."""
    with a_database() as path:
        write(path, (), run)
        with closing(open_reader(path)) as reader:
            assert reader.run("latest") == run


@SOME
@given(NOISE)
def test_how_busy_the_machine_was_is_read_exactly_as_noted(noise: Noise) -> None:
    """And a run with a reason is noisy for SQL as well."""
    with a_database() as path:
        run = write(path, ())
        with closing(open_store(path)) as store:
            store.finish(run.id, "interrupted", noise=noise)
        with closing(open_reader(path)) as reader:
            assert reader.run(run.id).noise == replace(noise, reasons=tuple(dict.fromkeys(noise.reasons)))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT noisy FROM v_run").fetchall() == [(bool(noise.reasons),)]


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "lone \ud800 surrogate",
        "a pair that arrived in two deltas: \ud83d\ude00",
        "emoji 🙂 and \u2028 and \u202e",
        "x" * 1_000_000,
        "é\x00" * 300_000,
        "",
    ],
    ids=["nul", "surrogate", "split pair", "emoji", "1 MB", "900 kB with NUL", "empty"],
)
def test_any_text_of_a_model_survives(text: str, tmp_path: Path) -> None:
    """The answer and its deltas come back code point by code point."""
    outcome = replace(an_outcome(), generation=a_generation(text))
    write(tmp_path / "results.db", [outcome])
    assert read(tmp_path / "results.db", a_run().id) == (outcome,)


@given(TEXT)
def test_a_column_gives_its_text_back(text: str) -> None:
    """The law of the codec, and that readable text can be searched by SQL."""
    assert to_text(from_text(text)) == text
    assert "\x00" not in readable(text)
    readable(text).encode()


@given(st.lists(st.none() | TEXT, max_size=3), st.lists(st.none() | TEXT, max_size=3))
def test_a_digest_tells_rows_apart(one: list[str | None], other: list[str | None]) -> None:
    """No byte can move from one column to the next unseen."""
    left, right = ([None if text is None else from_text(text) for text in texts] for texts in (one, other))
    assert (digest(*left) == digest(*right)) == (one == other)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE transcript SET text = 'Rome'",
        "UPDATE transcript SET prompt = NULL",
        "UPDATE transcript SET stamps = zeroblob(length(stamps))",
        "UPDATE outcome SET record = replace(record, '0.01', '0.02')",
        "UPDATE plan SET seed = seed + 1",
        "UPDATE plan SET chosen = replace(chosen, 'greedy', 'gready')",
        """UPDATE asked SET "case" = replace("case", 'Oslo', 'Rome')""",
        "DELETE FROM transcript",
    ],
)
def test_a_changed_value_is_refused_and_not_read(damage: str, tmp_path: Path) -> None:
    """Each of the columns that an outcome is rebuilt from is covered by its hash."""
    path = tmp_path / "results.db"
    write(path, [an_outcome()])
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(damage).rowcount == 1
    with pytest.raises(StoreError, match="damaged"):
        read(path, a_run().id)


def _plain_repr(outcome: Outcome) -> str:
    """Write an outcome with the types of its values, mappings in order of their keys."""
    return repr(from_plain(dump(outcome)))
