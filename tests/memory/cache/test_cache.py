"""A question is answered again when the mode says that it is the same, and it can be told why it is not."""

from __future__ import annotations

import pytest

from gemma_eval.memory.cache import same
from gemma_eval.memory.cache.cache import MOST_ASKED, SemanticCache
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.protocols import PLUMBING
from gemma_eval.records import CacheMode, Caching, Question, Reply
from tests.memory.cache.made import Meaning, an_entry

LIVES = "Where does Finn live?"
VECTORS = {
    LIVES: (1.0, 0.0, 0.0, 0.0),
    "Tell me where Finn lives.": (0.96, 0.28, 0.0, 0.0),
    "Where does Ada live?": (0.96, 0.28, 0.0, 0.0),
    "Which town is Finn's home?": (0.9, 0.4358899, 0.0, 0.0),
    "where does finn live": (0.8, 0.6, 0.0, 0.0),
}


def a_cache(mode: CacheMode, *, min_cosine: float = 0.95, embedder: Meaning | None = None) -> SemanticCache:
    """Return a cache that knows where Finn lives."""
    embedder = Meaning(VECTORS) if embedder is None else embedder
    cache = SemanticCache(
        caching=Caching(mode=mode, min_cosine=min_cosine, ttl_s=50.0),
        entries=LocalEntries(max_entries=10),
        embedder=embedder,
    )
    cache.keep(an_entry(LIVES, vector=embedder.embed([LIVES])[0]), now_s=0.0)
    embedder.asked.clear()
    return cache


class Model:
    """Replies to every question the same, and counts them."""

    def __init__(self, text: str, *, failure: str | None = None) -> None:
        self.reply = Reply(text=text, how="text", failure=failure)
        self.n = 0

    def __call__(self, question: Question) -> Reply:
        """Reply."""
        assert question.labels == ("yes", "no")
        self.n += 1
        return self.reply


@pytest.mark.parametrize(
    ("mode", "query", "use"),
    [
        ("exact", f"  {LIVES} ", "exact"),
        ("exact", "Tell me where Finn lives.", "miss"),
        ("strict", LIVES, "exact"),
        ("strict", "Tell me where Finn lives.", "semantic"),
        ("strict", "Where does Ada live?", "miss"),
        ("strict", "Which town is Finn's home?", "miss"),
        ("cosine", "Where does Ada live?", "semantic"),
        ("cosine", "Which town is Finn's home?", "miss"),
    ],
)
def test_a_mode_decides_what_is_the_same(mode: CacheMode, query: str, use: str) -> None:
    """By the text, by rules and a cosine, or by that alone, which is wrong about Ada."""
    found = a_cache(mode).find("p", query, now_s=1.0)
    assert found.use == use
    assert (found.entry is None) == (use == "miss")


def test_strict_asks_for_a_cosine_of_its_own_at_least() -> None:
    """Whatever a suite says, and more where it says so."""
    assert a_cache("strict", min_cosine=0.0).find("p", "where does finn live", now_s=1.0).use == "miss"
    assert a_cache("cosine", min_cosine=0.0).find("p", "where does finn live", now_s=1.0).use == "semantic"
    told = "Tell me where Finn lives."
    assert a_cache("strict", min_cosine=0.97).find("p", told, now_s=1.0).use == "miss"


def test_a_hit_has_the_cosine_and_the_question_it_knew() -> None:
    """So that a row can be marked."""
    found = a_cache("strict").find("p", "Tell me where Finn lives.", now_s=1.0)
    assert found.entry is not None
    assert found.entry.query == LIVES
    assert found.similarity == pytest.approx(0.96)


def test_another_partition_is_never_looked_into() -> None:
    """Not for the same question either."""
    for mode in ("exact", "strict", "cosine"):
        assert a_cache(mode).find("q", LIVES, now_s=1.0).use == "miss"


def test_what_is_past_its_time_is_not_given() -> None:
    """Neither to the same question nor to one like it; a hit does not make it live longer."""
    cache = a_cache("strict")
    assert cache.find("p", LIVES, now_s=49.0).use == "exact"
    assert cache.find("p", LIVES, now_s=50.0).use == "miss"
    assert cache.find("p", "Tell me where Finn lives.", now_s=50.0).use == "miss"


def test_vectors_without_a_meaning_serve_nothing() -> None:
    """A hashing embedder is there to try pipelines out; exact hits stay."""
    cache = a_cache("cosine", min_cosine=-1.0, embedder=Meaning(VECTORS, id=f"{PLUMBING}1/384"))
    found = cache.find("p", "Where does Ada live?", now_s=1.0)
    assert found.use == "miss"
    assert "without a meaning" in str(found.reason)
    assert cache.find("p", LIVES, now_s=1.0).use == "exact"
    assert {each.refused_by for each in cache.explain("p", "Where does Ada live?", now_s=1.0)} == {"embedder"}


def test_an_exact_hit_makes_no_vector() -> None:
    """Which would take longer than all else."""
    embedder = Meaning(VECTORS)
    cache = a_cache("strict", embedder=embedder)
    cache.find("p", LIVES, now_s=1.0)
    assert embedder.asked == []


def test_verified_asks_the_model_once_about_two_questions() -> None:
    """Its verdict is kept, a no as well as a yes, whichever of the two comes first."""
    for said, use in (("Yes.", "semantic"), ("no", "miss"), ("yes and no", "miss")):
        cache, model = a_cache("verified", min_cosine=0.5), Model(said)
        for _ in range(3):
            assert cache.find("p", "Which town is Finn's home?", now_s=1.0, ask=model).use == use
        assert model.n == 1


def test_a_model_that_does_not_reply_is_asked_again() -> None:
    """Nothing is given meanwhile; without a model nothing is given either."""
    cache, model = a_cache("verified", min_cosine=0.5), Model("yes", failure="timeout: too long")
    for _ in range(2):
        assert cache.find("p", "Which town is Finn's home?", now_s=1.0, ask=model).use == "miss"
    assert model.n == 2
    assert cache.find("p", "Which town is Finn's home?", now_s=1.0).use == "miss"


def test_a_model_is_asked_about_the_nearest_few_alone() -> None:
    """Each takes it a prompt to read."""
    cache, model = a_cache("verified", min_cosine=0.5), Model("no")
    for name in "abcdef":
        cache.keep(an_entry(name, vector=Meaning(VECTORS).embed([LIVES])[0]), now_s=0.0)
    cache.find("p", "Which town is Finn's home?", now_s=1.0, ask=model)
    assert model.n == MOST_ASKED


def test_a_verdict_goes_with_its_partition_and_not_with_the_order() -> None:
    """Another engine may say something else."""
    assert same.verdict_key("p", "a", "b") == same.verdict_key("p", "b", "a")
    assert same.verdict_key("p", "a", "b") != same.verdict_key("q", "a", "b")


def test_explain_tells_which_gate_refused() -> None:
    """Nearest first, with the cosine."""
    cache = a_cache("strict", min_cosine=0.85)
    told = {
        query: [(each.refused_by, each.why) for each in cache.explain("p", query, now_s=1.0)]
        for query in ("Where does Ada live?", "Tell me where Finn lives.", "where does finn live", LIVES)
    }
    assert told["Where does Ada live?"] == [("names", "finn against ada")]
    assert told["Tell me where Finn lives."] == [(None, "")]
    assert told["where does finn live"] == [("cosine", "0.800, and 0.85 is asked for")]
    assert told[LIVES] == [(None, "")]
    late = cache.explain("p", LIVES, now_s=60.0)
    assert [each.refused_by for each in late] == ["time"]
    assert a_cache("exact").explain("p", "Where does Ada live?", now_s=1.0) == ()


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"template": "rag"}, {"c"}),
        ({"corpus": "docs"}, {"b"}),
        ({"template": "rag", "corpus": "docs"}, {"b", "c"}),
        ({"partition": "q"}, {"a", "b"}),
        ({"partition": "unknown"}, {"a", "b", "c"}),
        ({}, set()),
    ],
)
def test_invalidating_takes_what_all_options_name(chosen: dict[str, str], left: set[str]) -> None:
    """By template, corpus and partition; without any, everything."""
    cache = SemanticCache(caching=Caching(mode="exact"), entries=LocalEntries(max_entries=9))
    for entry in (
        an_entry("a"),
        an_entry("b", corpus="other"),
        an_entry("c", partition="q", template="bare"),
    ):
        cache.keep(entry, now_s=0.0)
    n = cache.invalidate(**chosen)
    assert {entry.query for entry in cache.entries.each()} == left
    assert n == 3 - len(left)


def test_invalidating_one_entry_takes_the_beginning_of_its_id() -> None:
    """As it is shown."""
    cache = a_cache("exact")
    id_ = cache.entries.each()[0].id
    assert cache.invalidate(entry=id_[:12]) == 1
    assert cache.find("p", LIVES, now_s=1.0).use == "miss"
