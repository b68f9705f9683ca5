"""The pipeline finds what its parts find, one after the other, and says what each step left and took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event, get_ident

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemma_eval.errors import BackendError, PluginError, StoreError, UnknownName, UsageError
from gemma_eval.memory.bm25 import Bm25
from gemma_eval.memory.fuse import convex, rrf
from gemma_eval.memory.passages import split
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.memory.source import InMemory
from gemma_eval.protocols import PassageSource, Reranker
from gemma_eval.records import Among, Hit, Judgement, Piece, Retrieval, Retrieved, Step, Trace
from tests.memory.letters import Letters, documents, pieces, ticking

NOW_S = 1_000_000.0
TOWNS = pieces("Finn lives in Oslo.", "Ada lives in Rome.", "Leo likes Lima.", "Olso inf.", "Nobody.")
QUERY = "Where does Finn live in Oslo?"
WORDS = st.sampled_from(["finn", "ada", "lives", "in", "oslo", "rome", "the"])
TEXT = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of which a part can be made to fail or to wait; it is worth a thread."""

    inside: InMemory
    lexical_first: Callable[[], None] = lambda: None
    nearest_first: Callable[[], None] = lambda: None
    vectors_first: Callable[[], None] = lambda: None

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Search by words."""
        self.lexical_first()
        return self.inside.lexical(query, k=k, among=among)

    def nearest(self, vector: NDArray[np.float32], *, k: int, embedder: str, among: Among) -> tuple[Hit, ...]:
        """Search by vectors."""
        self.nearest_first()
        return self.inside.nearest(vector, k=k, embedder=embedder, among=among)

    def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
        """Return what is there."""
        return self.inside.pieces(ids)

    def vectors(self, ids: Sequence[str], *, embedder: str) -> NDArray[np.float32] | None:
        """Return vectors."""
        self.vectors_first()
        return self.inside.vectors(ids, embedder=embedder)


class Lengths:
    """A reranker that likes long texts, and remembers what it was shown."""

    def __init__(self, scores: Sequence[float] | None = None) -> None:
        self.scores = scores
        self.shown: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return lengths, or what it was told to."""
        self.shown.extend(texts)
        return [float(len(text)) for text in texts] if self.scores is None else self.scores


def indexed(known: Sequence[Piece] = TOWNS) -> InMemory:
    """Index pieces by words and letters."""
    return InMemory(known, embedder=Letters())


def found(
    retrieval: Retrieval,
    *,
    source: PassageSource | None = None,
    query: str = QUERY,
    reranker: Reranker | None = None,
    embedder: Letters | None = None,
    relevant: Sequence[Judgement] = (),
) -> Retrieved:
    """Retrieve with an embedder of letters and a clock that counts."""
    return retrieve(
        query,
        source=source or indexed(),
        retrieval=retrieval,
        embed=(embedder or Letters()).embed,
        embedder_id="letters",
        reranker=reranker,
        relevant=relevant,
        clock=ticking(),
        now_s=NOW_S,
    )


def broken_at(leg: str, error: Callable[[], None]) -> Source:
    """Return a source of which one leg fails."""
    if leg == "lexical":
        return Source(inside=indexed(), lexical_first=error)
    return Source(inside=indexed(), nearest_first=error)


def ids(retrieved: Retrieved) -> list[str]:
    """Return the ids of the passages."""
    return [passage.id for passage in retrieved.passages]


def trace(retrieved: Retrieved) -> Trace:
    """Return the trace."""
    assert retrieved.trace is not None
    return retrieved.trace


def failing(message: str, kind: type[Exception] = StoreError) -> Callable[[], None]:
    """Return what raises."""

    def fail() -> None:
        raise kind(message)

    return fail


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXT, max_size=7), TEXT, st.integers(1, 8))
def test_without_options_it_finds_exactly_what_bm25_finds(texts: list[str], query: str, k: int) -> None:
    """The same passages, scores and ranks as before there was a pipeline."""
    source = InMemory([piece for document in documents(*texts) for piece in split(document)])
    retrieved = retrieve(query, source=source, retrieval=Retrieval(top_k=k), clock=ticking(), now_s=NOW_S)
    assert retrieved.passages == Bm25(documents(*texts)).search(query, k=k)


@pytest.mark.parametrize("retriever", ["bm25", "vector", "hybrid"])
def test_a_retriever_gives_its_legs_fused(retriever: str) -> None:
    """Each leg as its source gives it, both by reciprocal ranks or blended."""
    source, vector = indexed(), Letters().embed([QUERY])[0]
    lexical = source.lexical(QUERY, k=50)
    nearest = source.nearest(vector, k=50, embedder="letters")
    expected = {"bm25": lexical, "vector": nearest, "hybrid": rrf([lexical, nearest], k=60)}[retriever]
    given_ = found(Retrieval(retriever=retriever), source=source)
    assert [(each.id, each.score) for each in given_.passages] == [(h.id, h.score) for h in expected[:4]]
    blended = found(Retrieval(retriever="hybrid", fusion="convex", alpha=0.2), source=source)
    assert ids(blended) == [hit.id for hit in convex(lexical, nearest, alpha=0.2)[:4]]


def test_every_step_is_stamped_and_says_what_it_left_and_waited_for() -> None:
    """In the order in which they began; one after the other where a thread is not worth its while."""
    retrieval = Retrieval(retriever="hybrid", top_k=2, diversity=0.9)
    retrieved = found(retrieval, reranker=Lengths())
    steps, left = trace(retrieved).steps, trace(retrieved).found
    assert [(step.name, step.after) for step in steps] == [
        ("lexical", ()),
        ("embed", ("lexical",)),
        ("vector", ("embed",)),
        ("fuse", ("lexical", "vector")),
        ("rank", ("fuse",)),
        ("rerank", ("rank",)),
        ("diversify", ("rerank",)),
    ]
    assert all(step.began_ns < step.ended_ns for step in steps)
    assert set(left) == {"lexical", "vector", "fuse", "rank", "rerank", "diversify"}
    assert left["lexical"] == ("p0", "p1")
    assert set(left["fuse"]) == set(left["rank"]) == set(left["rerank"]) == {p.id for p in TOWNS}
    assert left["diversify"] == tuple(ids(retrieved))
    assert trace(retrieved).degraded is None


@pytest.mark.parametrize(
    ("retriever", "steps"),
    [("bm25", ["lexical", "rank"]), ("vector", ["embed", "vector", "rank"]), ("oracle", ["retrieve"])],
)
def test_a_step_that_is_not_asked_for_is_not_there(retriever: str, steps: list[str]) -> None:
    """One leg needs no fusion."""
    retrieved = found(Retrieval(retriever=retriever), relevant=[Judgement(passage="p1")])
    assert [step.name for step in trace(retrieved).steps] == steps
    assert [step.after for step in trace(retrieved).steps][-1] == tuple(steps[-2:-1])


def test_two_legs_run_beside_each_other_where_a_source_is_worth_a_thread() -> None:
    """Each waits for the other one to have begun, which it never would in turn."""
    words, vectors = Event(), Event()
    threads = set[int]()

    def meet(mine: Event, other: Event) -> Callable[[], None]:
        def wait() -> None:
            threads.add(get_ident())
            mine.set()
            assert other.wait(timeout=60)

        return wait

    source = Source(inside=indexed(), lexical_first=meet(words, vectors), nearest_first=meet(vectors, words))
    beside = found(Retrieval(retriever="hybrid"), source=source)
    assert len(threads) == 2
    assert {step.name: step.after for step in trace(beside).steps}["embed"] == ()
    assert beside.passages == found(Retrieval(retriever="hybrid")).passages


@pytest.mark.parametrize("retriever", ["vector", "hybrid"])
def test_vectors_need_an_embedder(retriever: str) -> None:
    """The message says how one is named."""
    with pytest.raises(UsageError, match='needs an embedder, as embedder = "minilm"'):
        retrieve(
            QUERY, source=indexed(), retrieval=Retrieval(retriever=retriever), clock=ticking(), now_s=NOW_S
        )


def test_an_unknown_retriever_is_named() -> None:
    """With the nearest known one."""
    with pytest.raises(UnknownName, match='no retriever named "hybird"; did you mean "hybrid"'):
        found(Retrieval(retriever="hybird"))


def test_floors_hold_before_anything_is_scaled() -> None:
    """The best of a bad lot is as bad as it is."""
    low = found(Retrieval(retriever="hybrid", fusion="convex", min_bm25=1e6, min_cosine=0.999))
    assert (ids(low), trace(low).found["lexical"], trace(low).found["vector"]) == ([], (), ())
    one = found(Retrieval(retriever="hybrid", min_bm25=0.0, min_cosine=0.999))
    assert ids(one) == ["p0", "p1"]
    best = found(Retrieval()).passages[0]
    assert ids(found(Retrieval(min_bm25=best.score))) == [best.id]


@pytest.mark.parametrize(
    ("broken", "reason", "alike"),
    [
        ("lexical", "lexical: gone", "vector"),
        ("vector", "vector: gone", "bm25"),
    ],
)
@pytest.mark.parametrize("kind", [StoreError, BackendError])
def test_a_leg_that_fails_leaves_the_other_one_and_the_reason(
    broken: str, reason: str, alike: str, kind: type[Exception]
) -> None:
    """What was found is what the other one finds alone."""
    source = broken_at(broken, failing("gone", kind))
    left = found(Retrieval(retriever="hybrid"), source=source)
    assert trace(left).degraded == reason
    assert left.passages == found(Retrieval(retriever=alike)).passages
    assert set(trace(left).found) == {"lexical" if alike == "bm25" else "vector", "rank"}
    assert {step.name for step in trace(left).steps} == {"lexical", "embed", "vector", "rank"}


def test_where_no_leg_is_left_the_error_is_raised() -> None:
    """That of the first leg; and of one leg alone its own."""
    source = Source(inside=indexed(), lexical_first=failing("words"), nearest_first=failing("vectors"))
    for retriever, message in (("hybrid", "words"), ("bm25", "words"), ("vector", "vectors")):
        with pytest.raises(StoreError, match=message):
            found(Retrieval(retriever=retriever), source=source)


@pytest.mark.parametrize("broken", ["lexical", "vector"])
def test_a_mistake_in_a_source_is_never_taken_for_an_outage(broken: str) -> None:
    """Whichever thread it happens in, it is raised as it is."""
    source = broken_at(broken, failing("mistake", ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        found(Retrieval(retriever="hybrid"), source=source)


def test_filters_reach_the_search() -> None:
    """Tiers, tags and the greatest age; what is past its time is never found."""
    hour = 3600.0
    known = [
        replace(piece, at_s=NOW_S - age * hour, tags=tags, expires_s=expires)
        for piece, age, tags, expires in zip(
            TOWNS[:4],
            (1, 3, 1, 1),
            (("x",), ("x",), (), ("x",)),
            (None, None, None, NOW_S - 1),
            strict=True,
        )
    ]
    retrieval = Retrieval(retriever="vector")
    assert set(ids(found(retrieval, source=indexed(known)))) == {"p0", "p1", "p2"}
    assert set(ids(found(replace(retrieval, max_age_h=2.0), source=indexed(known)))) == {"p0", "p2"}
    assert set(ids(found(replace(retrieval, tags=("x",)), source=indexed(known)))) == {"p0", "p1"}
    assert ids(found(replace(retrieval, tiers=("working",)), source=indexed(known))) == []


def test_recency_and_importance_count_where_they_are_weighted() -> None:
    """The later of two passages of one text comes first, and so does the more important one."""
    old = Piece(id="a", text="Finn", document="d", at_s=0.0, importance=0.9)
    new = Piece(id="b", text="Finn", document="d", at_s=NOW_S, importance=0.1)
    for weights, first in (((0.0, 0.0), "a"), ((1.0, 0.0), "b"), ((1.0, 2.0), "a")):
        retrieval = Retrieval(recency_weight=weights[0], importance_weight=weights[1])
        retrieved = found(retrieval, source=InMemory([old, new]), query="Finn")
        assert ids(retrieved)[0] == first
        assert {passage.at_s for passage in retrieved.passages} == {0.0, NOW_S}


def test_a_reranker_sees_the_best_and_orders_them() -> None:
    """As many as it is given; the others stay behind them."""
    retrieval = Retrieval(retriever="vector", rerank_candidates=3, top_k=5)
    before, reranker = ids(found(retrieval)), Lengths()
    after = found(retrieval, reranker=reranker)
    texts = {piece.id: piece.text for piece in TOWNS}
    assert reranker.shown == [texts[id_] for id_ in before[:3]]
    assert ids(after) == sorted(before[:3], key=lambda id_: -len(texts[id_])) + before[3:]


def test_a_reranker_that_fails_leaves_the_order_and_the_reason() -> None:
    """As does one that gives no number; another count of scores is a mistake of its author."""

    class Down:
        def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
            raise BackendError("no answer")

    plain = found(Retrieval())
    for reranker, reason in ((Down(), "rerank: no answer"), (Lengths([1.0, float("nan")]), "not finite")):
        left = found(Retrieval(), reranker=reranker)
        assert left.passages == plain.passages
        assert reason in (trace(left).degraded or "")
        assert "rerank" not in trace(left).found
    with pytest.raises(PluginError, match="1 scores for 2 passages"):
        found(Retrieval(), reranker=Lengths([1.0]))


def test_vectors_that_cannot_be_had_leave_words_to_say_what_is_alike() -> None:
    """And the trace says why."""
    known = pieces("Finn lives in Oslo", "Finn in Oslo lives", "Finn, so loving lies in")
    source = Source(inside=indexed(known), vectors_first=failing("gone"))
    thin = Retrieval(retriever="vector", near_duplicate=0.9)
    assert set(ids(found(thin, source=source))) == {"p0", "p2"}
    assert trace(found(thin, source=source)).degraded == "diversify: gone"


@pytest.mark.parametrize(("retriever", "query"), [("none", QUERY), ("bm25", " \n"), ("hybrid", "")])
def test_of_no_retriever_and_of_a_blank_question_nothing_comes(retriever: str, query: str) -> None:
    """And nothing is done for it."""
    letters = Letters()
    nothing = found(Retrieval(retriever=retriever), query=query, embedder=letters)
    assert nothing == Retrieved(trace=Trace())
    assert letters.texts == []


def test_a_passage_that_is_gone_between_search_and_ranking_is_left_out() -> None:
    """As one that another process forgets."""

    class Forgetful(InMemory):
        def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
            return super().pieces([id_ for id_ in ids if id_ != "p0"])

    for way in (Retrieval(), Retrieval(top_k=1), Retrieval(top_k=1, near_duplicate=0.9)):
        retrieved = found(way, source=Forgetful(TOWNS))
        assert [(passage.id, passage.rank) for passage in retrieved.passages] == [("p1", 1)]


def test_no_more_passages_are_fetched_than_may_be_given() -> None:
    """All candidates where a later step can change their order or they are judged, else `top_k`."""
    asked: list[int] = []

    class Counted(InMemory):
        def pieces(self, ids: Sequence[str]) -> tuple[Piece, ...]:
            asked.append(len(ids))
            return super().pieces(ids)

    plain = Retrieval(retriever="vector", top_k=2)
    for way in (plain, replace(plain, recency_weight=1.0), replace(plain, diversity=0.5)):
        found(way, source=Counted(TOWNS, embedder=Letters()))
    found(plain, source=Counted(TOWNS, embedder=Letters()), reranker=Lengths())
    found(plain, source=Counted(TOWNS, embedder=Letters()), relevant=[Judgement(passage="p0")])
    assert asked == [2, 5, 5, 5, 5]


RETRIEVALS = st.builds(
    Retrieval,
    retriever=st.sampled_from(["bm25", "vector", "hybrid"]),
    top_k=st.integers(1, 8),
    candidates=st.integers(1, 8),
    fusion=st.sampled_from(["rrf", "convex"]),
    recency_weight=st.sampled_from([0.0, 1.0]),
    importance_weight=st.sampled_from([0.0, 1.0]),
    diversity=st.sampled_from([None, 0.0, 0.5, 1.0]),
    near_duplicate=st.sampled_from([None, 0.5, 0.97]),
    rerank_candidates=st.integers(1, 8),
    rerank_weight=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(RETRIEVALS, st.lists(TEXT, max_size=7), TEXT, st.booleans())
def test_laws_of_every_retrieval(retrieval: Retrieval, texts: list[str], query: str, reranks: bool) -> None:
    """At most `top_k`, each once, ranks from 1, scores that never rise, the same again, all in the trace."""
    known = [replace(piece, at_s=float(at), importance=at / 7) for at, piece in enumerate(pieces(*texts))]
    source, reranker = indexed(known), Lengths() if reranks else None
    retrieved = found(retrieval, source=source, query=query, reranker=reranker)
    assert len(retrieved.passages) <= retrieval.top_k
    assert len(set(ids(retrieved))) == len(retrieved.passages)
    assert [each.rank for each in retrieved.passages] == list(range(1, len(retrieved.passages) + 1))
    scores = [each.score for each in retrieved.passages]
    assert scores == sorted(scores, reverse=True)
    assert retrieved == found(retrieval, source=source, query=query, reranker=reranker)
    steps: tuple[Step, ...] = trace(retrieved).steps
    done = {step.name: step.ended_ns for step in steps}
    assert all(done[before] < step.began_ns for step in steps for before in step.after)
    last = trace(retrieved).found[steps[-1].name]
    assert tuple(ids(retrieved)) == last[: len(retrieved.passages)]


def test_what_is_relevant_is_known_of_all_that_the_searches_found() -> None:
    """Also of what did not rank among the first, whose text nobody keeps."""
    judged = [Judgement(text="ada lives"), Judgement(passage="p0"), Judgement(text="Oslo in June")]
    retrieved = found(Retrieval(retriever="bm25", top_k=1), relevant=judged)
    assert ids(retrieved) == ["p0"]
    assert trace(retrieved).found["lexical"] == ("p0", "p1")
    assert trace(retrieved).relevant == {"ada lives": ("p1",), "p0": ("p0",), "Oslo in June": ()}
