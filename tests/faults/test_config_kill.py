"""`kill -9` at any moment of a change leaves the old file or the new one, and nothing that is in the way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from gemma_eval.config.backups import FOLDER, last_good, listed
from gemma_eval.config.changing import change
from gemma_eval.errors import ConfigError
from tests import forked
from tests.faults.config_writer import (
    add_profiles,
    add_profiles_unlocked,
    change_on,
    number_of,
    text_of,
    write_on,
)

Writer = Callable[[Path, Connection], None]
Adder = Callable[[Path, int, int, Connection], None]

LONGEST_S = 0.03
"""Longer than one change takes, so that every moment of one is hit."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of the first version."""
    path = tmp_path / "profiles.json"
    path.write_text(text_of(0))
    return path


def test_forty_kills_leave_the_old_file_or_the_new(path: Path) -> None:
    """And a killed writer holds up none."""
    prove(path, kills=40)


@pytest.mark.slow
def test_a_thousand_kills_leave_the_old_file_or_the_new(path: Path) -> None:
    """The long form of the same proof."""
    prove(path, kills=1000)


def test_the_proof_sees_a_file_that_is_written_where_it_is(path: Path) -> None:
    """A planted fault: one kill of some leaves half a file."""
    with pytest.raises((ConfigError, ValueError, AssertionError)):
        prove(path, kills=200, writer=write_on)


def prove(path: Path, *, kills: int, writer: Writer = change_on, seed: int = 1) -> None:
    """Kill a writer over and over, and look at the file and at what is beside it each time."""
    chance = random.Random(seed)  # noqa: S311 - a seeded test
    written = 0
    for kill in range(kills):
        acknowledged = start_and_kill(path, writer, chance) or written
        found = number_of(path.read_text())
        assert found in (acknowledged, acknowledged + 1), f"kill {kill} with seed {seed}"
        good = last_good(path, number_of)
        assert good is None or good.value in (found, found - 1), "a version that is kept is whole"
        assert len(left(path.parent)) <= 2, "the next writer cleans"
        written = found
    assert written > kills / 4, "something is written between the kills"
    change(path, lambda _: text_of(0), check=number_of, backups=3)
    assert left(path.parent) == []
    assert len(listed(path)) == 4
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, FOLDER}


def start_and_kill(path: Path, writer: Writer, chance: random.Random) -> int | None:
    """Start a writer, kill it in the middle of something, and return what it had acknowledged last."""
    reader, end = forked.pipe()
    process = forked.process(writer, path, end)
    process.start()
    end.close()
    assert reader.poll(60), "a lock is stale"
    reader.recv()
    numbers: list[int | None] = [None]
    for _ in range(chance.randrange(3)):
        assert reader.poll(60), "a lock is stale"
        numbers.append(reader.recv())
    time.sleep(chance.uniform(0, LONGEST_S))
    process.kill()
    process.join()
    numbers += received(reader)
    return numbers[-1]


def left(folder: Path) -> list[str]:
    """Return what killed writers have left."""
    return [entry.name for entry in folder.rglob("*.tmp")]


def test_of_many_processes_none_loses_an_edit(path: Path) -> None:
    """Five of them, each adding twelve profiles: what was acknowledged is there, and nothing was refused."""
    assert lost(path, add_profiles) == ([], [])


def test_the_test_above_sees_a_lost_edit(path: Path) -> None:
    """A planted fault: writers that do not wait for each other."""
    assert lost(path, add_profiles_unlocked)[0] != []


def lost(path: Path, adder: Adder, *, writers: int = 5, n: int = 12) -> tuple[list[str], list[str]]:
    """Return the profiles that were acknowledged and are not there, and what was refused."""
    running = []
    for writer in range(writers):
        reader, end = forked.pipe()
        process = forked.process(adder, path, writer, n, end)
        process.start()
        end.close()
        running.append((process, reader))
    told = [message for _, reader in running for message in received(reader)]
    for process, _ in running:
        process.join()
        assert process.exitcode == 0
    assert len(told) == writers * n
    text = path.read_text()
    return (
        [name for name, error in told if error is None and f'"{name}"' not in text],
        [error for _, error in told if error is not None],
    )


def received(pipe: Connection) -> Iterator[Any]:
    """Yield what a process tells until its end."""
    try:
        while True:
            yield pipe.recv()
    except EOFError:
        return
