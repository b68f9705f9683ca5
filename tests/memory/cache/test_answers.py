"""One generation serves all who ask the same, a hit says what it is, and what is not whole is not kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import BackendError, StoreError
from gemma_eval.memory.cache.answers import open_cache
from gemma_eval.memory.cache.code import code_sha256
from gemma_eval.memory.cache.entry import Entry
from gemma_eval.memory.cache.local import LocalEntries
from gemma_eval.records import Caching, Generation, Reply, Trial
from tests.examples import a_generation
from tests.memory.cache.made import ENGINE, PROMPT, Clock, Maker, Meaning, a_cache, a_trial

NEAR = {"Where does Finn live?": (1.0, 0.0), "Tell me where Finn lives.": (0.96, 0.28)}


def test_the_same_question_is_answered_once() -> None:
    """The second answer is the first, come whole, with stamps of its own."""
    cache, make = a_cache(), Maker()
    first, missed = cache.answer(a_trial(), PROMPT, ENGINE, make)
    again, hit = cache.answer(a_trial(), PROMPT, ENGINE, make)
    assert make.n == 1
    assert (missed.use, missed.reason) == ("miss", None)
    assert (hit.use, hit.query, hit.similarity) == ("exact", "Where does Finn live?", 1.0)
    assert (again.text, again.output_tokens, again.streamed) == (first.text, first.output_tokens, False)
    assert again.requested_ns < again.ended_ns != first.ended_ns
    assert first == a_generation()


def test_a_question_in_another_form_is_a_semantic_hit() -> None:
    """With the question it was taken for."""
    cache, make = a_cache("strict", embedder=Meaning(NEAR)), Maker()
    cache.answer(a_trial(), PROMPT, ENGINE, make)
    _, hit = cache.answer(a_trial("Tell me where Finn lives."), PROMPT, ENGINE, make)
    assert (hit.use, hit.query, make.n) == ("semantic", "Where does Finn live?", 1)
    assert hit.similarity == pytest.approx(0.96)


def test_verified_reaches_the_model_that_answers() -> None:
    """Through what it is given with the trial."""
    cache, make = a_cache("verified", embedder=Meaning(NEAR), min_cosine=0.9), Maker()
    cache.answer(a_trial(), PROMPT, ENGINE, make)
    asked = a_trial("Tell me where Finn lives.")
    _, hit = cache.answer(asked, PROMPT, ENGINE, make, ask=lambda _: Reply(text="yes", how="text"))
    assert hit.use == "semantic"


@pytest.mark.parametrize("reason", ["length", "error", "timeout", "content_filter"])
def test_an_answer_that_is_not_whole_is_never_kept(reason: str) -> None:
    """It would be given for good; the row says why it is a miss."""
    cache, make = a_cache(), Maker(finish_reason=reason)
    for _ in range(2):
        _, cached = cache.answer(a_trial(), PROMPT, ENGINE, make)
        assert (cached.use, cached.reason) == ("miss", f"an answer that ended with {reason} is not kept")
    assert make.n == 2
    assert cache.cache.entries.each() == ()


def test_an_answer_without_text_is_not_kept() -> None:
    """As a model gives that ends its turn at once."""
    cache, make = a_cache(), Maker(text=" ")
    assert cache.answer(a_trial(), PROMPT, ENGINE, make)[1].reason == "an answer without text is not kept"
    assert cache.cache.entries.each() == ()


def test_an_engine_that_fails_fails_the_trial_and_keeps_nothing() -> None:
    """And the next one is asked anew."""
    cache, make = a_cache(), Maker()

    def fail() -> Generation:
        raise BackendError("gone")

    with pytest.raises(BackendError, match="gone"):
        cache.answer(a_trial(), PROMPT, ENGINE, fail)
    assert cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use == "miss"
    assert make.n == 1


def test_an_answer_ends_with_its_time() -> None:
    """After that the question is answered anew, and that is kept."""
    clock = Clock()
    cache, make = a_cache(clock=clock), Maker()
    uses = []
    for now_s in (1000.0, 1099.0, 1101.0, 1102.0):
        clock.s = now_s
        uses.append(cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use)
    assert uses == ["miss", "exact", "miss", "exact"]


def test_a_clock_that_goes_back_makes_no_answer_live_for_ever() -> None:
    """What was made at a time that has not come yet is not given."""
    clock = Clock()
    cache, make = a_cache(clock=clock), Maker()
    cache.answer(a_trial(), PROMPT, ENGINE, make)
    clock.s = 10.0
    assert cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use == "miss"


def test_what_is_read_is_never_cached() -> None:
    """A continuation and choices have probabilities, and no answer."""
    cache, make = a_cache(), Maker()
    trial = a_trial(choices=("a", "b"), target=0)
    for _ in range(2):
        assert "read" in str(cache.answer(trial, PROMPT, ENGINE, make)[1].reason)
    assert make.n == 2


def with_temperature(trial: Trial, seed: int) -> Trial:
    """Return a trial whose answer is drawn."""
    profile = replace(trial.cell.profile, temperature=0.8)
    return replace(trial, cell=replace(trial.cell, profile=profile), seed=seed)


def test_repeats_that_are_drawn_share_no_answer() -> None:
    """Each has a seed of its own, and the same seed draws the same."""
    cache, make = a_cache(), Maker()
    uses = [
        cache.answer(with_temperature(a_trial(), seed), PROMPT, ENGINE, make)[1].use for seed in (1, 2, 1)
    ]
    assert uses == ["miss", "miss", "exact"]


@given(st.lists(st.sampled_from(["a?", "b?", "c?"]), max_size=8), st.data())
def test_no_answer_ever_crosses_into_another_partition(queries: list[str], data: st.DataObject) -> None:
    """Whatever is asked of whom in which order: a hit has the text that its own template was given."""
    cache = a_cache()
    for query in queries:
        template = data.draw(st.sampled_from(["one", "two"]))
        trial = a_trial(query)
        of_template = replace(trial.cell.template, text=template)
        trial = replace(trial, cell=replace(trial.cell, template=of_template))
        text = f"{template} {query}"
        generation, _ = cache.answer(trial, PROMPT, ENGINE, partial(a_generation, text))
        assert generation.text == text


def test_threads_that_ask_the_same_wait_for_one_generation() -> None:
    """Eight ask at once, one is answered by the engine, the others by what that made."""
    cache, started, go = a_cache(), Event(), Event()
    gate, make = Barrier(8), Maker()

    def slow() -> Generation:
        started.set()
        go.wait(10)
        return make()

    def ask(_: int) -> tuple[Generation, str]:
        gate.wait(10)
        generation, cached = cache.answer(a_trial(), PROMPT, ENGINE, slow)
        return generation, cached.use

    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(ask, number) for number in range(8)]
        assert started.wait(10)
        go.set()
        results = [each.result(10) for each in made]
    assert make.n == 1
    assert sorted(use for _, use in results) == ["exact"] * 7 + ["miss"]
    assert {generation.text for generation, _ in results} == {"Oslo"}


def test_threads_that_wait_for_what_is_not_kept_make_their_own() -> None:
    """Nobody is given an answer that was cut, and nobody waits for ever."""
    cache, gate, make = a_cache(), Barrier(4), Maker(finish_reason="length")

    def ask(_: int) -> str:
        gate.wait(10)
        return cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["miss"] * 4
    assert make.n == 4


def test_a_shared_entry_is_of_this_version_of_the_program(tmp_path: Path) -> None:
    """Any byte of any module makes another; in this process there is one version."""
    (tmp_path / "a.py").write_text("x = 1")
    before = code_sha256(tmp_path)
    code_sha256.cache_clear()
    (tmp_path / "a.py").write_text("x = 2")
    assert code_sha256(tmp_path) != before
    shared = Caching(mode="exact", location="redis://127.0.0.1:1/0")
    assert open_cache(shared, environment={}).namespace == code_sha256()
    assert open_cache(Caching(mode="exact")).namespace == ""


class Down(LocalEntries):
    """Entries in a server that does not answer."""

    def get(self, id_: str) -> Entry | None:
        """Fail."""
        raise StoreError("Redis at localhost:6379 cannot be reached")

    def put(self, entry: Entry, *, now_s: float) -> None:
        """Fail."""
        raise StoreError("Redis at localhost:6379 cannot be reached")


def test_a_server_that_is_down_costs_a_hit_and_nothing_else() -> None:
    """The answer is made, and its row says why."""
    cache, make = a_cache(entries=Down(max_entries=1)), Maker()
    generation, cached = cache.answer(a_trial(), PROMPT, ENGINE, make)
    assert generation.text == "Oslo"
    assert (cached.use, cached.reason) == ("miss", "Redis at localhost:6379 cannot be reached")


@dataclass
class Broken(Meaning):
    """An embedder that cannot embed."""

    def embed(self, texts: object) -> object:  # type: ignore[override]
        """Fail."""
        raise BackendError("no vector")


def test_an_embedder_that_fails_costs_a_hit_and_nothing_else() -> None:
    """The same question is still found."""
    cache, make = a_cache("strict", embedder=Broken()), Maker()
    uses = [cache.answer(a_trial(), PROMPT, ENGINE, make)[1] for _ in range(2)]
    assert [(each.use, each.reason) for each in uses] == [("miss", "no vector"), ("exact", None)]


def test_an_entry_that_is_damaged_is_answered_anew() -> None:
    """As one that somebody else wrote."""
    cache, make = a_cache(), Maker()
    cache.answer(a_trial(), PROMPT, ENGINE, make)
    entry = cache.cache.entries.each()[0]
    cache.cache.entries.put(replace(entry, answer=b"rubbish"), now_s=0.0)
    assert cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use == "miss"
    assert cache.answer(a_trial(), PROMPT, ENGINE, make)[1].use == "exact"
