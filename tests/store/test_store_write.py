"""One writer, each trial recorded once, and a run taken up again only when it is still the same run."""

from __future__ import annotations

import math
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError, UnknownName
from gemma_eval.records import Attempt, EngineInfo, Failure, Outcome, Score, Source
from gemma_eval.stats.summary import case_scores
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import Store, open_store
from tests.examples import a_case, a_run, an_outcome

OUTCOMES = tuple(
    an_outcome(case_id, repeat=repeat, value=value)
    for case_id, value in (("a", 1.0), ("b", 0.0))
    for repeat in (0, 1)
)
TRIALS = tuple(outcome.trial for outcome in OUTCOMES)
RUN = replace(a_run(planned=len(TRIALS)), state="running", clock_offset_ns=1_767_225_600_000_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a database that does not exist yet."""
    return tmp_path / "results.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store with a run of four planned trials."""
    with closing(open_store(path)) as opened:
        opened.begin(RUN, TRIALS)
        yield opened


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Read with SQLite alone, as a person with another tool would."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_a_recorded_outcome_is_on_disk_when_record_returns(store: Store, path: Path) -> None:
    """A second connection sees it at once, while the store is still open."""
    store.record(RUN.id, OUTCOMES[2])
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (OUTCOMES[2],)
        assert reader.run(RUN.id).state == "running"


def test_a_trial_is_recorded_once(store: Store, path: Path) -> None:
    """The second outcome of a trial changes nothing and says so."""
    again = replace(OUTCOMES[0], generation=None, failure=Failure(kind="timeout", message="too late"))
    assert store.record(RUN.id, OUTCOMES[0]) is True
    assert store.record(RUN.id, again) is False
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (OUTCOMES[0],)
    assert query(path, "SELECT count(*) FROM transcript") == [(1,)]


def test_an_answer_takes_the_place_of_a_failure(store: Store, path: Path) -> None:
    """A server that is back answers what it did not; another failure says nothing new."""
    failed = replace(OUTCOMES[0], generation=None, failure=Failure(kind="timeout", message="too late"))
    again = replace(failed, failure=Failure(kind="timeout", message="again"))
    assert [store.record(RUN.id, each) for each in (failed, again, OUTCOMES[0], failed)] == [
        True,
        False,
        True,
        False,
    ]
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (OUTCOMES[0],)
    assert query(path, "SELECT count(*) FROM transcript") == [(1,)]


def test_outcomes_are_read_in_planned_order(store: Store, path: Path) -> None:
    """The order of recording, which a scheduler chooses, does not show."""
    for outcome in reversed(OUTCOMES):
        store.record(RUN.id, outcome)
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == OUTCOMES


def test_recorded_names_the_trials_that_need_no_second_run(store: Store) -> None:
    """What a resumed run skips."""
    assert store.recorded(RUN.id) == frozenset()
    store.record(RUN.id, OUTCOMES[1])
    assert store.recorded(RUN.id) == {TRIALS[1].key}


def test_an_outcome_that_was_not_planned_is_refused(store: Store) -> None:
    """A trial of another suite cannot slip into a run."""
    with pytest.raises(StoreError, match=r"c\[scripted/greedy/rag\] repeat 0 is not in the plan"):
        store.record(RUN.id, an_outcome("c"))


def test_a_number_that_is_none_leaves_nothing_behind(store: Store, path: Path) -> None:
    """NaN is refused before the transaction, and the store goes on."""
    bad = replace(OUTCOMES[0], scores=(Score(scorer="contains", value=math.nan, passed=None),))
    with pytest.raises(StoreError, match="finite"):
        store.record(RUN.id, bad)
    assert store.record(RUN.id, OUTCOMES[0])
    assert query(path, "SELECT count(*) FROM outcome") == [(1,)]


def test_a_number_too_large_for_sql_leaves_nothing_behind(store: Store, path: Path) -> None:
    """The transaction is rolled back as a whole, and the store goes on."""
    assert OUTCOMES[0].measurement is not None
    measurement = replace(OUTCOMES[0].measurement, peak_memory_bytes=2**70)
    with pytest.raises(StoreError, match="cannot be stored"):
        store.record(RUN.id, replace(OUTCOMES[0], measurement=measurement))
    assert store.record(RUN.id, OUTCOMES[0])
    assert query(path, "SELECT count(*) FROM outcome") == [(1,)]


def attempted(outcome: Outcome) -> Outcome:
    """Return the outcome with an attempt that failed before."""
    assert outcome.generation is not None
    attempt = Attempt(kind="server_error", message="503", requested_ns=1, ended_ns=2)
    return replace(outcome, generation=replace(outcome.generation, attempts=(attempt,)))


def test_the_page_turns_a_stamp_into_the_time_of_day(store: Store, path: Path) -> None:
    """With the SQL that docs/database.md gives, on the oldest SQLite that Python brings."""
    assert RUN.clock_offset_ns == 1_767_225_600_000_000_000
    attempt = Attempt(kind="server_error", message="503", requested_ns=1, ended_ns=1_500_000_000)
    assert OUTCOMES[0].generation is not None
    generation = replace(OUTCOMES[0].generation, attempts=(attempt,))
    store.record(RUN.id, replace(OUTCOMES[0], generation=generation))
    page = (Path(__file__).parents[2] / "docs/database.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```sql\n")[1:]]
    (statement,) = (block for block in blocks if "clock_offset_ns" in block)
    assert query(path, statement) == [("server_error", "503", "2026-01-01 00:00:01.500")]


def test_a_load_takes_the_place_of_a_shorter_part_of_it(store: Store, path: Path) -> None:
    """With all that belonged to each outcome, at once; what is not of the load stays."""
    keys = [trial.key for trial in TRIALS[1:]]
    store.record(RUN.id, OUTCOMES[0])
    assert store.record_load(RUN.id, [attempted(outcome) for outcome in OUTCOMES[1:3]], keys=keys)
    assert query(path, "SELECT count(*) FROM v_attempt") == [(2,)]
    whole = tuple(replace(outcome, scores=()) for outcome in OUTCOMES[1:])
    assert store.record_load(RUN.id, whole, keys=keys)
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (OUTCOMES[0], *whole)
    for table, rows in (("transcript", 4), ("score", len(OUTCOMES[0].scores)), ("attempt", 0)):
        assert query(path, f"SELECT count(*) FROM {table}") == [(rows,)]  # noqa: S608 - names from above
    assert query(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("again", [OUTCOMES[1:2], OUTCOMES[2:4]])
def test_no_part_of_a_load_takes_the_place_of_one_as_long(
    store: Store, path: Path, again: tuple[Outcome, ...]
) -> None:
    """Nor is it added to that: it was another load."""
    keys = [trial.key for trial in TRIALS]
    assert store.record_load(RUN.id, OUTCOMES[:2], keys=keys)
    assert not store.record_load(RUN.id, again, keys=keys)
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == OUTCOMES[:2]


FAILED = tuple(
    replace(outcome, generation=None, measurement=None, scores=(), failure=Failure(kind="x", message="y"))
    for outcome in OUTCOMES
)


@pytest.mark.parametrize(
    ("before", "again", "is_kept"),
    [
        (OUTCOMES[:2], FAILED, False),
        (OUTCOMES[:2], (OUTCOMES[0], *FAILED[1:]), False),
        (OUTCOMES[:1], (OUTCOMES[0], *FAILED[1:]), True),
        ((OUTCOMES[0], *FAILED[1:3]), OUTCOMES[:2], True),
        (FAILED[:2], FAILED[:3], False),
        (FAILED[:2], FAILED, True),
        (OUTCOMES, OUTCOMES, False),
        (FAILED, FAILED, False),
        (FAILED, (OUTCOMES[0], *FAILED[1:]), True),
    ],
)
def test_errors_of_a_load_take_the_place_of_no_answers(
    store: Store, path: Path, before: tuple[Outcome, ...], again: tuple[Outcome, ...], is_kept: bool
) -> None:
    """Of as many answers a whole load is better than a part; more of them are better than either."""
    keys = [trial.key for trial in TRIALS]
    assert store.record_load(RUN.id, before, keys=keys)
    assert store.record_load(RUN.id, again, keys=keys) is is_kept
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == (again if is_kept else before)


def test_a_load_of_which_nothing_was_answered_is_recorded(store: Store, path: Path) -> None:
    """Also in part: there is nothing that it could take the place of."""
    assert store.record_load(RUN.id, FAILED[:2], keys=[trial.key for trial in TRIALS])
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == FAILED[:2]


def test_a_load_that_cannot_be_stored_leaves_what_was_there(store: Store, path: Path) -> None:
    """The transaction is rolled back as a whole."""
    keys = [trial.key for trial in TRIALS]
    assert store.record_load(RUN.id, OUTCOMES[:2], keys=keys)
    assert OUTCOMES[3].measurement is not None
    measurement = replace(OUTCOMES[3].measurement, peak_memory_bytes=2**70)
    with pytest.raises(StoreError, match="cannot be stored"):
        store.record_load(RUN.id, [*OUTCOMES[:3], replace(OUTCOMES[3], measurement=measurement)], keys=keys)
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == OUTCOMES[:2]


def test_done_needs_every_planned_trial(store: Store, path: Path) -> None:
    """A run with holes is interrupted, whatever the caller believes."""
    for outcome in OUTCOMES[:3]:
        store.record(RUN.id, outcome)
    with pytest.raises(StoreError, match="1 of its 4 trials are not recorded"):
        store.finish(RUN.id, "done")
    store.finish(RUN.id, "interrupted")
    store.record(RUN.id, OUTCOMES[3])
    store.finish(RUN.id, "done")
    assert query(path, "SELECT state FROM v_run") == [("done",)]


def test_a_run_says_when_it_ended_and_what_time_its_clock_was(store: Store, path: Path) -> None:
    """So that a stamp can be found in a server's log; the last end counts when it was gone on with."""
    for ended_utc in ("2026-01-01T00:00:09+00:00", "2026-01-02T00:00:00+00:00"):
        store.finish(RUN.id, "interrupted", ended_utc=ended_utc)
    store.close()
    with closing(open_reader(path)) as reader:
        run = reader.run(RUN.id)
    assert (run.ended_utc, run.clock_offset_ns) == ("2026-01-02T00:00:00+00:00", RUN.clock_offset_ns)


def test_a_run_that_goes_on_has_not_ended(store: Store, path: Path) -> None:
    """Nor has one that is killed while it goes on: when its first part ended is not when it did."""
    store.finish(RUN.id, "interrupted", ended_utc="2026-01-01T00:00:09+00:00")
    store.begin(RUN, TRIALS)
    with closing(open_reader(path)) as reader:
        assert (reader.run(RUN.id).state, reader.run(RUN.id).ended_utc) == ("running", None)


def test_a_run_that_was_never_begun_is_named(store: Store) -> None:
    """A wrong id is a clear error at each door."""
    info = EngineInfo(
        engine="e", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
    )
    with pytest.raises(StoreError, match='run "other" was never begun'):
        store.finish("other", "interrupted")
    with pytest.raises(StoreError, match='run "other" was never begun'):
        store.engine("other", "scripted", info)


# --- one writer --------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_a_reader_is_not(store: Store, path: Path) -> None:
    """The refusal names the process that writes."""
    with pytest.raises(StoreError, match=r"process \d+ is writing to it"):
        open_store(path)
    open_reader(path).close()
    store.record(RUN.id, OUTCOMES[0])


def test_a_closed_store_leaves_one_plain_file(store: Store, path: Path) -> None:
    """No WAL, no index, no lock: a file that can be copied, mailed and opened anywhere."""
    store.record(RUN.id, OUTCOMES[0])
    store.close()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["results.db"]
    assert path.read_bytes()[18:20] == b"\x01\x01", "the header says rollback journal, not WAL"


def test_closing_while_a_reader_is_in_loses_nothing(store: Store, path: Path) -> None:
    """The reader keeps the WAL alive; the next writer merges it."""
    store.record(RUN.id, OUTCOMES[0])
    with closing(open_reader(path)) as reader:
        assert len(reader.outcomes(RUN.id)) == 1
        store.close()
        assert len(reader.outcomes(RUN.id)) == 1
    with closing(open_store(path)) as again:
        assert again.recorded(RUN.id) == {TRIALS[0].key}
    assert [file.name for file in path.parent.iterdir()] == ["results.db"]


def test_the_right_to_write_is_free_again_after_kill_9(path: Path) -> None:
    """A process that takes the lease and is killed leaves a lock file that locks nothing."""
    hold = (
        "import sys, pathlib; from gemma_eval.store.lease import acquire;"
        "lease = acquire(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", hold, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid} is writing"):
            open_store(path)
        holder.kill()
        holder.wait()
    assert path.with_name("results.db.lock").exists()
    open_store(path).close()
    assert [file.name for file in path.parent.iterdir()] == ["results.db"]


# --- taking a run up again ---------------------------------------------------------------------------


def test_a_run_is_taken_up_where_it_stopped(store: Store, path: Path) -> None:
    """The same trials, in another order, with the case moved to another line of its file."""
    store.record(RUN.id, OUTCOMES[0])
    store.close()
    moved = [
        replace(
            trial,
            cell=replace(
                trial.cell, case=replace(trial.cell.case, source=Source(path="suite.toml", line=99))
            ),
        )
        for trial in reversed(TRIALS)
    ]
    with closing(open_store(path)) as again:
        again.begin(RUN, moved)
        assert again.recorded(RUN.id) == {TRIALS[0].key}
        for outcome in OUTCOMES[1:]:
            again.record(RUN.id, outcome)
        again.finish(RUN.id, "done")
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(RUN.id) == OUTCOMES
        assert reader.run(RUN.id) == replace(RUN, state="done")


def test_a_changed_case_refuses_the_resume_and_says_which(store: Store) -> None:
    """A profile or a question edited since then would mix two experiments."""
    cell = replace(TRIALS[3].cell, case=a_case("b", cluster="edited"))
    with pytest.raises(
        StoreError, match=r"1 of its trials have changed, first b\[scripted/greedy/rag\] repeat 1"
    ):
        store.begin(RUN, (*TRIALS[:3], replace(TRIALS[3], cell=cell)))


def test_a_smaller_or_larger_selection_refuses_the_resume(store: Store) -> None:
    """Fewer trials or more are told apart."""
    with pytest.raises(StoreError, match=r"1 of its trials are no longer asked for, first b\["):
        store.begin(RUN, TRIALS[:3])
    with pytest.raises(StoreError, match=r"1 trials were not planned then, first c\["):
        store.begin(RUN, (*TRIALS, an_outcome("c").trial))


def test_another_machine_refuses_the_resume(store: Store) -> None:
    """Timings of two machines do not mix in one run."""
    with pytest.raises(StoreError, match="begun on a processor"):
        store.begin(replace(RUN, host=replace(RUN.host, cpu="another")), TRIALS)


def test_other_weights_refuse_the_resume(store: Store, path: Path) -> None:
    """Hashes that differ in one digit are other weights; the same ones are noted once."""
    info = RUN.engines["scripted"]
    store.engine(RUN.id, "scripted", info)
    with pytest.raises(StoreError, match="model scripted was scripted 1, weights abab"):
        store.engine(RUN.id, "scripted", replace(info, model_sha256="ab" * 31 + "ac"))
    store.engine(RUN.id, "second", info)
    with closing(open_reader(path)) as reader:
        assert reader.run(RUN.id).engines == {"scripted": info, "second": info}


def test_a_run_whose_writer_died_is_called_interrupted(store: Store, path: Path) -> None:
    """The next run to begin knows that nobody else is writing."""
    store.close()
    with closing(open_store(path)) as again:
        again.begin(replace(RUN, id="next"), TRIALS)
    with closing(open_reader(path)) as reader:
        assert [(run.id, run.state) for run in reader.runs()] == [
            ("next", "running"),
            (RUN.id, "interrupted"),
        ]


def test_a_suite_given_twice_is_refused_and_leaves_no_run(path: Path) -> None:
    """Begin is one transaction."""
    with closing(open_store(path)) as store:
        with pytest.raises(StoreError, match="is planned twice"):
            store.begin(RUN, (*TRIALS[:3], TRIALS[0]))
        with pytest.raises(StoreError, match="says 4 planned trials, and 3 were given"):
            store.begin(RUN, TRIALS[:3])
    assert query(path, "SELECT count(*) FROM run") == [(0,)]


def test_latest_is_the_run_begun_last_whatever_the_clock_said(store: Store, path: Path) -> None:
    """A clock set back does not reorder runs; an unknown id gets a suggestion."""
    store.begin(replace(RUN, id="20200101-000000-0000", started_utc="2020-01-01T00:00:00+00:00"), TRIALS)
    with closing(open_reader(path)) as reader:
        assert reader.run("latest").id == "20200101-000000-0000"
        with pytest.raises(UnknownName, match='did you mean "20200101-000000-0000"'):
            reader.run("20200101-000000-0001")


# --- what others read --------------------------------------------------------------------------------


def test_the_views_say_what_the_records_say(store: Store, path: Path) -> None:
    """Every column of v_outcome that names a field of a record holds that field."""
    failed = replace(OUTCOMES[3], generation=None, measurement=None, scores=())
    failed = replace(failed, failure=Failure(kind="timeout", message="10 s"))
    recorded = (*OUTCOMES[:3], failed)
    for outcome in recorded:
        store.record(RUN.id, outcome)
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute("SELECT * FROM v_outcome ORDER BY position")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    assert [_columns(outcome, names) for outcome in recorded] == rows_without_ids(rows)


def rows_without_ids(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Leave out what only the database knows."""
    return [
        {
            name: value
            for name, value in row.items()
            if name not in ("run_id", "position", "trial_key", "outcome_id")
        }
        for row in rows
    ]


def _columns(outcome: Outcome, names: list[str]) -> dict[str, object]:
    """Look each column up in the records by its name: one name per thing."""
    cell = outcome.trial.cell
    values: dict[str, object] = {
        "suite": cell.suite,
        "case_id": cell.case.id,
        "kind": cell.case.kind,
        "model": cell.model.name,
        "profile": cell.profile.name,
        "template": cell.template.name,
        "retrieval": cell.retrieval.name,
        "repeat": outcome.trial.repeat,
        "seed": outcome.trial.seed,
        "block": outcome.trial.block,
        "score": outcome.score,
        "passed": int(outcome.passed),
        "phase": outcome.phase,
        "failure_kind": outcome.failure.kind if outcome.failure else None,
        "failure_message": outcome.failure.message if outcome.failure else None,
        "scoring": 0,
        "original_score": outcome.score,
        "reduce": cell.case.reduce,
        "cached": None,
        "degraded": None,
    }
    for name in names:
        if name not in values and name not in ("run_id", "position", "trial_key", "outcome_id"):
            holders = (outcome.measurement, outcome.generation)
            values[name] = next((getattr(each, name) for each in holders if hasattr(each, name)), None)
    return values


def test_a_cell_is_the_mean_of_its_repeats(store: Store, path: Path) -> None:
    """Against an independent mean; a repeat without a value is left out, and the count says so."""
    assert OUTCOMES[1].measurement is not None
    slower = replace(OUTCOMES[1], measurement=replace(OUTCOMES[1].measurement, ttft_s=0.05, tpot_s=None))
    for outcome in (OUTCOMES[0], slower):
        store.record(RUN.id, outcome)
    statement = "SELECT case_id, n, passed, failed, scored, score, ttft_s, tpot_s FROM v_cell"
    ((case_id, n, passed, failed, scored, score, ttft_s, tpot_s),) = query(path, statement)
    assert (case_id, n, passed, failed, scored, score) == ("a", 2, 2, 0, 2, 1.0)
    assert ttft_s == pytest.approx(statistics.fmean((0.010, 0.05)))
    assert tpot_s == pytest.approx(0.020)


def test_a_cell_of_which_a_repeat_has_no_score_has_none(store: Store, path: Path) -> None:
    """As in the summaries: not the mean of what is left, and the count says so."""
    unscored = replace(OUTCOMES[1], scores=(Score(scorer="contains", value=None, passed=None, unscored="x"),))
    for outcome in (OUTCOMES[0], unscored):
        store.record(RUN.id, outcome)
    assert query(path, "SELECT n, scored, score FROM v_cell") == [(2, 1, None)]
    assert case_scores((OUTCOMES[0], unscored)) == (None,)


def test_scores_and_transcripts_can_be_searched(store: Store, path: Path) -> None:
    """What a person looks for with SQL: the check, the prompt, the answer."""
    store.record(RUN.id, OUTCOMES[0])
    assert query(path, "SELECT case_id, scorer, value, passed, answer FROM v_score") == [
        ("a", "contains", 1.0, None, "Oslo")
    ]
    assert query(path, "SELECT case_id, text FROM v_transcript WHERE prompt LIKE '%Finn lives%'") == [
        ("a", "Oslo")
    ]
