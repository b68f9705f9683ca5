"""`kill -9` at random moments loses nothing that was acknowledged, and the resumed run is the whole run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.store.read import open_reader
from tests import forked
from tests.faults.recorder import planned, record_all, record_all_acknowledging_early

Recorder = Callable[[Path, int, Connection], None]


def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Killed while opening, beginning, recording and closing; then finished and compared."""
    prove(tmp_path / "results.db", kills=20, trials=150)


@pytest.mark.slow
def test_three_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The long form of the same proof."""
    prove(tmp_path / "results.db", kills=300, trials=300)


def test_the_proof_sees_an_acknowledgement_before_the_commit(tmp_path: Path) -> None:
    """A planted fault: a recorder that acknowledges first is caught by the same checks."""
    path, chance = tmp_path / "results.db", random.Random(2)  # noqa: S311 - a seeded test
    for _ in range(20):
        acknowledged = start_and_kill(record_all_acknowledging_early, path, 300, most_acks=10, chance=chance)
        if acknowledged - recorded(path, 300):
            return
    pytest.fail("twenty kills of a recorder that acknowledges too early went unnoticed")


def prove(path: Path, *, kills: int, trials: int, seed: int = 1) -> None:
    """Kill a recorder `kills` times, check the database after each, then let it finish and compare."""
    chance = random.Random(seed)  # noqa: S311 - a seeded test
    acknowledged: set[str] = set()
    for kill in range(kills):
        most_acks = max(1, 2 * trials // kills)
        acknowledged |= start_and_kill(record_all, path, trials, most_acks=most_acks, chance=chance)
        lost = acknowledged - recorded(path, trials)
        assert not lost, f"kill {kill} with seed {seed} lost {len(lost)} acknowledged trials"
    finish(path, trials)
    run, outcomes = planned(trials)
    with closing(open_reader(path)) as reader:
        assert reader.outcomes(run.id) == outcomes
        assert reader.run(run.id) == run
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def start_and_kill(
    recorder: Recorder, path: Path, trials: int, *, most_acks: int, chance: random.Random
) -> set[str]:
    """Start a recorder, kill it in the middle of something, and return what it had acknowledged."""
    process, pipe = start(recorder, path, trials)
    messages = [pipe.recv()]
    if chance.random() < 0.3:
        time.sleep(chance.uniform(0, 0.1))  # somewhere between opening and the first outcomes
    else:
        messages += islice(received(pipe), chance.randint(1, most_acks))
    process.kill()
    process.join()
    return {*messages, *received(pipe)} - {"ready", "done"}


def finish(path: Path, trials: int) -> None:
    """Let a recorder resume the run and come to its end."""
    process, pipe = start(record_all, path, trials)
    assert [*received(pipe)][-1] == "done"
    process.join()
    assert process.exitcode == 0


def start(recorder: Recorder, path: Path, trials: int) -> tuple[ForkServerProcess, Connection]:
    """Start a recorder in a process of its own; the pipe ends when the process does."""
    pipe, theirs = forked.pipe()
    process = forked.process(recorder, path, trials, theirs)
    process.start()
    theirs.close()
    return process, pipe


def received(pipe: Connection) -> Iterator[str]:
    """Yield messages until the pipe ends."""
    try:
        while True:
            yield pipe.recv()
    except EOFError:
        return


def recorded(path: Path, trials: int) -> set[str]:
    """Return the keys in the database as a fresh reader sees them, each whole and there once."""
    run, outcomes = planned(trials)
    try:
        with closing(open_reader(path)) as reader:
            found = reader.outcomes(run.id)
    except StoreError as error:
        if "there is no results database" in str(error) or "no run is recorded yet" in str(error):
            return set()  # killed before the database was made
        raise
    expected = {outcome.trial.key: outcome for outcome in outcomes}
    assert all(expected[outcome.trial.key] == outcome for outcome in found)
    keys = [outcome.trial.key for outcome in found]
    assert len(keys) == len(set(keys))
    return set(keys)
