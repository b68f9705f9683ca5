"""Whatever is done to a memory in whatever order, it holds and finds what a plain table would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma_eval.memory import tiers
from gemma_eval.memory.sqlite import changes
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among, Piece
from tests.contract.store_contract import EMBEDDER, NOW_S, bm25, vectors_of

IDS = tuple("abcdefg")
RULES = tiers.changed(tiers.DEFAULTS, ["working.capacity=2", "episodic.capacity=3", "working.ttl_s=10"])
VECTORS = dict(zip(IDS, vectors_of(len(IDS)), strict=True))
EVERYTHING = Among()

_PIECES = st.builds(
    Piece,
    id=st.sampled_from(IDS),
    text=st.lists(st.sampled_from(["x", "Y", "zz", "ü"]), min_size=1, max_size=4).map(" ".join),
    document=st.just("d"),
    tier=st.sampled_from(["working", "episodic", "semantic"]),
    importance=st.sampled_from([0.0, 0.25, 1.0]),
    tags=st.sampled_from([(), ("t",)]),
)
_ADD = st.tuples(
    st.just("add"), st.lists(_PIECES, max_size=4, unique_by=lambda piece: piece.id), st.booleans()
)
_IDS = st.lists(st.sampled_from(IDS), max_size=3, unique=True)
_OTHER = st.tuples(st.sampled_from(["forget", "touch", "expire"]), _IDS, st.booleans())
_STEPS = st.lists(st.one_of(_ADD, _OTHER), max_size=8)
Step = tuple[str, list[Piece] | list[str], bool]


class Table:
    """The passages by id, and those that have a vector: what a memory is without a file, words or time."""

    def __init__(self) -> None:
        self.kept: dict[str, Piece] = {}
        self.embedded: set[str] = set()

    def act(self, step: Step, now_s: float) -> None:
        """Do a step."""
        kind, given_, has_vectors = step
        if kind in ("add", "expire"):
            self._drop([each.id for each in self.kept.values() if tiers.is_past(each, now_s=now_s)])
        if kind == "add":
            self._add([each for each in given_ if isinstance(each, Piece)], now_s, has_vectors=has_vectors)
        ids = [each for each in given_ if isinstance(each, str) and each in self.kept]
        if kind == "forget":
            self._drop(ids)
        elif kind == "touch":
            self.kept |= {id_: tiers.given(self.kept[id_], now_s=now_s) for id_ in ids}

    def _add(self, pieces: list[Piece], now_s: float, *, has_vectors: bool) -> None:
        for piece in pieces:
            if piece.id in self.kept and self.kept[piece.id].text != piece.text:
                self.embedded.discard(piece.id)
            self.kept[piece.id] = tiers.admitted(piece, now_s=now_s, rules=RULES)
        coming = {piece.id for piece in pieces}
        self.embedded |= coming if has_vectors else set()
        full = {piece.tier for piece in pieces}
        there = [each for each in self.kept.values() if each.tier in full]
        self._drop([each.id for each in tiers.crowded_out(there, rules=RULES, coming=coming)])

    def _drop(self, ids: list[str]) -> None:
        for id_ in ids:
            del self.kept[id_]
            self.embedded.discard(id_)


def act(store: SqliteStore, step: Step, now_s: float) -> None:
    """Do the same to a memory."""
    kind, given_, has_vectors = step
    pieces = [each for each in given_ if isinstance(each, Piece)]
    ids = [each for each in given_ if isinstance(each, str)]
    if kind == "add":
        rows = np.stack([VECTORS[piece.id] for piece in pieces]) if has_vectors and pieces else None
        store.add(pieces, now_s=now_s, vectors=rows, embedder=EMBEDDER if rows is not None else None)
    elif kind == "forget":
        store.forget(ids)
    elif kind == "touch":
        store.touch(ids, now_s=now_s)
    else:
        store.expire(now_s=now_s)


def compare(store: SqliteStore, table: Table) -> None:
    """Assert that both hold and find the same."""
    assert {each.id: each for each in store.each()} == table.kept
    want = bm25("x ü nothing", list(table.kept.values())) if table.kept else {}
    found = store.lexical("x ü nothing", k=9, among=EVERYTHING)
    assert {hit.id: hit.score for hit in found} == pytest.approx(want, rel=1e-6)
    tagged = store.lexical("x", k=9, among=Among(tags=("t",)))
    assert {hit.id for hit in tagged} == {
        id_ for id_, each in table.kept.items() if each.tags and "x" in each.text.split()
    }
    if table.embedded:
        near = store.nearest(VECTORS["a"], k=9, embedder=EMBEDDER, among=EVERYTHING)
        assert {hit.id for hit in near} == table.embedded


def play(path: Path, steps: list[Step]) -> None:
    """Do steps to both, seconds apart, one of them by another opener of the file."""
    table = Table()
    with closing(SqliteStore(path)) as store, closing(SqliteStore(path)) as other:
        store.forget([each.id for each in store.each()])
        store.set_rules(RULES)
        for number, step in enumerate(steps):
            now_s = NOW_S + 4 * number
            act(other if number % 3 == 2 else store, step, now_s)
            table.act(step, now_s)
            compare(store, table)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=_STEPS)
def test_any_history_leaves_what_a_plain_table_would_have(tmp_path: Path, steps: list[Step]) -> None:
    """Passages, scores, tags and vectors, after each step."""
    play(tmp_path / "m.db", steps)


def _skip(*_: object, **__: object) -> int:
    return 0


@pytest.mark.parametrize("left_out", ["crowd_out", "expire", "touch"])
def test_a_step_that_is_left_out_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    """The comparison has teeth."""
    pieces = [Piece(id=id_, text="x", document="d", tier="working") for id_ in IDS[:3]]
    steps: list[Step] = [
        ("add", list(pieces[:1]), False),
        ("touch", ["a"], False),
        ("add", list(pieces[1:]), True),
        *[("expire", [], False)] * 4,
    ]
    play(tmp_path / "good.db", steps)
    monkeypatch.setattr(changes, left_out, _skip)
    with pytest.raises(AssertionError):
        play(tmp_path / "bad.db", steps)


def test_words_that_are_not_removed_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of passages that are gone change every score."""
    counted: Callable[..., None] = lambda *_, **__: None  # noqa: E731 - a stand-in
    steps: list[Step] = [
        ("add", [Piece(id="a", text="x x", document="d"), Piece(id="b", text="x", document="d")], False),
        ("forget", ["a"], False),
    ]
    monkeypatch.setattr("gemma_eval.memory.sqlite.words.remove", counted)
    with pytest.raises(AssertionError):
        play(tmp_path / "bad.db", steps)
