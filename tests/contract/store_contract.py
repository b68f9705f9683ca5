"""What every store of passages keeps, wherever it is: derive from `StoreContract` to hold one to it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from gemma_eval.errors import StoreError
from gemma_eval.memory import tiers
from gemma_eval.protocols import MemoryStore, StoreFactory
from gemma_eval.records import Among, MemoryTier, Piece

NOW_S = 1_700_000_000.0
"""When the tests are; no store looks at another clock."""
EMBEDDER = "letters:8"
OTHER = "letters:4"
EVERYTHING = Among()
TEXTS = (
    "Finn lives in Oslo and keeps two cats.",
    "Ada lives in Rome, near the river.",
    "The river in Rome is the Tiber.",
    "Cleo keeps bees. Bees, bees and more bees!",
    "Plums are ripe in August.",
)


def piece(number: int, text: str | None = None, *, tier: MemoryTier = "semantic", **more: object) -> Piece:
    """Return the passage of that number."""
    made = Piece(id=f"p{number}", text=text or f"number {number}", document="d.md", tier=tier, at_s=NOW_S)
    return replace(made, **more)  # type: ignore[arg-type]


def five() -> tuple[Piece, ...]:
    """Return five passages, each a second older than the next."""
    return tuple(piece(number, text, at_s=NOW_S - 5 + number) for number, text in enumerate(TEXTS))


def vectors_of(n: int, *, dim: int = 8, seed: int = 7) -> NDArray[np.float32]:
    """Return `n` vectors of length 1, [n, dim]."""
    made = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def bm25(query: str, kept: Sequence[Piece]) -> dict[str, float]:
    """Return the Okapi BM25 of each passage with a word of `query`: k1 = 1.2, b = 0.75, as Lucene has it."""
    counts = {each.id: Counter(re.findall(r"\w+", each.text.casefold())) for each in kept}
    mean_length = sum(count.total() for count in counts.values()) / len(counts)
    scores: dict[str, float] = {}
    for word in re.findall(r"\w+", query.casefold()):
        df = sum(word in count for count in counts.values())
        idf = math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
        for id_, count in counts.items():
            if n := count[word]:
                part = n / (n + 1.2 * (1 - 0.75 + 0.75 * count.total() / mean_length))
                scores[id_] = scores.get(id_, 0.0) + idf * part
    return scores


class StoreContract:
    """The tests; a class that derives from it gives the fixtures `open_store` and `location`."""

    @pytest.fixture
    def open_store(self) -> StoreFactory:
        """Return what opens a store."""
        raise NotImplementedError

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """Return where there is none yet, and where every call of a test finds the same."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store: StoreFactory, location: str) -> Iterator[MemoryStore]:
        """Return an empty store."""
        opened = open_store(location)
        yield opened
        opened.close()

    # what is kept

    def test_a_passage_comes_back_as_it_was_given(self, store: MemoryStore) -> None:
        """Every field, in any script."""
        full = Piece(
            id="документ:1 '\"%",
            text="Ünïcode, 東京, a\ttab,\na line, '\"; DROP TABLE {{ x }} 👩🏽‍🚀",
            document="a folder/d.md",
            tier="episodic",
            at_s=NOW_S - 0.125,
            accessed_s=NOW_S - 0.0625,
            expires_s=NOW_S + 1e6,
            importance=1 / 3,
            accesses=7,
            tags=("b", "a", "b c, d"),
        )
        assert store.add([full], now_s=NOW_S) == 1
        assert store.pieces([full.id]) == (full,)
        assert tuple(store.each()) == (full,)

    def test_what_a_tier_decides_is_filled_in(self, store: MemoryStore) -> None:
        """When a passage came and when it goes, by `tiers.admitted`."""
        bare = Piece(id="a", text="a", document="d", tier="working")
        store.add([bare], now_s=NOW_S)
        assert store.pieces(["a"]) == (tiers.admitted(bare, now_s=NOW_S),)

    def test_pieces_come_in_the_order_asked_without_those_that_are_not_there(
        self, store: MemoryStore
    ) -> None:
        """So that who asks need not sort."""
        store.add(five(), now_s=NOW_S)
        assert [each.id for each in store.pieces(["p3", "gone", "p0"])] == ["p3", "p0"]
        assert store.pieces([]) == ()

    def test_a_known_id_is_replaced_and_not_counted_as_new(self, store: MemoryStore) -> None:
        """Its old words find nothing any more."""
        store.add(five(), now_s=NOW_S)
        assert store.add([piece(0, "Finn moved to Bergen."), piece(9, "New.")], now_s=NOW_S) == 1
        assert store.pieces(["p0"])[0].text == "Finn moved to Bergen."
        assert store.lexical("Oslo", k=5, among=EVERYTHING) == ()
        assert [hit.id for hit in store.lexical("bergen", k=5, among=EVERYTHING)] == ["p0"]

    def test_each_yields_all_oldest_first(self, store: MemoryStore) -> None:
        """In whatever order they came, those past their time too."""
        old = piece(9, at_s=NOW_S - 100, expires_s=NOW_S - 50)
        store.add([*five()[::-1], old], now_s=NOW_S - 60)
        assert [each.id for each in store.each()] == ["p9", "p0", "p1", "p2", "p3", "p4"]

    def test_each_keeps_to_what_it_is_asked_for(self, store: MemoryStore) -> None:
        """Any of the tiers, tags and documents, not older, not past its time."""
        store.add(
            [
                piece(0, tier="episodic", tags=("red", "blue")),
                piece(1, tags=("blue",), at_s=NOW_S - 100),
                piece(2, document="e.md", expires_s=NOW_S + 10),
            ],
            now_s=NOW_S,
        )
        among = {
            Among(tiers=("episodic", "working")): {"p0"},
            Among(tags=("red", "green")): {"p0"},
            Among(tags=("blue",)): {"p0", "p1"},
            Among(tags=("blue",), tiers=("semantic",)): {"p1"},
            Among(documents=("e.md",)): {"p2"},
            Among(since_s=NOW_S - 50): {"p0", "p2"},
            Among(now_s=NOW_S + 11): {"p0", "p1"},
            Among(tags=("nothing",)): set(),
        }
        assert {each: {kept.id for kept in store.each(each)} for each in among} == among

    def test_forgetting_counts_what_was_there(self, store: MemoryStore) -> None:
        """And it is found by no search."""
        store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
        assert store.forget(["p0", "gone", "p3"]) == 2
        assert store.pieces(["p0"]) == ()
        assert store.lexical("Finn bees", k=5, among=EVERYTHING) == ()
        near = store.nearest(vectors_of(5)[0], k=5, embedder=EMBEDDER, among=EVERYTHING)
        assert {hit.id for hit in near} == {"p1", "p2", "p4"}
        assert store.forget(["p0"]) == 0

    def test_what_was_given_is_noted(self, store: MemoryStore) -> None:
        """Also by a clock that went backwards; an unknown id is passed over."""
        store.add(five(), now_s=NOW_S)
        store.touch(["p0", "gone"], now_s=NOW_S + 5)
        store.touch(["p0"], now_s=NOW_S + 3)
        (touched,) = store.pieces(["p0"])
        assert touched == replace(five()[0], accessed_s=NOW_S + 5, accesses=2)

    # what is refused

    @pytest.mark.parametrize(
        "flawed",
        [
            piece(1, " "),
            piece(1, id=""),
            piece(1, importance=1.5),
            piece(1, importance=math.nan),
            piece(1, at_s=math.inf),
            replace(piece(1), tier=cast(MemoryTier, "eternal")),
            piece(1, "half \ud83d"),
            piece(1, id="\0"),
            piece(0, "the same id"),
        ],
        ids=["no text", "no id", "importance", "nan", "time", "tier", "surrogate", "nul", "twice"],
    )
    def test_all_are_kept_or_none(self, store: MemoryStore, flawed: Piece) -> None:
        """A passage that cannot be kept is a clear error, and those beside it are not kept either."""
        with pytest.raises(StoreError, match="nothing was kept"):
            store.add([piece(0), flawed, piece(2)], now_s=NOW_S)
        assert tuple(store.each()) == ()

    @pytest.mark.parametrize(
        "vectors",
        [
            vectors_of(4),
            vectors_of(5) * 2,
            vectors_of(5) * np.nan,
            np.zeros((5, 8), np.float32),
            vectors_of(40)[0],
        ],
        ids=["too few", "too long", "nan", "zero", "flat"],
    )
    def test_vectors_that_are_none_are_refused(
        self, store: MemoryStore, vectors: NDArray[np.float32]
    ) -> None:
        """With the passages that they came with."""
        with pytest.raises(StoreError, match="nothing was kept"):
            store.add(five(), now_s=NOW_S, vectors=vectors, embedder=EMBEDDER)
        assert tuple(store.each()) == ()

    def test_vectors_of_another_length_or_embedder_never_meet(self, store: MemoryStore) -> None:
        """Neither when they are kept nor when they are searched; two embedders may stand side by side."""
        store.add(five()[:2], now_s=NOW_S, vectors=vectors_of(2), embedder=EMBEDDER)
        with pytest.raises(StoreError, match="8"):
            store.add_vectors(["p1"], vectors_of(1, dim=4), embedder=EMBEDDER)
        with pytest.raises(StoreError, match=r"another embedder|numbers"):
            store.nearest(vectors_of(1, dim=4)[0], k=1, embedder=EMBEDDER, among=EVERYTHING)
        with pytest.raises(StoreError, match=EMBEDDER):
            store.nearest(vectors_of(1, dim=4)[0], k=1, embedder=OTHER, among=EVERYTHING)
        store.add_vectors(["p1"], vectors_of(1, dim=4), embedder=OTHER)
        near = store.nearest(vectors_of(1, dim=4)[0], k=5, embedder=OTHER, among=EVERYTHING)
        assert [hit.id for hit in near] == ["p1"]
        assert store.stats(now_s=NOW_S).vectors == {EMBEDDER: 2, OTHER: 1}

    # search by words

    @pytest.mark.parametrize(
        "query", ["Where does Finn live?", "the RIVER in Rome", "bees", "bees bees cats", "august oslo rome"]
    )
    def test_words_are_searched_by_bm25(self, store: MemoryStore, query: str) -> None:
        """With the scores of the formula, so that a floor of relevance means the same in every store."""
        store.add(five(), now_s=NOW_S)
        want = bm25(query, five())
        found = store.lexical(query, k=10, among=EVERYTHING)
        assert {hit.id: hit.score for hit in found} == pytest.approx(want, rel=1e-6)
        assert [hit.score for hit in found] == pytest.approx(sorted(want.values(), reverse=True), rel=1e-6)
        assert store.lexical(query, k=1, among=EVERYTHING) == found[:1]

    def test_a_wrong_score_is_noticed(self) -> None:
        """The formula of the test above depends on what it should."""
        assert bm25("bees", five()) != pytest.approx(bm25("bees", five()[:4]), rel=1e-3)

    @pytest.mark.parametrize(
        "query", ["", "  ", "?!", "zebra", '"', "a* OR b", "NOT(", "text:", "-", "' OR 1=1 --", "\x00", "*"]
    )
    def test_a_query_is_words_and_no_language(self, store: MemoryStore, query: str) -> None:
        """Whatever it holds, it finds what has its words and never fails."""
        assert store.lexical(query, k=3, among=EVERYTHING) == ()
        store.add(five(), now_s=NOW_S)
        assert store.lexical(query, k=3, among=EVERYTHING) == ()

    def test_each_search_keeps_to_what_it_is_asked_for(self, store: MemoryStore) -> None:
        """The best `k` among those, not those among the best `k`."""
        many = [piece(number, f"bees {'bees ' * (number % 7)}{number}") for number in range(40)]
        many[33] = replace(many[33], tags=("rare",), tier="episodic", document="e.md", at_s=NOW_S - 50)
        many[34] = replace(many[34], expires_s=NOW_S + 1, tags=("short",))
        store.add(many, now_s=NOW_S - 60, vectors=vectors_of(40), embedder=EMBEDDER)
        query = vectors_of(40)[0]
        for among, want in (
            (Among(tags=("rare",)), {"p33"}),
            (Among(tiers=("episodic",)), {"p33"}),
            (Among(documents=("e.md",)), {"p33"}),
            (Among(tags=("rare", "short"), now_s=NOW_S), {"p33", "p34"}),
            (Among(tags=("rare", "short"), now_s=NOW_S + 2), {"p33"}),
            (Among(tags=("rare", "short"), since_s=NOW_S - 10), {"p34"}),
            (Among(tags=("unknown",)), set[str]()),
        ):
            assert {hit.id for hit in store.lexical("bees", k=3, among=among)} == want
            assert {hit.id for hit in store.nearest(query, k=3, embedder=EMBEDDER, among=among)} == want
        late = Among(now_s=NOW_S + 2)
        assert "p34" not in {hit.id for hit in store.lexical("bees", k=40, among=late)}
        near = store.nearest(vectors_of(40)[34], k=39, embedder=EMBEDDER, among=late)
        assert len(near) == 39
        assert "p34" not in {hit.id for hit in near}

    # search by vectors

    def test_the_nearest_are_those_of_the_greatest_cosine(self, store: MemoryStore) -> None:
        """Exactly; by products of plain floats."""
        store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
        query = vectors_of(1, seed=8)[0]
        want = {
            f"p{n}": float(row @ query.astype(float)) for n, row in enumerate(vectors_of(5).astype(float))
        }
        found = store.nearest(query, k=3, embedder=EMBEDDER, among=EVERYTHING)
        assert [hit.id for hit in found] == sorted(want, key=lambda id_: -want[id_])[:3]
        assert [hit.score for hit in found] == pytest.approx([want[hit.id] for hit in found], abs=2e-3)

    def test_the_nearest_of_few_are_found_among_many(self, store: MemoryStore) -> None:
        """Where those that a filter lets through are the farthest of all."""
        query = vectors_of(1)[0]
        draw = vectors_of(400, seed=9)
        order = np.argsort(draw @ query)
        made = [piece(n, tags=("few",) if n in order[:3] else ()) for n in range(400)]
        store.add(made, now_s=NOW_S, vectors=draw, embedder=EMBEDDER)
        for k in (2, 5):
            found = store.nearest(query, k=k, embedder=EMBEDDER, among=Among(tags=("few",)))
            assert [hit.id for hit in found] == [f"p{n}" for n in order[:3][::-1]][:k]

    def test_without_vectors_nothing_is_near(self, store: MemoryStore) -> None:
        """Neither in an empty store nor where no passage has one."""
        query = vectors_of(1)[0]
        assert store.nearest(query, k=3, embedder=EMBEDDER, among=EVERYTHING) == ()
        store.add(five(), now_s=NOW_S)
        assert store.nearest(query, k=3, embedder=EMBEDDER, among=EVERYTHING) == ()
        assert store.vectors(["p0"], embedder=EMBEDDER) is None

    def test_vectors_can_be_added_later(self, store: MemoryStore) -> None:
        """To those that have none yet; an id that is not there is passed over."""
        store.add(five(), now_s=NOW_S)
        lacking = store.without_vectors(embedder=EMBEDDER, k=3)
        assert len(lacking) == 3
        ids = [each.id for each in lacking]
        store.add_vectors([*ids, "gone"], vectors_of(4), embedder=EMBEDDER)
        assert {each.id for each in store.without_vectors(embedder=EMBEDDER, k=9)} == {
            each.id for each in five()
        } - set(ids)
        kept = store.vectors(ids[::-1], embedder=EMBEDDER)
        assert kept is not None
        np.testing.assert_allclose(kept, vectors_of(4)[:3][::-1], atol=1e-3)
        assert store.vectors([*ids, "gone"], embedder=EMBEDDER) is None
        assert store.stats(now_s=NOW_S).vectors == {EMBEDDER: 3}

    def test_a_new_text_has_no_vector_and_the_same_text_keeps_it(self, store: MemoryStore) -> None:
        """A vector says what a text meant."""
        store.add(five()[:2], now_s=NOW_S, vectors=vectors_of(2), embedder=EMBEDDER)
        store.add([piece(0, "Something else."), replace(five()[1], importance=0.9)], now_s=NOW_S)
        assert [each.id for each in store.without_vectors(embedder=EMBEDDER, k=9)] == ["p0"]
        found = store.nearest(vectors_of(2)[0], k=9, embedder=EMBEDDER, among=EVERYTHING)
        assert [hit.id for hit in found] == ["p1"]

    # time and room

    def test_what_is_past_its_time_goes(self, store: MemoryStore) -> None:
        """Counted; a clock that goes backwards expires nothing."""
        brief, lasting = piece(0, tier="working"), piece(1)
        store.add([brief, lasting], now_s=NOW_S)
        end_s = tiers.admitted(brief, now_s=NOW_S).expires_s
        assert end_s is not None
        assert store.expire(now_s=NOW_S - 1e6) == 0
        assert store.expire(now_s=end_s - 1) == 0
        assert store.stats(now_s=end_s + 1).expired == 1
        assert store.lexical("number", k=2, among=Among(now_s=end_s + 1))[0].id == "p1"
        assert store.expire(now_s=end_s + 1) == 1
        assert [each.id for each in store.each()] == ["p1"]
        assert store.expire(now_s=end_s + 1) == 0

    def test_a_full_tier_lets_the_least_worth_go(self, store: MemoryStore) -> None:
        """By `tiers.crowded_out`, in one call or in many, whatever came last staying."""
        capacity = tiers.DEFAULTS["working"].capacity
        assert capacity is not None
        made = [
            piece(number, tier="working", importance=(number * 7 % 20) / 20, at_s=NOW_S - 60 + number)
            for number in range(capacity + 4)
        ]
        at_once = [tiers.admitted(each, now_s=NOW_S) for each in made]
        out = {each.id for each in tiers.crowded_out(at_once)}
        assert len(out) == 4
        store.add(made, now_s=NOW_S)
        assert {each.id for each in store.each()} == {each.id for each in made} - out
        kept = list(store.each())
        for number in range(100, 103):
            new = tiers.admitted(piece(number, tier="working", importance=0.0), now_s=NOW_S)
            store.add([new], now_s=NOW_S)
            gone = {each.id for each in tiers.crowded_out([*kept, new], coming={new.id})}
            kept = [each for each in [*kept, new] if each.id not in gone]
            assert {each.id for each in store.each()} == {each.id for each in kept}
        assert store.stats(now_s=NOW_S).passages["working"] == capacity

    def test_what_is_past_its_time_makes_room_first(self, store: MemoryStore) -> None:
        """A full tier loses none that still counts for one that does not."""
        capacity = tiers.DEFAULTS["working"].capacity or 0
        old = [piece(n, tier="working", expires_s=NOW_S - 1, importance=1.0) for n in range(5)]
        store.add(old, now_s=NOW_S - 2)
        store.add([piece(100 + n, tier="working", importance=0.1) for n in range(capacity)], now_s=NOW_S)
        assert {each.id for each in store.each()} == {f"p{100 + n}" for n in range(capacity)}

    def test_use_makes_a_passage_stay(self, store: MemoryStore) -> None:
        """Of equals, the one that was given to a model is worth more."""
        capacity = tiers.DEFAULTS["working"].capacity or 0
        store.add([piece(n, tier="working") for n in range(capacity)], now_s=NOW_S)
        used = [f"p{n}" for n in range(1, capacity)]
        store.touch(used, now_s=NOW_S + 1)
        store.add([piece(99, tier="working", at_s=NOW_S + 2)], now_s=NOW_S + 2)
        assert {each.id for each in store.each()} == {*used, "p99"}

    def test_stats_count_by_tier(self, store: MemoryStore) -> None:
        """Every tier is named; what is past its time is counted apart."""
        assert set(store.stats(now_s=NOW_S).passages) == set(tiers.DEFAULTS)
        store.add([*five(), piece(8, tier="working"), piece(9, expires_s=NOW_S + 1)], now_s=NOW_S)
        stats = store.stats(now_s=NOW_S + 2)
        assert {tier: n for tier, n in stats.passages.items() if n} == {"semantic": 5, "working": 1}
        assert stats.expired == 1
        assert stats.size_bytes is None or stats.size_bytes > 0

    # beside others and afterwards

    def test_it_outlives_who_opened_it(
        self, store: MemoryStore, open_store: StoreFactory, location: str
    ) -> None:
        """With vectors, words and times; closing twice does nothing."""
        store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
        before = tuple(store.each())
        store.close()
        store.close()
        again = open_store(location)
        try:
            assert tuple(again.each()) == before
            assert again.lexical("bees", k=1, among=EVERYTHING)[0].id == "p3"
            assert again.nearest(vectors_of(5)[2], k=1, embedder=EMBEDDER, among=EVERYTHING)[0].id == "p2"
        finally:
            again.close()

    def test_each_call_sees_what_another_opener_wrote(
        self, store: MemoryStore, open_store: StoreFactory, location: str
    ) -> None:
        """Passages, words, vectors, and what was forgotten or replaced."""
        other = open_store(location)
        query = vectors_of(5)[0]
        try:
            store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
            assert other.nearest(query, k=1, embedder=EMBEDDER, among=EVERYTHING)[0].id == "p0"
            other.forget(["p0"])
            assert store.lexical("Finn", k=1, among=EVERYTHING) == ()
            assert "p0" not in self._near(store, query)
            other.add_vectors(["p1"], query[np.newaxis], embedder=EMBEDDER)
            assert self._near(store, query)[0] == "p1"
            other.add([piece(7, "Zebras.")], now_s=NOW_S)
            assert [hit.id for hit in store.lexical("zebras", k=1, among=EVERYTHING)] == ["p7"]
        finally:
            other.close()

    def _near(self, store: MemoryStore, query: NDArray[np.float32]) -> list[str]:
        return [hit.id for hit in store.nearest(query, k=9, embedder=EMBEDDER, among=EVERYTHING)]

    def test_both_legs_may_search_at_once_while_passages_come(self, store: MemoryStore) -> None:
        """From several threads; nothing fails and nothing is lost."""
        store.add(five(), now_s=NOW_S, vectors=vectors_of(5), embedder=EMBEDDER)
        query = vectors_of(1)[0]
        with ThreadPoolExecutor(4) as pool:
            words = [pool.submit(store.lexical, "rome bees", k=3, among=EVERYTHING) for _ in range(20)]
            near = [
                pool.submit(store.nearest, query, k=3, embedder=EMBEDDER, among=EVERYTHING) for _ in range(20)
            ]
            added = [pool.submit(store.add, [piece(50 + n, "Zebra.")], now_s=NOW_S) for n in range(10)]
        assert {hit.id for hits in words for hit in hits.result()} >= {"p1", "p2", "p3"}
        assert all(len(hits.result()) == 3 for hits in near)
        assert sum(each.result() for each in added) == 10
        assert len(tuple(store.each())) == 15

    def test_rules_that_a_store_keeps_hold_for_all_who_open_it(
        self, store: MemoryStore, open_store: StoreFactory, location: str
    ) -> None:
        """Where it keeps any: `tiers.KeepsRules`."""
        if not isinstance(store, tiers.KeepsRules):
            pytest.skip("goes by the rules that tiers.DEFAULTS has")
        assert store.rules() == tiers.DEFAULTS
        store.set_rules(tiers.changed(store.rules(), ["working.capacity=2"]))
        other = open_store(location)
        try:
            other.add([piece(number, tier="working") for number in range(4)], now_s=NOW_S)
            assert other.stats(now_s=NOW_S).passages["working"] == 2
        finally:
            other.close()
