"""A memory goes through an archive unchanged, and no archive that is wrong changes a memory."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma_eval.errors import StoreError, UsageError
from gemma_eval.memory import archive, tiers
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Piece
from tests.contract.store_contract import EMBEDDER, NOW_S, OTHER, five, vectors_of

Open = Callable[[str], SqliteStore]


@pytest.fixture
def open_(tmp_path: Path) -> Iterator[Open]:
    """Return what opens stores by name, which are closed at the end."""
    opened: list[SqliteStore] = []

    def open_store(name: str) -> SqliteStore:
        opened.append(SqliteStore(tmp_path / name))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def test_all_that_a_memory_has_goes_through_an_archive(open_: Open, tmp_path: Path) -> None:
    """Passages, rules, and the vectors of those that have any, to the last bit."""
    first, second = open_("a.db"), open_("b.db")
    first.set_rules(tiers.changed(first.rules(), ["semantic.capacity=7"]))
    first.add(five(), now_s=NOW_S)
    first.add_vectors(["p0", "p1"], vectors_of(2), embedder=EMBEDDER)
    first.add_vectors(["p1", "p2"], vectors_of(2, dim=4), embedder=OTHER)
    first.touch(["p3"], now_s=NOW_S)
    told: list[int] = []
    assert archive.export(first, tmp_path / "m.jsonl", vectors=True, progress=told.append) == 5
    assert archive.restore(second, tmp_path / "m.jsonl", now_s=NOW_S, progress=told.append) == 5
    assert told == [5, 5]
    assert tuple(second.each()) == tuple(first.each())
    assert second.rules() == first.rules()
    assert second.stats(now_s=NOW_S).vectors == {EMBEDDER: 2, OTHER: 2}
    kept = second.vectors(["p0", "p1"], embedder=EMBEDDER)
    assert kept is not None
    assert (kept == vectors_of(2)).all()


def test_without_vectors_an_archive_has_none(open_: Open, tmp_path: Path) -> None:
    """They can be made again."""
    store = open_("a.db")
    store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
    archive.export(store, tmp_path / "m.jsonl", vectors=False)
    assert all(not each.vectors for each in archive.passages(tmp_path / "m.jsonl"))


_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
_PIECES = st.builds(
    Piece,
    id=_NAMES,
    text=_NAMES.map(lambda text: f"x{text}"),
    document=_NAMES,
    tier=st.sampled_from(tuple(tiers.DEFAULTS)),
    at_s=st.floats(-1e12, 1e12),
    accessed_s=st.none() | st.floats(-1e12, 1e12),
    expires_s=st.floats(NOW_S, 1e12),
    importance=st.floats(0, 1),
    accesses=st.integers(0, 2**62),
    tags=st.lists(_NAMES, max_size=2).map(tuple),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(_PIECES, max_size=4, unique_by=lambda piece: piece.id))
def test_any_passage_goes_through_unchanged(open_: Open, tmp_path: Path, pieces: list[Piece]) -> None:
    """Whatever its texts and numbers are."""
    first, second = open_("a.db"), open_("b.db")
    for store in (first, second):
        store.forget([each.id for each in store.each()])
    first.add(pieces, now_s=NOW_S)
    (tmp_path / "m.jsonl").unlink(missing_ok=True)
    archive.export(first, tmp_path / "m.jsonl", vectors=True)
    archive.restore(second, tmp_path / "m.jsonl", now_s=NOW_S)
    assert {each.id: each for each in second.each()} == {each.id: each for each in pieces}


def test_what_is_there_is_replaced_by_its_id_and_the_rest_stays(open_: Open, tmp_path: Path) -> None:
    """And a store that is not empty keeps its rules."""
    first, second = open_("a.db"), open_("b.db")
    first.set_rules(tiers.changed(first.rules(), ["semantic.capacity=7"]))
    first.add(five()[:2], now_s=NOW_S)
    archive.export(first, tmp_path / "m.jsonl", vectors=False)
    second.add([replace(five()[1], text="Other."), five()[4]], now_s=NOW_S)
    assert archive.restore(second, tmp_path / "m.jsonl", now_s=NOW_S) == 1
    assert list(second.each()) == [five()[0], five()[1], five()[4]]
    assert second.rules() == tiers.DEFAULTS


def lines_of(open_: Open, path: Path) -> list[str]:
    """Return the lines of an archive of two passages with vectors."""
    store = open_("good.db")
    store.add(five()[:2], now_s=NOW_S, vectors=vectors_of(2), embedder=EMBEDDER)
    archive.export(store, path, vectors=True)
    return path.read_text().splitlines()


def changed(line: str, **values: object) -> str:
    """Return a line with other values."""
    return json.dumps({**json.loads(line), **values})


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda lines: lines[:-1], "ends after 2 passages without its last line: it was cut off"),
        (lambda lines: [*lines[:2], lines[3]], "says that it has 2 passages and has 1"),
        (lambda lines: [*lines[:2], lines[2][:30]], ":3: is not a line of JSON"),
        (lambda lines: [lines[0], lines[1], lines[1], lines[3]], ':3: id "p0" is taken by line 2'),
        (lambda lines: [*lines, lines[1]], ":5: goes on after its last line"),
        (lambda lines: lines[1:], "is no memory that was exported"),
        (lambda _: [], "is no memory that was exported"),
        (lambda lines: [changed(lines[0], gemma_eval_memory=2), *lines[1:]], "made by a newer gemma_eval"),
        (lambda lines: [changed(lines[0], tiers={"semantik": {}}), *lines[1:]], 'did you mean "semantic"'),
        (
            lambda lines: [lines[0], changed(lines[1], importance=2), *lines[2:]],
            ":2: passage 'p0': importance",
        ),
        (lambda lines: [lines[0], changed(lines[1], colour=2), *lines[2:]], ":2: is no passage with"),
        (
            lambda lines: [lines[0], changed(lines[1], tier="eternal"), *lines[2:]],
            ":2: passage 'p0': 'eternal'",
        ),
        (lambda lines: [lines[0], changed(lines[1], vectors={"e": "?"}), *lines[2:]], ":2: is no passage"),
        (lambda lines: [lines[0], changed(lines[1], at_s="now"), *lines[2:]], ":2: is no passage"),
        (lambda lines: [lines[0], "[]", *lines[2:]], ":2: is not a line of an archive"),
        (lambda lines: [*lines[:-1], '{"passages": "2"}'], ":4: does not say how many"),
        (lambda lines: [lines[0], changed(lines[1], tags="ab"), *lines[2:]], ":2: is no passage with"),
        (lambda lines: [lines[0], changed(lines[1], accesses=1.5), *lines[2:]], "been given 1.5 times"),
        (lambda lines: [lines[0], changed(lines[1], accesses=1 << 70), *lines[2:]], "cannot have been given"),
        (
            lambda lines: [lines[0], changed(lines[1], at_s=10**400), *lines[2:]],
            "no finite number of seconds",
        ),
        (lambda lines: [*lines[:2], changed(lines[2], vectors={"e": ""}), lines[3]], ":3: vectors of 1"),
        (
            lambda lines: [*lines[:2], changed(lines[2], vectors={EMBEDDER: "AACAPw=="}), lines[3]],
            ":3: vectors of 1",
        ),
        (
            lambda lines: [*lines[:2], changed(lines[2], vectors={"e": "AAAAQA=="}), lines[3]],
            "has the length 2",
        ),
        (lambda lines: [*lines[:2], changed(lines[2], vectors={"": "AACAPw=="}), lines[3]], "need the id"),
    ],
)
def test_an_archive_that_is_wrong_changes_nothing(
    open_: Open, tmp_path: Path, wrong: Callable[[list[str]], list[str]], what: str
) -> None:
    """It is looked through first, and what is wrong is told with its line."""
    path = tmp_path / "m.jsonl"
    path.write_text("".join(f"{line}\n" for line in wrong(lines_of(open_, path))))
    store = open_("kept.db")
    store.add([five()[4]], now_s=NOW_S)
    with pytest.raises(UsageError) as refused:
        archive.restore(store, path, now_s=NOW_S)
    assert what in str(refused.value)
    assert list(store.each()) == [five()[4]]


def test_a_file_that_is_there_is_not_written_over(open_: Open, tmp_path: Path) -> None:
    """Nor is one left half-written where there is no folder."""
    store = open_("a.db")
    (tmp_path / "m.jsonl").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        archive.export(store, tmp_path / "m.jsonl", vectors=False)
    assert (tmp_path / "m.jsonl").read_text() == "mine"
    with pytest.raises(StoreError, match="cannot be written"):
        archive.export(store, tmp_path / "none" / "m.jsonl", vectors=False)


def test_a_link_stays_and_a_pipe_is_not_replaced(open_: Open, tmp_path: Path) -> None:
    """What is written in its place would be in nobody's way to it."""
    store = open_("a.db")
    (tmp_path / "m.jsonl").write_text("old")
    (tmp_path / "link").symlink_to("m.jsonl")
    archive.export(store, tmp_path / "link", vectors=False, existing="replace")
    assert (tmp_path / "link").readlink() == Path("m.jsonl")
    assert "tiers" in (tmp_path / "m.jsonl").read_text()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        archive.export(store, tmp_path / "pipe", vectors=False, existing="replace")
    assert (tmp_path / "pipe").is_fifo()


def test_an_export_that_fails_leaves_no_file(open_: Open, tmp_path: Path) -> None:
    """Neither half of one nor what was written beside."""
    store = open_("a.db")
    store.add(five(), now_s=NOW_S)

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.export(store, tmp_path / "m.jsonl", vectors=False, progress=fail)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".db"} <= {"a.db-wal", "a.db-shm"}


def test_an_export_is_of_one_moment(open_: Open, tmp_path: Path) -> None:
    """A passage that is written anew meanwhile is in it once, and none is left out."""
    store = open_("a.db")
    many = [Piece(id=f"p{n}", text=f"number {n}", document="d", at_s=float(n)) for n in range(2_500)]
    store.add(many, now_s=NOW_S)

    def change(_: int) -> None:
        store.add([replace(many[0], at_s=NOW_S), replace(many[-1], at_s=0.5)], now_s=NOW_S)

    archive.export(store, tmp_path / "m.jsonl", vectors=False, progress=change)
    assert [each.piece for each in archive.passages(tmp_path / "m.jsonl")] == many


def test_a_file_has_the_rights_that_its_owner_gives_new_files(open_: Open, tmp_path: Path) -> None:
    """What was said to one person is not for all who have an account."""
    before = os.umask(0o077)
    try:
        archive.export(open_("a.db"), tmp_path / "m.jsonl", vectors=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.jsonl").stat().st_mode) == 0o600


def test_a_vector_that_was_changed_in_the_archive_is_noticed(open_: Open, tmp_path: Path) -> None:
    """One bit of it, and it is another vector."""
    path = tmp_path / "m.jsonl"
    lines_of(open_, path)
    vectors = [each.vectors[EMBEDDER] for each in archive.passages(path)]
    assert np.array_equal(np.stack(vectors), vectors_of(2))
    assert not np.array_equal(np.stack(vectors), np.nextafter(vectors_of(2), np.float32(2)))
