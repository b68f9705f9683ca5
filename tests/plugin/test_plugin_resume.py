"""A run that was interrupted goes on: nothing is lost, nothing done twice, and the result is the same."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Outcome
from tests.plugin.killing import running
from tests.plugin.project import NEVER, a_case, head, latest, results, write_project

SUITE = ("--gemma-suite", "cities.gemma.toml")


def twice(n: int) -> str:
    """Return the n-th case, which is asked twice."""
    return a_case(f"case-{n}", keys="repeats = 2")


def determined(outcomes: Sequence[Outcome]) -> list[tuple[object, ...]]:
    """Return what two runs of one suite must have in common: all but the times."""
    return [
        (
            outcome.trial.key,
            outcome.prompt,
            outcome.generation and (outcome.generation.text, outcome.generation.output_tokens),
            outcome.scores,
            outcome.failure,
        )
        for outcome in outcomes
    ]


def keep(folder: Path, n: int) -> str:
    """Forget all but the first `n` outcomes of the newest run, as if it had ended there; return its id."""
    with results(folder) as reader:
        run = reader.run("latest")
        gone = [outcome.trial.key for outcome in reader.outcomes(run.id)[n:]]
    with closing(sqlite3.connect(folder / "reports" / "gemma_eval.db")) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        marks = ", ".join("?" * len(gone))
        ids = f"SELECT id FROM outcome WHERE trial_key IN ({marks})"  # noqa: S608 - question marks
        for table in ("score", "transcript"):
            connection.execute(f"DELETE FROM {table} WHERE outcome_id IN ({ids})", gone)  # noqa: S608 - constants
        connection.execute(f"DELETE FROM outcome WHERE trial_key IN ({marks})", gone)  # noqa: S608 - question marks
        connection.execute("UPDATE run SET state = 'interrupted'")
    return run.id


def test_what_is_recorded_is_not_run_again(pytester: pytest.Pytester) -> None:
    """Recorded cells are shown as such, a half-recorded one is completed, and it is the same run."""
    write_project(pytester.path, head() + "".join(twice(n) for n in range(3)))
    pytester.runpytest_inprocess(*SUITE)
    whole = determined(latest(pytester.path))
    run_id = keep(pytester.path, 3)
    result = pytester.runpytest_inprocess(*SUITE, "-v", "--gemma-resume", "latest")
    result.stdout.fnmatch_lines(
        [
            "*goes on with run " + run_id + "*",
            "*case-0*RECORDED*",
            "*case-1*PASSED*",
            "*case-2*PASSED*",
            "*6 of 6 trials*",
        ]
    )
    assert result.ret == 0
    assert determined(latest(pytester.path)) == whole
    with results(pytester.path) as reader:
        assert [(run.id, run.state) for run in reader.runs()] == [(run_id, "done")]


def test_a_recorded_failure_stays_a_failure(pytester: pytest.Pytester) -> None:
    """An item that missed its demand is not run again and fails again."""
    write_project(pytester.path, head(models=("other",)) + NEVER + twice(1))
    pytester.runpytest_inprocess(*SUITE).assert_outcomes(failed=1, passed=1)
    keep(pytester.path, 1)
    result = pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["contains: 0.00 is below pass_at = 1.0"])


def test_workers_skip_what_is_recorded(pytester: pytest.Pytester) -> None:
    """The same with pytest-xdist."""
    write_project(pytester.path, head(models=("echo", "other")) + "".join(twice(n) for n in range(3)))
    pytester.runpytest_inprocess(*SUITE)
    whole = determined(latest(pytester.path))
    keep(pytester.path, 7)
    result = pytester.runpytest_subprocess(
        *SUITE, "-n", "2", "-p", "no:benchmark", "--gemma-resume", "latest"
    )
    result.stdout.fnmatch_lines(["12 of 12 trials recorded", "*3 passed, 3 recorded*"])
    assert determined(latest(pytester.path)) == whole


def test_a_suite_that_was_changed_is_not_gone_on_with(pytester: pytest.Pytester) -> None:
    """The plan of the run must be the plan of now."""
    path = write_project(pytester.path, head() + twice(1))
    pytester.runpytest_inprocess(*SUITE)
    keep(pytester.path, 1)
    path.write_text(path.read_text().replace('prompt = "?"', 'prompt = "another"'))
    result = pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(latest(pytester.path)) == 1


def kill_until_done(folder: Path, *, kills: int, seed: int) -> int:
    """Kill runs at random points and go on each time; return how many were killed before one came to its end.

    Raises AssertionError when an outcome that was shown is not in the database.
    """
    chance = random.Random(seed)  # noqa: S311 - a reproducible choice
    killed = 0
    begun = False
    for _ in range(10 * kills + 1):
        resuming = ["--gemma-resume", "latest"] if begun else []
        before = len(latest(folder)) if begun else 0
        with running(folder, [*SUITE, "-v", *resuming]) as run:
            timer = threading.Timer(chance.uniform(0.0, 0.6), run.process.kill)
            if killed < kills:
                timer.start()
            shown = sum("PASSED" in line for line in run.printed)
            timer.cancel()
            run.process.join()
            died = run.process.exitcode == -9
        begun = (folder / "reports" / "gemma_eval.db").exists() and has_run(folder)
        if begun:
            assert len(latest(folder)) >= before + shown
        killed += died
        if not died:
            return killed
    raise AssertionError("the run never came to its end")


def has_run(folder: Path) -> bool:
    """Whether a run was begun before the kill, which may have left a database with nothing in it."""
    try:
        with results(folder) as reader:
            return bool(reader.runs())
    except StoreError as error:
        if str(error).endswith("no run is recorded yet"):
            return False
        raise


def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    """`kill -9` at twenty random points: nothing shown is lost, and the result is that of one whole run."""
    kills_lose_nothing(tmp_path, kills=20, cases=60)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    """The same ten times as often."""
    kills_lose_nothing(tmp_path, kills=200, cases=600)


def kills_lose_nothing(tmp_path: Path, *, kills: int, cases: int) -> None:
    """Compare a run that was killed so often with one that was not."""
    suite = head(models=("slow",)) + "".join(twice(n) for n in range(cases))
    killed_often, whole = tmp_path / "killed", tmp_path / "whole"
    write_project(killed_often, suite)
    write_project(whole, suite)
    assert kill_until_done(killed_often, kills=kills, seed=20261120) >= kills
    assert kill_until_done(whole, kills=0, seed=0) == 0
    assert determined(latest(killed_often)) == determined(latest(whole))
    with results(killed_often) as reader:
        assert [run.state for run in reader.runs()] == ["done"]
    with closing(sqlite3.connect(killed_often / "reports" / "gemma_eval.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_lost_outcome_would_be_seen(tmp_path: Path) -> None:
    """The comparison above can fail: an outcome that is missing or differs is a difference."""
    write_project(tmp_path, head() + twice(1))
    with running(tmp_path, SUITE) as run:
        run.printed.read()
    outcomes = latest(tmp_path)
    assert determined(outcomes[:1]) != determined(outcomes)
    assert determined(outcomes[::-1]) != determined(outcomes)


INTERRUPTING = """
import os
import signal
from pathlib import Path
import gemma_eval
from gemma_eval.backends import scripted

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
asked = []

class Interrupting(scripted.Scripted):
    max_in_flight = 2

    def generate(self, prompt, *, profile, seed):
        asked.append(seed)
        if str(len(asked)) == Path("interrupt.txt").read_text():
            os.kill(os.getpid(), signal.SIGINT)
        return super().generate(prompt, profile=profile, seed=seed)

def load(spec, *, clock, transforms):
    loaded = scripted.load(spec, clock=clock, transforms=transforms)
    return Interrupting(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("interrupting", load)
"""


class Interruptible:
    """A suite whose engine presses Ctrl-C when it is asked for the n-th time."""

    def __init__(self, pytester: pytest.Pytester, suite: str) -> None:
        """Write the project."""
        pytester.makeconftest(INTERRUPTING)
        write_project(pytester.path, head(models=("slow",)) + suite)
        models = pytester.path / "models.toml"
        models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "interrupting"'))
        self._pytester = pytester

    def run(
        self, *arguments: str, interrupt_at: int | None, says: str = "*gemma_eval: run*"
    ) -> tuple[Outcome, ...]:
        """Run the suite in a process of its own, which `says` that; return what is recorded then."""
        (self._pytester.path / "interrupt.txt").write_text(str(interrupt_at))
        result = self._pytester.runpytest_subprocess(*SUITE, "-p", "no:benchmark", *arguments)
        assert result.ret == (pytest.ExitCode.OK if interrupt_at is None else pytest.ExitCode.INTERRUPTED)
        result.stdout.fnmatch_lines([says])
        return latest(self._pytester.path)


def sendings(outcomes: Sequence[Outcome]) -> set[int]:
    """Return when each request was sent, by which it is known."""
    return {outcome.generation.requested_ns for outcome in outcomes if outcome.generation is not None}


def test_an_interrupted_load_is_kept_as_far_as_it_went_and_run_again_as_a_whole(
    pytester: pytest.Pytester,
) -> None:
    """What was answered before Ctrl-C is recorded, a shorter part is not, and no load is of two halves."""
    suite = Interruptible(
        pytester,
        a_case("load", keys='kind = "benchmark"\nwarmup = 0\nrepeats = 12\nload = { concurrency = 2 }'),
    )
    part = suite.run(interrupt_at=8)
    assert 7 <= len(part) <= 9
    assert all(outcome.passed and outcome.measurement is not None for outcome in part)
    in_vain = "*load[[]slow/*]: the load was sent again and [1-6] of its requests were answered, not more*"
    assert suite.run("--gemma-resume", "latest", interrupt_at=3, says=in_vain) == part
    whole = suite.run("--gemma-resume", "latest", interrupt_at=None)
    assert [outcome.trial.repeat for outcome in whole] == list(range(12))
    assert sendings(whole).isdisjoint(sendings(part))
    with results(pytester.path) as reader:
        assert [run.state for run in reader.runs()] == ["done"]


def test_the_answers_of_a_cell_before_an_interrupt_are_kept(pytester: pytest.Pytester) -> None:
    """One by one as they were asked, and the others are asked when the run goes on."""
    suite = Interruptible(pytester, a_case("fast", keys='kind = "benchmark"\nwarmup = 0\nrepeats = 4'))
    part = suite.run(interrupt_at=3)
    assert [outcome.trial.repeat for outcome in part] == [0, 1]
    whole = suite.run("--gemma-resume", "latest", interrupt_at=None)
    assert whole[:2] == part
    assert [outcome.trial.repeat for outcome in whole] == [0, 1, 2, 3]


OTHER_ENGINE = """
from dataclasses import replace
from pathlib import Path
import gemma_eval
from gemma_eval.backends import scripted

class Versioned(scripted.Scripted):
    def info(self):
        return replace(super().info(), version=Path("version.txt").read_text())

def load(spec, *, clock, transforms):
    loaded = scripted.load(spec, clock=clock, transforms=transforms)
    return Versioned(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

@gemma_eval.hookimpl
def register_backends(register):
    register("versioned", load)
"""


def test_a_run_does_not_go_on_with_another_engine(pytester: pytest.Pytester) -> None:
    """When the store refuses an outcome the run stops at once, in one line, with what it has."""
    pytester.makeconftest(OTHER_ENGINE)
    write_project(pytester.path, head() + "".join(twice(n) for n in range(3)))
    models = pytester.path / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "versioned"'))
    (pytester.path / "version.txt").write_text("1")
    pytester.runpytest_inprocess(*SUITE).assert_outcomes(passed=3)
    keep(pytester.path, 2)
    (pytester.path / "version.txt").write_text("2")
    result = pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["run *: model echo was scripted 1*", "2 of 6 trials recorded", "*could not be recorded*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert len(latest(pytester.path)) == 2


SHAKY = """
from pathlib import Path

from gemma_eval import hookimpl
from gemma_eval.backends import scripted
from gemma_eval.errors import ServerError


class Shaky:
    def __init__(self, engine):
        self.engine = engine

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def generate(self, prompt, *, profile, seed):
        if Path("down").exists():
            raise ServerError("nobody answers")
        return self.engine.generate(prompt, profile=profile, seed=seed)


@hookimpl
def register_backends(register):
    register("shaky", lambda spec, **parts: Shaky(scripted.load(spec, **parts)))
"""
SHAKY_MODELS = """\
version = 1
[model.echo]
backend = "shaky"
location = "@scripted"
options = { reply = "Oslo" }
"""
TOGETHER = """
[[case]]
id = "together"
prompt = "?"
repeats = 2
checks = [{ scorer = "contains", text = "Oslo" }, { scorer = "determinism" }]
[[case]]
id = "timed"
kind = "benchmark"
prompt = "?"
warmup = 0
"""


def test_what_a_server_failed_to_answer_is_asked_again(pytester: pytest.Pytester) -> None:
    """One by one and with repeats that are judged together; of a benchmark the failure is the result."""
    write_project(pytester.path, head() + twice(1) + TOGETHER)
    (pytester.path / "models.toml").write_text(SHAKY_MODELS)
    pytester.makeconftest(SHAKY)
    (pytester.path / "down").touch()
    pytester.runpytest_inprocess(*SUITE).assert_outcomes(failed=3)
    (pytester.path / "down").unlink()
    pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest").assert_outcomes(failed=1, passed=2)
    found = {outcome.trial.cell.case.id: outcome for outcome in latest(pytester.path)}
    assert {name: outcome.failure is None for name, outcome in found.items()} == {
        "case-1": True,
        "together": True,
        "timed": False,
    }
    assert [outcome.score for outcome in latest(pytester.path)][:4] == [1.0] * 4
