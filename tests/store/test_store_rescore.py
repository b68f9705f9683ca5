"""Scores of a later scoring stand beside those of the run: all of them or none, each with its hash."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.records import Check, Gating, ModelSpec, Outcome, Score, Scoring, Vote
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome

RUN = a_run()
HERE = Path(__file__).parent
CHECK = Check(scorer="equals", options={"text": "Oslo"}, weight=2.0, pass_at=1.0, must_pass=True)


def record(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write a whole run."""
    with closing(open_store(path)) as store:
        store.begin(replace(RUN, planned=len(outcomes)), [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(RUN.id, outcome)
        store.finish(RUN.id, "done")


def scored_again(outcome: Outcome, value: float = 0.0) -> Outcome:
    """Return the outcome with the score of another check, and a judge who was asked."""
    cell = outcome.trial.cell
    judge = ModelSpec(name="judge", backend="scripted", location="")
    cell = replace(cell, case=replace(cell.case, checks=(CHECK,), reduce="median"), judges=(judge,))
    score = Score(
        scorer="equals",
        value=value,
        passed=value >= 1,
        answer="Oslo",
        weight=2.0,
        vetoes=True,
        figures={"distance": 3.0},
        votes=(Vote(judge="judge", value=value),),
    )
    return replace(outcome, trial=replace(outcome.trial, cell=cell), scores=(score,))


def a_scoring(number: int = 1, *, answers: int = 1) -> Scoring:
    """Return what is written of a scoring."""
    return Scoring(
        number=number,
        at_utc="2026-01-02T00:00:00+00:00",
        suites={"example": "ab" * 32},
        answers=answers,
        changed=answers,
    )


def keys(path: Path) -> list[str]:
    """Return the keys of the recorded trials, in their order."""
    with closing(open_reader(path)) as reader:
        return list(reader.outcomes_by_key(RUN.id, scoring=0))


def rescore(path: Path, outcomes: Mapping[str, Outcome], *, number: int = 1) -> None:
    """Write a scoring."""
    with closing(open_store(path)) as store:
        store.rescore(RUN.id, a_scoring(number, answers=len(outcomes)), outcomes)


def read(path: Path, scoring: int | None = None) -> tuple[Outcome, ...]:
    """Return the outcomes as one scoring has them, by default the newest."""
    with closing(open_reader(path)) as reader:
        return reader.outcomes(RUN.id) if scoring is None else reader.outcomes(RUN.id, scoring=scoring)


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Read with SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


BOTH = (an_outcome(), an_outcome("visit"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database with two outcomes, of which the first was scored again once and the second twice."""
    path = tmp_path / "results.db"
    record(path, BOTH)
    first, second = keys(path)
    rescore(path, {first: scored_again(BOTH[0]), second: scored_again(BOTH[1], 0.5)})
    rescore(path, {second: scored_again(BOTH[1], 1.0)}, number=2)
    return path


def test_each_scoring_is_read_as_it_was_written(path: Path) -> None:
    """The newest by default, every earlier one by its number, and 0 is what the run was made with."""
    first = scored_again(BOTH[0])
    assert read(path) == read(path, 2) == (first, scored_again(BOTH[1], 1.0))
    assert read(path, 1) == (first, scored_again(BOTH[1], 0.5))
    assert read(path, 0) == BOTH


def test_a_run_knows_its_scorings(path: Path) -> None:
    """Oldest first; a number that there is not is named."""
    with closing(open_reader(path)) as reader:
        run = reader.run(RUN.id)
        assert run.scorings == (a_scoring(answers=2), a_scoring(2))
        with pytest.raises(UnknownName, match=r'no scoring named "3"; known: 0, 1, 2'):
            reader.outcomes(RUN.id, scoring=3)


def test_the_views_have_every_scoring_and_say_which_is_the_newest(path: Path) -> None:
    """`v_outcome` and `v_cell` go by the newest, `v_score` has them all."""
    select = "SELECT case_id, scorer, value, weight, vetoes, scoring, is_latest FROM v_score ORDER BY 1, 6"
    assert query(path, select) == [
        ("home", "contains", 1.0, 1.0, 0, 0, 0),
        ("home", "equals", 0.0, 2.0, 1, 1, 1),
        ("visit", "contains", 1.0, 1.0, 0, 0, 0),
        ("visit", "equals", 0.5, 2.0, 1, 1, 0),
        ("visit", "equals", 1.0, 2.0, 1, 2, 1),
    ]
    select = "SELECT score, passed, scoring, original_score, reduce FROM v_outcome ORDER BY position"
    assert query(path, select) == [(0.0, 0, 1, 1.0, "median"), (1.0, 1, 2, 1.0, "median")]
    assert query(path, "SELECT case_id, score, reduce FROM v_cell ORDER BY 1") == [
        ("home", 0.0, "median"),
        ("visit", 1.0, "median"),
    ]
    assert query(path, "SELECT scoring, answers, changed FROM v_scoring") == [(1, 2, 2), (2, 1, 1)]


def test_an_answer_that_cannot_be_judged_any_more_has_no_score(tmp_path: Path) -> None:
    """In the views as in the records: the score of before does not shine through."""
    path = tmp_path / "results.db"
    record(path, BOTH[:1])
    unscored = Score(scorer="equals", value=None, passed=None, unscored="no number")
    rescore(path, {keys(path)[0]: replace(scored_again(BOTH[0]), scores=(unscored,))})
    assert read(path)[0].score is None
    assert query(path, "SELECT score, original_score FROM v_outcome") == [(None, 1.0)]
    assert query(path, "SELECT scored, score FROM v_cell") == [(0, None)]


def test_the_newest_scoring_is_forgotten_first(path: Path) -> None:
    """Until there is only what the run was made with; then there is nothing to forget."""
    with closing(open_store(path)) as store:
        assert store.undo_scoring(RUN.id) == a_scoring(2)
        assert read(path) == read(path, 1) == (scored_again(BOTH[0]), scored_again(BOTH[1], 0.5))
        store.undo_scoring(RUN.id)
        assert read(path) == BOTH
        with pytest.raises(StoreError, match="was never scored again"):
            store.undo_scoring(RUN.id)
    assert query(path, "SELECT count(*) FROM rescored_score") == [(0,)]


def test_times_are_measured_anew_below_a_scoring(path: Path) -> None:
    """What was recorded is changed, the scores beside it stay, and so do those of the run itself."""
    first, _ = keys(path)
    faster = replace(BOTH[0], measurement=None)
    with closing(open_store(path)) as store:
        store.replace_measurements(RUN.id, {first: faster}, definitions_version=2)
    assert read(path, 0) == (faster, BOTH[1])
    assert read(path) == (replace(scored_again(BOTH[0]), measurement=None), scored_again(BOTH[1], 1.0))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE rescored SET record = replace(record, '\"value\":0.0', '\"value\":1.0') WHERE scoring = 1",
        "UPDATE rescored SET asked = (SELECT asked FROM plan LIMIT 1) WHERE scoring = 1",
        "UPDATE rescored SET scoring = 0 WHERE scoring = 1",
        "DELETE FROM asked WHERE reduce = 'median' AND case_id = 'home'",
    ],
)
def test_a_changed_score_is_refused_and_not_read(damage: str, path: Path) -> None:
    """Each column that the scores are rebuilt from is covered by their hash."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    with pytest.raises(StoreError, match=r"damaged"):
        read(path, 1)


def test_a_run_that_was_scored_again_is_not_resumed(path: Path) -> None:
    """Its new answers would have other checks than the others; the message names the way out."""
    with (
        closing(open_store(path)) as store,
        pytest.raises(StoreError, match=r"was scored again since.* --undo, or start a new run"),
    ):
        store.begin(replace(RUN, planned=2), [outcome.trial for outcome in BOTH])


@pytest.mark.parametrize(
    ("scoring", "key", "match"),
    [
        (a_scoring(2), None, "the next scoring is number 1, and 2 was given"),
        (a_scoring(1), "planted", "trial planted of run .* is not recorded"),
    ],
)
def test_a_scoring_that_does_not_fit_leaves_all_as_it_was(
    scoring: Scoring, key: str | None, match: str, tmp_path: Path
) -> None:
    """A wrong number, or one wrong key of two."""
    path = tmp_path / "results.db"
    record(path, BOTH[:1])
    given = {keys(path)[0]: scored_again(BOTH[0])} | ({key: scored_again(BOTH[1])} if key else {})
    with closing(open_store(path)) as store, pytest.raises(StoreError, match=match):
        store.rescore(RUN.id, scoring, given)
    assert read(path) == BOTH[:1]
    assert query(path, "SELECT (SELECT count(*) FROM scoring) + (SELECT count(*) FROM rescored)") == [(0,)]


def test_gates_of_before_say_that_they_are(tmp_path: Path) -> None:
    """After a scoring and after it is forgotten; once, and not for a run without gates."""
    path = tmp_path / "results.db"
    record(path, BOTH[:1])
    gating = Gating(candidate=RUN.id, base=None, found="no base", blocks=None, gated=(), notes=("a note",))
    with closing(open_store(path)) as store:
        store.gate(gating)
    rescore(path, {keys(path)[0]: scored_again(BOTH[0])})
    with closing(open_store(path)) as store:
        store.undo_scoring(RUN.id)
    with closing(open_reader(path)) as reader:
        found = reader.gating(RUN.id)
    assert found is not None
    assert found.notes == (
        "a note",
        "these verdicts are by the scores of before; gemma-eval gate judges the run anew",
    )


# --- files of earlier versions -----------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 3, 4])
def test_a_file_of_an_earlier_version_is_read_and_then_scored_again(version: int, tmp_path: Path) -> None:
    """Reading changes nothing; the first scoring brings it up to date, and what it held is unchanged."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / f"version_{version}.sql").read_text())
    before = path.read_bytes()
    answered, failed = read(path)
    assert read(path, 0) == (answered, failed)
    assert path.read_bytes() == before
    with closing(open_reader(path)) as reader:
        assert reader.run(RUN.id).scorings == ()
        with pytest.raises(UnknownName):
            reader.outcomes(RUN.id, scoring=1)
    key, other = keys(path)
    unscored = replace(scored_again(failed), scores=())
    rescore(path, {key: scored_again(answered), other: unscored})
    assert query(path, "PRAGMA user_version") == [(5,)]
    assert read(path, 0) == (answered, failed)
    assert read(path) == (scored_again(answered), unscored)
    assert query(path, "SELECT weight, vetoes, is_latest FROM v_score WHERE scoring = 0") == [(1.0, 0, 0)]


# --- a scoring that is killed ------------------------------------------------------------------------

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])
N = 150


def at_once(path: Path, pipe: Connection) -> None:
    """Write all scores as the command does, and tell when that begins."""
    _write(path, pipe, at_once=N)


def one_by_one(path: Path, pipe: Connection) -> None:
    """Do the same with a planted fault: each answer is a scoring of its own."""
    _write(path, pipe, at_once=1)


def _write(path: Path, pipe: Connection, *, at_once: int) -> None:
    with closing(open_store(path)) as store:
        with closing(open_reader(path)) as reader:
            fresh = [(key, scored_again(each)) for key, each in reader.outcomes_by_key(RUN.id).items()]
        pipe.send("ready")
        for number, first in enumerate(range(0, N, at_once), 1):
            part = dict(fresh[first : first + at_once])
            store.rescore(RUN.id, a_scoring(number, answers=len(part)), part)


def test_a_killed_scoring_has_written_all_or_nothing(tmp_path: Path) -> None:
    """Six kills while it writes, each later than the one before; what was before is always whole."""
    whole = many(tmp_path)
    found = [killed(at_once, whole, after_s=0.008 * number) for number in range(6)]
    assert set(found) <= {0, N}
    assert 0 in found, "no kill came before the end"


def test_the_check_sees_a_scoring_that_is_half_done(tmp_path: Path) -> None:
    """The planted fault is caught."""
    whole = many(tmp_path)
    for _ in range(20):
        if killed(one_by_one, whole, after_s=0.02) not in (0, N):
            return
    pytest.fail("twenty kills of a scoring that writes one by one went unnoticed")


def many(folder: Path) -> Path:
    """Return a database of many answers."""
    path = folder / "whole.db"
    record(path, [an_outcome(f"case-{i // 5}", repeat=i % 5) for i in range(N)])
    return path


def killed(write: Callable[[Path, Connection], None], whole: Path, *, after_s: float) -> int:
    """Kill a scoring of a copy that long after it has begun to write; return how many answers it scored."""
    path = whole.with_name("copy.db")
    shutil.copy(whole, path)
    pipe, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=write, args=(path, theirs))
    process.start()
    theirs.close()
    assert pipe.recv() == "ready"
    time.sleep(after_s)
    process.kill()
    process.join()
    with closing(open_store(path)):
        assert len(read(path, 0)) == N
        return sum(each.trial.cell.case.checks == (CHECK,) for each in read(path))
