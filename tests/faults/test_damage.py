"""A torn WAL opens to a prefix of what was recorded; a damaged file is refused or read right, never wrong."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Outcome
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import Store, open_store
from tests.faults.recorder import planned

RUN, OUTCOMES = planned(24)


class Tear(Protocol):
    """Damages some bytes in place."""

    def __call__(self, data: bytearray, at: int) -> None:
        """Damage `data` at the offset `at`."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with all outcomes recorded and nothing moved out of its WAL yet."""
    with closing(open_store(tmp_path / "results.db")) as opened:
        opened.begin(RUN, [outcome.trial for outcome in OUTCOMES])
        for outcome in OUTCOMES:
            opened.record(RUN.id, outcome)
        yield opened


def cut(data: bytearray, at: int) -> None:
    """Lose everything from an offset on."""
    del data[at:]


def flip(data: bytearray, at: int) -> None:
    """Turn one byte over."""
    data[at] ^= 0xFF


def zero(data: bytearray, at: int) -> None:
    """Lose a disk sector."""
    data[at : at + 512] = bytes(len(data[at : at + 512]))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("damage", [cut, flip, zero])
def test_a_torn_wal_opens_to_a_prefix(damage: Tear, tmp_path: Path) -> None:
    """At forty offsets: what is read are the first outcomes, none missing between and none wrong."""
    chance, lengths = random.Random(3), set()  # noqa: S311 - a seeded test
    size = (tmp_path / "results.db-wal").stat().st_size
    for offset in sorted(chance.randrange(size) for _ in range(40)):
        copy = tmp_path / "copy" / "results.db"
        torn_copy(tmp_path / "results.db", copy, partial(damage, at=offset))
        found = read(copy)
        assert found == OUTCOMES[: len(found)]
        lengths.add(len(found))
    assert len(lengths) > 5, "the offsets must hit different moments"


def test_the_next_writer_goes_on_from_a_torn_wal(store: Store, tmp_path: Path) -> None:
    """The lost outcomes are recorded again, and the run is whole."""
    copy = tmp_path / "copy" / "results.db"
    torn_copy(tmp_path / "results.db", copy, lambda data: cut(data, len(data) * 3 // 4))
    assert store.recorded(RUN.id) == {outcome.trial.key for outcome in OUTCOMES}
    with closing(open_store(copy)) as again:
        again.begin(RUN, [outcome.trial for outcome in OUTCOMES])
        recorded = again.recorded(RUN.id)
        assert 0 < len(recorded) < len(OUTCOMES)
        for outcome in OUTCOMES:
            assert again.record(RUN.id, outcome) is (outcome.trial.key not in recorded)
        again.finish(RUN.id, "done")
    assert read(copy) == OUTCOMES


def test_no_damage_of_the_file_is_read_as_data(store: Store, tmp_path: Path) -> None:
    """Sixteen random bytes at sixty places: refused, or in a part that no outcome is made of."""
    store.close()
    chance, refused = random.Random(4), 0  # noqa: S311 - a seeded test
    whole = (tmp_path / "results.db").read_bytes()
    for _ in range(60):
        data = bytearray(whole)
        at = chance.randrange(len(data) - 16)
        data[at : at + 16] = chance.randbytes(16)
        (tmp_path / "damaged.db").write_bytes(data)
        try:
            found = read(tmp_path / "damaged.db")
        except StoreError:
            refused += 1
        else:
            assert found == OUTCOMES, f"16 bytes at {at} were read as data"
    assert refused > 20, "a third of the file at least is data"


def torn_copy(database: Path, copy: Path, tear: Callable[[bytearray], None]) -> None:
    """Copy a database and its WAL, without the index, and damage the WAL."""
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    shutil.copy(database, copy)
    wal = bytearray(database.with_name(database.name + "-wal").read_bytes())
    tear(wal)
    copy.with_name(copy.name + "-wal").write_bytes(wal)


def read(path: Path) -> tuple[Outcome, ...]:
    """Read the outcomes; a database torn before its first commit has none."""
    try:
        with closing(open_reader(path)) as reader:
            return reader.outcomes(RUN.id)
    except StoreError as error:
        if "no run is recorded yet" in str(error):
            return ()
        raise
