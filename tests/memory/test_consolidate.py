"""A memory is put in order, and nothing that was known is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.memory import tiers
from gemma_eval.memory.consolidate import consolidate, order
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.records import Among, Piece
from tests.contract.store_contract import EMBEDDER, NOW_S, piece, vectors_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Return an empty memory."""
    opened = SqliteStore(tmp_path / "m.db")
    yield opened
    opened.close()


def said(number: int, text: str, **more: object) -> Piece:
    """Return something that was said a number of seconds later than the first."""
    made = piece(number, text, tier="episodic", at_s=NOW_S - 100 + number, expires_s=NOW_S + 100)
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_same_words_are_one_passage_with_all_that_is_known() -> None:
    """The one that lives longest stays, with the newest time, and the greatest importance."""
    first = said(1, "Finn lives in Oslo.", accesses=2, importance=0.9, tags=("a",), accessed_s=NOW_S - 5)
    second = said(2, "finn lives, in OSLO", accesses=1, tags=("b", "a"), expires_s=NOW_S + 900)
    third = said(3, "Finn lives in Oslo!", tier="long_term", at_s=NOW_S - 500)
    (merged,) = order([first, second, third], now_s=NOW_S).merged
    assert merged.gone == ("p2", "p1")
    assert merged.kept == replace(
        third,
        at_s=NOW_S - 98,
        accessed_s=NOW_S - 5,
        expires_s=NOW_S + 900,
        importance=0.9,
        accesses=3,
        tags=("b", "a"),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from Paris to London", "from London to Paris"),
        ("Room 12 is free", "Room 13 is free"),
        ("It is safe", "It is not safe"),
        ("...", "!!!"),
        ("She writes C++", "She writes C#"),
        ("It is -5 outside", "It is 5 outside"),
        ("I owe Ada $5", "I owe Ada €5"),
        ("Is a < b?", "Is a > b?"),
        ("I feel 😀", "I feel 😢"),
        ("कि", "की"),
    ],
)
def test_what_is_only_alike_stays(one: str, other: str) -> None:
    """Another order, a number or a word more is another fact."""
    assert order([said(1, one), said(2, other)], now_s=NOW_S).merged == ()


def test_two_documents_may_say_the_same() -> None:
    """A citation of either stays right; within one of them it is said once."""
    pieces = [
        piece(1, "Same."),
        piece(2, "Same!"),
        replace(piece(3, "Same."), document="e.md"),
    ]
    (merged,) = order(pieces, now_s=NOW_S).merged
    assert {merged.kept.id, *merged.gone} == {"p1", "p2"}


def test_what_is_past_its_time_is_neither_merged_nor_moved() -> None:
    """It goes."""
    past = said(1, "Finn.", expires_s=NOW_S - 1, accesses=99, importance=1.0)
    found = order([past, said(2, "Finn.")], now_s=NOW_S)
    assert found.expired == ("p1",)
    assert (found.merged, found.moved) == ((), ())


def test_a_store_is_put_in_order(store: SqliteStore) -> None:
    """Merged, moved and expired; a second time finds nothing to do, and vectors stay."""
    often = said(4, "Cleo keeps bees.", accesses=5, importance=1.0)
    kept = [said(1, "Finn lives in Oslo."), said(2, "Finn lives in Oslo"), said(3, "Ada."), often]
    store.add(kept, now_s=NOW_S - 200, vectors=vectors_of(4), embedder=EMBEDDER)
    store.add([said(9, "Gone.", expires_s=NOW_S - 1)], now_s=NOW_S - 200)
    done = consolidate(store, now_s=NOW_S)
    assert done.expired == ("p9",)
    assert [(each.kept.id, each.gone) for each in done.merged] == [("p2", ("p1",))]
    assert [(each.piece.id, each.from_tier, each.piece.tier) for each in done.moved] == [
        ("p4", "episodic", "long_term")
    ]
    assert {each.id: each.tier for each in store.each()} == {
        "p2": "episodic",
        "p3": "episodic",
        "p4": "long_term",
    }
    assert store.pieces(["p4"])[0].expires_s == NOW_S + 30 * tiers.DAY_S
    assert store.stats(now_s=NOW_S).vectors == {EMBEDDER: 3}
    again = consolidate(store, now_s=NOW_S)
    assert (again.expired, again.merged, again.moved) == ((), (), ())


def test_what_is_merged_may_move_by_what_was_known_together(store: SqliteStore) -> None:
    """Given twice each, it was given four times."""
    store.add([said(n, "Finn.", accesses=2, importance=0.8) for n in (1, 2)], now_s=NOW_S)
    consolidate(store, now_s=NOW_S)
    (left,) = store.each()
    assert (left.id, left.tier) == ("p2", "long_term")


def test_the_order_alone_changes_nothing(store: SqliteStore) -> None:
    """It is what a dry run shows."""
    store.add([said(1, "Finn."), said(2, "Finn."), said(3, "x", expires_s=NOW_S - 1)], now_s=NOW_S - 50)
    before = list(store.each())
    assert order(store.each(), now_s=NOW_S).merged
    assert list(store.each()) == before


def test_a_clock_that_went_backwards_expires_and_moves_nothing(store: SqliteStore) -> None:
    """Years of it."""
    store.add([said(1, "Finn.", accesses=99, importance=1.0)], now_s=NOW_S)
    rules = tiers.changed(store.rules(), ["episodic.promote_age_s=1"])
    store.set_rules(rules)
    done = consolidate(store, now_s=NOW_S - 1e8)
    assert (done.expired, done.merged, done.moved) == ((), (), ())
    assert store.lexical("finn", k=1, among=Among(now_s=NOW_S - 1e8))[0].id == "p1"
